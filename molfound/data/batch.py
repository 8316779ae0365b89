"""A batch of molecular graphs as packed torch tensors."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor

from molfound.encodings import part_levels
from molfound.errors import MolfoundError

if TYPE_CHECKING:
    from torch_geometric.data import Batch


@dataclass(frozen=True)
class GraphBatch:
    """Molecular graphs packed one after the other; graphs of one dataset stand together.

    G graphs, N nodes (atoms in the order of their SMILES), B bonds, E = 2 B edges (one per direction, by target).

    Attributes:
        node_codes: uint8 ``[N, F]``, one code per atom feature.
        bond_codes: uint8 ``[B, F']``, one code per bond feature.
        edge_index: int64 ``[2, E]``, sources and targets, numbered over the whole batch.
        edge_bond: int64 ``[E]``, the bond of each edge.
        edge_reverse: int64 ``[E]``, the edge of the same bond in the other direction.
        node_ptr: int64 ``[G + 1]``; graph g has the nodes ``node_ptr[g]:node_ptr[g + 1]``.
        edge_ptr: int64 ``[G + 1]``, the same for edges.
        bond_ptr: int64 ``[G + 1]``, the same for bonds.
        node_graph: int64 ``[N]``, the graph of each node.
        rows: int64 ``[G]``, the row of each graph in its dataset's table.
        datasets: for each dataset in the batch, the range ``(first, last + 1)`` of its graphs.
        encodings: float32 by part name, ``[N, k]`` or ``[G, k]``.
        labels: float32 ``[R, L]`` by task, NaN where missing; one row per graph (or node, edge, pair, by the task's
            level) of the task's dataset.
        weights: float32 per graph of the dataset, only for datasets that weight their samples.
        coordinates: float32 ``[N, 3]`` in Å, NaN at the nodes of graphs without; None where none were prepared.
        hidden_graphs: bool ``[G]``, the molecules of which only elements and coordinates are to be read, no other
            features and no bonds; None: there is no such molecule.
        largest: the number of nodes of the largest graph; 0 is replaced by what the graphs say.
    """

    node_codes: Tensor
    bond_codes: Tensor
    edge_index: Tensor
    edge_bond: Tensor
    edge_reverse: Tensor
    node_ptr: Tensor
    edge_ptr: Tensor
    bond_ptr: Tensor
    node_graph: Tensor
    rows: Tensor
    datasets: dict[str, tuple[int, int]]
    encodings: dict[str, Tensor] = field(default_factory=dict)
    labels: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)
    coordinates: Tensor | None = None
    hidden_graphs: Tensor | None = None
    largest: int = 0

    def __post_init__(self) -> None:
        if self.largest == 0 and self.num_graphs:
            object.__setattr__(self, "largest", int(self.node_ptr.diff().max()))

    @property
    def num_graphs(self) -> int:
        """Number of molecules G."""
        return self.node_ptr.numel() - 1

    @property
    def num_nodes(self) -> int:
        """Number of atoms N."""
        return self.node_codes.shape[0]

    @property
    def num_edges(self) -> int:
        """Number of directed edges E."""
        return self.edge_bond.numel()

    @property
    def num_bonds(self) -> int:
        """Number of bonds B."""
        return self.bond_codes.shape[0]

    @property
    def with_coordinates(self) -> Tensor:
        """Bool ``[G]``, which molecules have coordinates."""
        if self.coordinates is None:
            return torch.zeros(self.num_graphs, dtype=torch.bool, device=self.node_ptr.device)
        return self.coordinates[self.node_ptr[:-1], 0].isfinite()

    def item_ptr(self, level: str) -> Tensor:
        """Return int64 ``[G + 1]``: graph g has the rows ``ptr[g]:ptr[g + 1]`` of what is given at a level.

        Args:
            level: ``"graph"``, ``"node"``, ``"edge"`` or ``"node_pair"``; pair (i, j) of n nodes is row i·n + j.
        """
        match level:
            case "graph":
                return torch.arange(self.num_graphs + 1, device=self.node_ptr.device)
            case "node":
                return self.node_ptr
            case "edge":
                return self.edge_ptr
            case "node_pair":
                pairs = self.node_ptr.diff().square()
                return torch.cat((pairs.new_zeros(1), pairs.cumsum(0)))
            case _:
                raise ValueError(f"unknown level '{level}'")

    def __len__(self) -> int:
        return self.num_graphs

    def __repr__(self) -> str:
        datasets = ", ".join(f"{name}: {last - first}" for name, (first, last) in self.datasets.items())
        tasks = ", ".join(f"{name} {list(values.shape)}" for name, values in self.labels.items())
        sizes = f"{self.num_graphs} graphs ({datasets}), {self.num_nodes} nodes, {self.num_edges} edges"
        return f"GraphBatch({sizes}, encodings: {', '.join(self.encodings) or 'none'}, labels: {tasks or 'none'})"

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Return a batch with `function` applied to every tensor."""

        def apply(value: Any) -> Any:
            if isinstance(value, Tensor):
                return function(value)
            if isinstance(value, dict):
                return {key: apply(item) for key, item in value.items()}
            return value

        return replace(self, **{f.name: apply(getattr(self, f.name)) for f in fields(self)})

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """Return the batch on another device."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """Return the batch in page-locked memory, for an asynchronous copy to a GPU."""
        return self.map(Tensor.pin_memory)

    def to_pyg(self) -> "Batch":
        """Return the same graphs as a `torch_geometric.data.Batch`, from which `from_pyg` gives this batch back.

        ``x`` holds the node codes and ``edge_attr`` the bond codes of each edge; what PyG has no name for comes under
        names of its own. Labels and sample weights belong to datasets, not to graphs, and stay behind.
        """
        from torch_geometric.data import Batch, Data

        nodes, edges, bonds = self.node_ptr.tolist(), self.edge_ptr.tolist(), self.bond_ptr.tolist()
        datasets = [name for name, (first, last) in self.datasets.items() for _ in range(first, last)]
        graphs = []
        for g, dataset in enumerate(datasets):
            node, edge, bond = (slice(ptr[g], ptr[g + 1]) for ptr in (nodes, edges, bonds))
            data = Data(
                x=self.node_codes[node],
                edge_index=self.edge_index[:, edge] - nodes[g],
                edge_attr=self.bond_codes[self.edge_bond[edge]],
                bond_codes=self.bond_codes[bond],
                edge_bond=self.edge_bond[edge] - bonds[g],
                edge_reverse=self.edge_reverse[edge] - edges[g],
                row=self.rows[g : g + 1],
                dataset=dataset,
                num_nodes=nodes[g + 1] - nodes[g],
            )
            for part, values in self.encodings.items():
                data[_PYG_ENCODING + part] = values[node] if part_level(part) == "node" else values[g : g + 1]
            if self.coordinates is not None:
                data.pos = self.coordinates[node]
            graphs.append(data)
        return Batch.from_data_list(graphs)

    @classmethod
    def from_pyg(cls, batch: "Batch") -> Self:
        """Return the batch that `to_pyg` was called on, without labels and weights.

        Raises:
            MolfoundError: an attribute is missing because the batch does not come from `to_pyg`.
        """
        graphs = batch.to_data_list()
        for name in ("x", "edge_index", "bond_codes", "edge_bond", "edge_reverse", "row", "dataset"):
            if name not in graphs[0]:
                raise MolfoundError(
                    f"this PyG batch has no '{name}': only a batch made by GraphBatch.to_pyg can be read"
                )
        node_ptr = _offsets([data.num_nodes for data in graphs])
        edge_ptr = _offsets([data.edge_index.shape[1] for data in graphs])
        bond_ptr = _offsets([data.bond_codes.shape[0] for data in graphs])
        names = [data.dataset for data in graphs]
        return cls(
            node_codes=torch.cat([data.x for data in graphs]),
            bond_codes=torch.cat([data.bond_codes for data in graphs]),
            edge_index=torch.cat([data.edge_index + node_ptr[g] for g, data in enumerate(graphs)], dim=1),
            edge_bond=torch.cat([data.edge_bond + bond_ptr[g] for g, data in enumerate(graphs)]),
            edge_reverse=torch.cat([data.edge_reverse + edge_ptr[g] for g, data in enumerate(graphs)]),
            node_ptr=node_ptr,
            edge_ptr=edge_ptr,
            bond_ptr=bond_ptr,
            node_graph=torch.repeat_interleave(node_ptr.diff()),
            rows=torch.cat([data.row for data in graphs]),
            datasets={name: (names.index(name), len(names) - names[::-1].index(name)) for name in dict.fromkeys(names)},
            encodings={
                key.removeprefix(_PYG_ENCODING): torch.cat([data[key] for data in graphs])
                for key in graphs[0].keys()  # noqa: SIM118 - a Data iterates over pairs
                if key.startswith(_PYG_ENCODING)
            },
            coordinates=torch.cat([data.pos for data in graphs]) if "pos" in graphs[0] else None,
        )


_PYG_ENCODING = "encoding:"


def part_level(part: str) -> str:
    """Return the level of an encoding's part: ``"node"`` for ``"laplacian.magnitudes"``."""
    return part_levels(part.split(".", 1)[0])[part]


def _offsets(counts: list[int]) -> Tensor:
    return torch.tensor([0, *counts]).cumsum(0)
