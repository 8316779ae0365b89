from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from molfound.data.batch import GraphBatch
from molfound.nn.aggregation import Adjacency, segment_sum, sum_neighbours, sum_normalized, sum_relu_messages
from molfound.nn.edge_table import EdgeGroups, EdgeTable
from tests.nn.graphs import collate, random_graph

ROWS = 6


@pytest.fixture
def adjacency(batch: GraphBatch) -> Adjacency:
    return Adjacency.of(batch)


def edge_table(adjacency: Adjacency, width: int) -> EdgeTable:
    generator = torch.Generator().manual_seed(1)
    index = torch.randint(0, ROWS - 1, adjacency.source.shape, generator=generator)
    # Both directions of a bond share a row; the last row has no edge.
    groups = EdgeGroups(torch.maximum(index, index[adjacency.reverse]), ROWS)
    rows = torch.randn(ROWS, width, dtype=torch.float64, generator=generator)
    return EdgeTable(rows.requires_grad_(), groups)


def node_features(adjacency: Adjacency, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(len(adjacency.degrees), width, dtype=torch.float64, generator=generator).requires_grad_()


def dense(adjacency: Adjacency) -> torch.Tensor:
    matrix = torch.zeros(len(adjacency.degrees), len(adjacency.degrees), dtype=torch.float64)
    matrix[adjacency.target, adjacency.source] = 1
    return matrix


def test_degrees_and_pointers_count_the_edges_that_enter(adjacency: Adjacency) -> None:
    assert torch.equal(adjacency.degrees, dense(adjacency).sum(1).long())
    assert torch.equal(adjacency.ptr.diff(), adjacency.degrees)


def test_sum_neighbours_is_the_product_with_the_adjacency_matrix(adjacency: Adjacency) -> None:
    nodes = node_features(adjacency, 5)
    torch.testing.assert_close(sum_neighbours(nodes, adjacency), dense(adjacency) @ nodes)
    assert torch.autograd.gradcheck(lambda x: sum_neighbours(x, adjacency), nodes)


def test_sum_normalized_is_the_product_with_the_normalized_matrix(adjacency: Adjacency) -> None:
    nodes = node_features(adjacency, 5)
    looped = dense(adjacency) + torch.eye(len(adjacency.degrees), dtype=torch.float64)
    root = looped.sum(1).rsqrt().diag()
    torch.testing.assert_close(sum_normalized(nodes, adjacency), root @ looped @ root @ nodes)
    assert torch.autograd.gradcheck(lambda x: sum_normalized(x, adjacency), nodes)


def test_sum_relu_messages_equals_the_sum_edge_by_edge(adjacency: Adjacency) -> None:
    nodes, edges = node_features(adjacency, 3), edge_table(adjacency, 3)
    expected = torch.zeros_like(nodes)
    for edge, (source, target) in enumerate(zip(adjacency.source, adjacency.target, strict=True)):
        message = torch.relu(nodes[source] + edges.rows[edges.groups.index[edge]])
        expected = expected.index_add(0, target[None], message[None])
    torch.testing.assert_close(sum_relu_messages(nodes, edges, adjacency), expected)


def test_sum_relu_messages_has_the_gradients_of_finite_differences(adjacency: Adjacency) -> None:
    nodes, edges = node_features(adjacency, 2), edge_table(adjacency, 2)

    def function(nodes: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return sum_relu_messages(nodes, EdgeTable(rows, edges.groups), adjacency)

    assert torch.autograd.gradcheck(function, (nodes, edges.rows))


@pytest.mark.parametrize("wanted", [(True, False), (False, True)])
def test_sum_relu_messages_with_one_gradient_wanted(adjacency: Adjacency, wanted: tuple[bool, bool]) -> None:
    nodes, edges = node_features(adjacency, 2), edge_table(adjacency, 2)
    both = torch.autograd.grad(sum_relu_messages(nodes, edges, adjacency).square().sum(), (nodes, edges.rows))
    nodes_wanted, rows_wanted = wanted
    kept = EdgeTable(edges.rows.detach().requires_grad_(rows_wanted), edges.groups)
    alone = nodes.detach().requires_grad_(nodes_wanted)
    sum_relu_messages(alone, kept, adjacency).square().sum().backward()
    for given, gradient, is_wanted in zip((alone, kept.rows), both, wanted, strict=True):
        if is_wanted:
            torch.testing.assert_close(given.grad, gradient)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_takes_the_plain_way_to_the_same_sums(adjacency: Adjacency, dtype: torch.dtype) -> None:
    nodes, edges = node_features(adjacency, 4), edge_table(adjacency, 4)
    halved = sum_relu_messages(nodes.to(dtype), EdgeTable(edges.rows.to(dtype), edges.groups), adjacency)
    assert halved.dtype == dtype
    torch.testing.assert_close(halved.double(), sum_relu_messages(nodes, edges, adjacency), atol=0.1, rtol=0.1)
    for total in (sum_neighbours, sum_normalized):
        torch.testing.assert_close(
            total(nodes.to(dtype), adjacency).double(), total(nodes, adjacency), atol=0.1, rtol=0.1
        )


def test_compiled_sums_equal_eager_ones(adjacency: Adjacency) -> None:
    nodes, edges = node_features(adjacency, 3), edge_table(adjacency, 3)

    def function(nodes: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        table = EdgeTable(rows, EdgeGroups(edges.groups.index, ROWS))
        structure = Adjacency(adjacency.source, adjacency.target, adjacency.reverse, adjacency.degrees)
        messages = sum_relu_messages(nodes, table, structure) + sum_neighbours(nodes, structure)
        return messages + sum_normalized(nodes, structure)

    compiled = torch.compile(function, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(nodes, edges.rows), function(nodes, edges.rows))


def test_without_any_edge_every_sum_is_zero() -> None:
    generator = np.random.default_rng(0)
    lonely = Adjacency.of(collate([random_graph(generator, 1) for _ in range(3)]))
    nodes = torch.randn(3, 4, requires_grad=True)
    rows = torch.randn(2, 4, requires_grad=True)
    table = EdgeTable(rows, EdgeGroups(torch.empty(0, dtype=torch.int64), 2))
    total = sum_neighbours(nodes, lonely) + sum_relu_messages(nodes, table, lonely)
    assert torch.equal(total, torch.zeros(3, 4))
    assert torch.equal(sum_normalized(nodes, lonely), nodes)
    total.sum().backward()
    assert torch.equal(nodes.grad, torch.zeros(3, 4))
    assert torch.equal(rows.grad, torch.zeros(2, 4))


def test_segment_sum_takes_empty_segments_and_expanded_gradients() -> None:
    values = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    ptr, index = torch.tensor([0, 0, 3, 3, 5]), torch.tensor([1, 1, 1, 3, 3])
    total = segment_sum(values, index, ptr)
    expected = torch.stack([values[a:b].sum(0) for a, b in pairwise(ptr)])
    torch.testing.assert_close(total, expected)
    total.sum().backward()
    assert torch.equal(values.grad, torch.ones_like(values))


def test_edge_table_maps_rows_and_expands_to_edges(adjacency: Adjacency) -> None:
    table = edge_table(adjacency, 3)
    linear = nn.Linear(3, 4, dtype=torch.float64)
    torch.testing.assert_close(table.map(linear).expand(), linear(table.expand()))
    groups = table.groups
    assert torch.equal(groups.index[groups.order], groups.index.sort().values)
    assert torch.equal(groups.ptr.diff(), torch.bincount(groups.index, minlength=ROWS))
