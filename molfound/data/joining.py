"""Batches of different datasets as one."""

from collections.abc import Sequence

import torch
from torch import Tensor

from molfound.data.batch import GraphBatch


def joined(batches: Sequence[GraphBatch]) -> GraphBatch:
    """Return several batches, of different datasets and as they come from their collections, one after the other.

    Where some have coordinates and others none, the nodes of the others have NaN.
    """
    nodes, edges, bonds, graphs = (
        _starts([getattr(batch, name) for batch in batches])
        for name in ("num_nodes", "num_edges", "num_bonds", "num_graphs")
    )
    return GraphBatch(
        node_codes=torch.cat([batch.node_codes for batch in batches]),
        bond_codes=torch.cat([batch.bond_codes for batch in batches]),
        edge_index=torch.cat([b.edge_index + start for b, start in zip(batches, nodes, strict=True)], dim=1),
        edge_bond=_shifted([batch.edge_bond for batch in batches], bonds),
        edge_reverse=_shifted([batch.edge_reverse for batch in batches], edges),
        node_ptr=_joined_ptr([batch.node_ptr for batch in batches], nodes),
        edge_ptr=_joined_ptr([batch.edge_ptr for batch in batches], edges),
        bond_ptr=_joined_ptr([batch.bond_ptr for batch in batches], bonds),
        node_graph=_shifted([batch.node_graph for batch in batches], graphs),
        rows=torch.cat([batch.rows for batch in batches]),
        datasets={
            name: (first + start, last + start)
            for batch, start in zip(batches, graphs, strict=True)
            for name, (first, last) in batch.datasets.items()
        },
        encodings={name: torch.cat([batch.encodings[name] for batch in batches]) for name in batches[0].encodings},
        labels={name: values for batch in batches for name, values in batch.labels.items()},
        weights={name: values for batch in batches for name, values in batch.weights.items()},
        coordinates=_coordinates(batches),
        largest=max(batch.largest for batch in batches),
    )


def _coordinates(batches: Sequence[GraphBatch]) -> Tensor | None:
    if all(batch.coordinates is None for batch in batches):
        return None
    absent = (torch.full((batch.num_nodes, 3), torch.nan) for batch in batches)
    return torch.cat([n if b.coordinates is None else b.coordinates for b, n in zip(batches, absent, strict=True)])


def _starts(counts: Sequence[int]) -> list[int]:
    return [sum(counts[:i]) for i in range(len(counts))]


def _shifted(parts: Sequence[Tensor], starts: Sequence[int]) -> Tensor:
    return torch.cat([part + start for part, start in zip(parts, starts, strict=True)])


def _joined_ptr(parts: Sequence[Tensor], starts: Sequence[int]) -> Tensor:
    return torch.cat([parts[0][:1], *(part[1:] + start for part, start in zip(parts, starts, strict=True))])
