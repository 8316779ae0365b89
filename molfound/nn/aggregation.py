"""Sums over neighbours, segments and rows of a table, fast and differentiable.

Edges are sorted by target and every edge knows its reverse, so each of these sums, and each of their gradients, is a
gather and a sum over contiguous segments. On a CPU that is one call of the embedding-bag kernel, several times faster
than ``scatter_add`` and the gradient of indexing. Elsewhere, under `torch.compile` and in half precision the plain
formulation is used, which those run in parallel or fuse.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from molfound.data.batch import GraphBatch
from molfound.nn.edge_table import EdgeGroups, EdgeTable
from molfound.nn.grouping import group_ptr, grouped_order


@dataclass(frozen=True)
class Adjacency:
    """The directed edges of a batch: both directions of each bond, sorted by target.

    Attributes:
        source: int64 ``[E]``, the node that each edge leaves.
        target: int64 ``[E]``, the node that each edge enters, ascending.
        reverse: int64 ``[E]``, the edge of the same bond in the other direction.
        degrees: int64 ``[N]``, the number of neighbours of each node.
    """

    source: Tensor
    target: Tensor
    reverse: Tensor
    degrees: Tensor

    @classmethod
    def of(cls, batch: GraphBatch) -> Self:
        """Return the adjacency of a batch."""
        source, target = batch.edge_index
        degrees = torch.zeros_like(batch.node_graph).scatter_add_(0, target, torch.ones_like(target))
        return cls(source, target, batch.edge_reverse, degrees)

    # What follows is for the packed sums only: torch.compile cannot see through a cached property.

    @cached_property
    def ptr(self) -> Tensor:
        """int64 ``[N + 1]``: the edges ``ptr[i]:ptr[i + 1]`` enter node i."""
        return F.pad(self.degrees.cumsum(0), (1, 0))

    @cached_property
    def edges(self) -> Tensor:
        """int64 ``[E]``: the numbers of the edges."""
        return torch.arange(self.target.numel(), device=self.target.device)

    @cached_property
    def pair_ptr(self) -> Tensor:
        """int64 ``[E + 1]``: two entries for each edge."""
        return torch.arange(0, 2 * self.target.numel() + 1, 2, device=self.target.device)

    @cached_property
    def normalized(self) -> tuple[Tensor, Tensor, Tensor]:
        """The matrix of `sum_normalized` by rows: its columns, where each row begins, and its entries in float64."""
        nodes = torch.arange(self.degrees.shape[0])
        # Row i has its edges and then i itself, so an edge moves by the number of rows before its own.
        columns = nodes.new_empty(self.source.numel() + nodes.numel())
        columns[self.edges + self.target] = self.source
        columns[self.ptr[1:] + nodes] = nodes
        scale = (self.degrees + 1).double().rsqrt()
        entries = scale[columns] * scale.repeat_interleave(self.degrees + 1, output_size=columns.numel())
        return columns, self.ptr + torch.arange(nodes.numel() + 1), entries


def sum_neighbours(nodes: Tensor, adjacency: Adjacency) -> Tensor:
    """Return for each node the sum of its neighbours' features: ``[N, d]`` to ``[N, d]``."""
    if _packed(nodes):
        result: Tensor = _SumNeighbours.apply(nodes, adjacency)  # type: ignore[no-untyped-call]
        return result
    return _sum_by_index(nodes.index_select(0, adjacency.source), adjacency.target, adjacency.degrees.shape[0])


def sum_normalized(nodes: Tensor, adjacency: Adjacency) -> Tensor:
    """Return ``Σ_j nodes[j] / sqrt(d_i d_j)``, ``[N, d]``, over the neighbours j of i and i itself; d counts it too."""
    if _packed(nodes):
        result: Tensor = _SumNormalized.apply(nodes, adjacency)  # type: ignore[no-untyped-call]
        return result
    scale = (adjacency.degrees + 1).to(nodes.dtype).rsqrt()[:, None]
    scaled = nodes * scale
    return (scaled + sum_neighbours(scaled, adjacency)) * scale


def sum_relu_messages(nodes: Tensor, edges: EdgeTable, adjacency: Adjacency) -> Tensor:
    """Return for each node i the sum over its neighbours j of ``relu(nodes[j] + edges[ij])``, ``[N, d]``."""
    if _packed(nodes) and nodes.dtype == edges.rows.dtype:
        result: Tensor = _SumReluMessages.apply(nodes, edges.rows, edges.groups, adjacency)  # type: ignore[no-untyped-call]
        return result
    messages = F.relu(nodes.index_select(0, adjacency.source) + edges.expand())
    return _sum_by_index(messages, adjacency.target, adjacency.degrees.shape[0])


def segment_sum(values: Tensor, index: Tensor, ptr: Tensor) -> Tensor:
    """Return the sum over each contiguous segment: ``[M, d]`` to ``[S, d]``.

    Args:
        values: ``[M, d]``.
        index: int64 ``[M]``, the segment of each row, ascending.
        ptr: int64 ``[S + 1]``: segment s is ``values[ptr[s]:ptr[s + 1]]``.

    Example:
        >>> segment_sum(torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([0, 0, 2]), torch.tensor([0, 2, 2, 3]))
        tensor([[3.], [0.], [4.]])
    """
    if _packed(values):
        result: Tensor = _SegmentSum.apply(values, index, ptr)  # type: ignore[no-untyped-call]
        return result
    return _sum_by_index(values, index, ptr.numel() - 1)


def sum_rows(table: Tensor, indices: Tensor) -> Tensor:
    """Return for each row of `indices` the sum of those rows of `table`: int64 ``[N, F]`` and ``[V, d]`` to ``[N, d]``.

    Example:
        >>> sum_rows(torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[0, 2], [1, 1]]))
        tensor([[5.],
                [4.]])
    """
    if _packed(table):
        result: Tensor = _SumRows.apply(table, indices)  # type: ignore[no-untyped-call]
        return result
    if indices.shape[1] == 0:
        return table.new_zeros(indices.shape[0], table.shape[1])  # torch has no bags of nothing
    return F.embedding_bag(indices, table, mode="sum")


def _packed(values: Tensor) -> bool:
    on_cpu = values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64)
    return on_cpu and not torch.compiler.is_compiling()


def _sum_by_index(values: Tensor, index: Tensor, size: int) -> Tensor:
    return values.new_zeros(size, values.shape[1]).index_add(0, index, values)


def _sum_gathered(values: Tensor, indices: Tensor, ptr: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return ``[S, d]``: for segment s the sum of ``values[indices[ptr[s]:ptr[s + 1]]]``, each times its weight."""
    return torch.embedding_bag(values, indices, ptr, False, 0, False, weights, True)[0]


class _SumNeighbours(Function):
    """Its own gradient: the adjacency matrix is symmetric."""

    @staticmethod
    def forward(ctx: Any, nodes: Tensor, adjacency: Adjacency) -> Tensor:
        ctx.adjacency = adjacency
        return _sum_gathered(nodes, adjacency.source, adjacency.ptr)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        adjacency = ctx.adjacency
        return _sum_gathered(gradient.contiguous(), adjacency.source, adjacency.ptr), None


class _SumNormalized(Function):
    """Its own gradient: the matrix is symmetric."""

    @staticmethod
    def forward(ctx: Any, nodes: Tensor, adjacency: Adjacency) -> Tensor:
        columns, ptr, entries = adjacency.normalized
        ctx.matrix = columns, ptr, entries.to(nodes.dtype)
        return _sum_gathered(nodes, *ctx.matrix)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _sum_gathered(gradient.contiguous(), *ctx.matrix), None


class _SumReluMessages(Function):
    @staticmethod
    def forward(ctx: Any, nodes: Tensor, rows: Tensor, groups: EdgeGroups, adjacency: Adjacency) -> Tensor:
        both = torch.stack((adjacency.source, groups.index + nodes.shape[0]), dim=1)
        messages = _sum_gathered(torch.cat((nodes, rows)), both.view(-1), adjacency.pair_ptr).relu_()
        ctx.save_for_backward(messages)
        ctx.groups, ctx.adjacency = groups, adjacency
        return _sum_gathered(messages, adjacency.edges, adjacency.ptr)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        (messages,) = ctx.saved_tensors
        groups, adjacency = ctx.groups, ctx.adjacency
        of_messages = gradient.index_select(0, adjacency.target)
        torch.ops.aten.threshold_backward.grad_input(of_messages, messages, 0, grad_input=of_messages)
        # The reverses of the edges that enter a node are the edges that leave it.
        of_nodes = _sum_gathered(of_messages, adjacency.reverse, adjacency.ptr) if ctx.needs_input_grad[0] else None
        of_rows = _sum_gathered(of_messages, groups.order, groups.ptr) if ctx.needs_input_grad[1] else None
        return of_nodes, of_rows, None, None


class _SegmentSum(Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, index: Tensor, ptr: Tensor) -> Tensor:
        ctx.index = index
        return _sum_gathered(values.contiguous(), torch.arange(values.shape[0]), ptr)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient.index_select(0, ctx.index), None, None


class _SumRows(Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, indices: Tensor) -> Tensor:
        ctx.indices, ctx.count = indices, table.shape[0]
        rows, features = indices.shape
        return _sum_gathered(table, indices.view(-1), torch.arange(rows + 1) * features)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        flat, features = ctx.indices.view(-1), ctx.indices.shape[1]
        order = grouped_order(flat, ctx.count)
        return _sum_gathered(gradient.contiguous(), order // features, group_ptr(flat, ctx.count)), None
