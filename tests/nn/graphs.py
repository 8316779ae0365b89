"""Random graphs that look like molecules, built by hand, so that these tests need neither RDKit nor a store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from molfound.config.component import Component
from molfound.data.batch import GraphBatch
from molfound.nn.encoder_inputs import EncoderInputs, FeatureVocabulary
from molfound.nn.encoding_encoders import EncodingPart

ATOMS = (
    FeatureVocabulary("atomic_number", (6, 7, 8, 9, 15, 16, 17, 35), 1),
    FeatureVocabulary("charge", (-1, 0, 1), 1),
    FeatureVocabulary("degree", (0, 1, 2, 3, 4), 1),
    FeatureVocabulary("chirality", ("none", "R", "S"), 1),
    FeatureVocabulary("total_degree", (1, 2, 3, 4), 1),
    FeatureVocabulary("hydrogens", (0, 1, 2, 3), 1),
    FeatureVocabulary("radicals", (0, 1), 1),
    FeatureVocabulary("hybridization", ("S", "SP", "SP2", "SP3"), 1),
    FeatureVocabulary("aromatic", (0, 1), 1),
    FeatureVocabulary("in_ring", (0, 1), 1),
)
BONDS = (
    FeatureVocabulary("bond_type", ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC"), 1),
    FeatureVocabulary("bond_in_ring", (0, 1), 1),
    FeatureVocabulary("stereo", ("STEREONONE", "STEREOE"), 1),
    FeatureVocabulary("conjugated", (0, 1), 1),
)
ATOM_SIZES = tuple(feature.size for feature in ATOMS)
BOND_SIZES = tuple(feature.size for feature in BONDS)
PAIRS, STEPS = 4, 6
ENCODINGS = {
    "laplacian": {"magnitudes": EncodingPart("node", PAIRS), "eigenvalues": EncodingPart("graph", PAIRS)},
    "random_walk": {"probabilities": EncodingPart("node", STEPS)},
}
ENCODERS = {
    "laplacian": Component("deepset", {"width": 8}),
    "random_walk": Component("mlp", {"width": 8}),
}


@dataclass(frozen=True)
class Graph:
    """One graph: node codes, bonds as node pairs, bond codes, and the parts of its encodings."""

    codes: np.ndarray
    bonds: np.ndarray
    bond_codes: np.ndarray
    parts: dict[str, np.ndarray]

    def permuted(self, order: np.ndarray) -> "Graph":
        """Return the graph whose node i is this graph's node order[i]; bonds get another order and direction too."""
        place = np.argsort(order)
        node_parts = {
            name: values[order] if values.shape[0] == len(order) and not name.endswith("eigenvalues") else values
            for name, values in self.parts.items()
        }
        return Graph(self.codes[order], place[self.bonds][::-1, ::-1], self.bond_codes[::-1], node_parts)


def random_graph(rng: np.random.Generator, nodes: int) -> Graph:
    bonds = [(int(rng.integers(max(0, i - 3), i)), i) for i in range(1, nodes)]
    if nodes > 4:
        bonds.append((0, nodes - 1)) if (0, nodes - 1) not in bonds else None
    codes = np.stack([rng.integers(0, size, nodes) for size in ATOM_SIZES], 1)
    bond_codes = np.stack([rng.integers(0, size, len(bonds)) for size in BOND_SIZES], 1)
    magnitudes, eigenvalues = rng.random((nodes, PAIRS)), rng.random((1, PAIRS))
    magnitudes[:, nodes:] = np.nan
    eigenvalues[:, nodes:] = np.nan
    parts = {
        "laplacian.magnitudes": magnitudes,
        "laplacian.eigenvalues": eigenvalues,
        "random_walk.probabilities": rng.random((nodes, STEPS)),
    }
    return Graph(codes, np.array(bonds, dtype=np.int64).reshape(-1, 2), bond_codes, parts)


def collate(graphs: Sequence[Graph], datasets: dict[str, tuple[int, int]] | None = None) -> GraphBatch:
    """Return the batch of the graphs, made edge by edge from the contract's words."""
    sources, targets, edge_bond, reverse = [], [], [], []
    node_ptr, edge_ptr, bond_ptr = [0], [0], [0]
    for graph in graphs:
        edges = sorted(
            (int(target), int(source), bond)
            for bond, (a, b) in enumerate(graph.bonds)
            for source, target in ((a, b), (b, a))
        )
        place = {(source, target): number for number, (target, source, _) in enumerate(edges)}
        for target, source, bond in edges:
            sources.append(node_ptr[-1] + source)
            targets.append(node_ptr[-1] + target)
            edge_bond.append(bond_ptr[-1] + bond)
            reverse.append(edge_ptr[-1] + place[target, source])
        node_ptr.append(node_ptr[-1] + len(graph.codes))
        edge_ptr.append(edge_ptr[-1] + len(edges))
        bond_ptr.append(bond_ptr[-1] + len(graph.bonds))
    names = graphs[0].parts
    return GraphBatch(
        node_codes=torch.from_numpy(np.concatenate([graph.codes for graph in graphs]).astype(np.uint8)),
        bond_codes=torch.from_numpy(np.concatenate([graph.bond_codes for graph in graphs]).astype(np.uint8)),
        edge_index=torch.tensor([sources, targets], dtype=torch.int64),
        edge_bond=torch.tensor(edge_bond, dtype=torch.int64),
        edge_reverse=torch.tensor(reverse, dtype=torch.int64),
        node_ptr=torch.tensor(node_ptr),
        edge_ptr=torch.tensor(edge_ptr),
        bond_ptr=torch.tensor(bond_ptr),
        node_graph=torch.tensor([g for g, graph in enumerate(graphs) for _ in graph.codes]),
        rows=torch.arange(len(graphs)),
        datasets=datasets or {"all": (0, len(graphs))},
        encodings={name: torch.from_numpy(np.concatenate([g.parts[name] for g in graphs])).float() for name in names},
    )


def no_molecule(batch: GraphBatch) -> GraphBatch:
    """Return what is left of a batch without its molecules."""
    return replace(
        batch,
        **{name: getattr(batch, name)[:0] for name in ("node_codes", "bond_codes", "edge_bond", "edge_reverse")},
        **{name: getattr(batch, name)[:1] for name in ("node_ptr", "edge_ptr", "bond_ptr")},
        **{name: getattr(batch, name)[:0] for name in ("node_graph", "rows")},
        edge_index=batch.edge_index[:, :0],
        encodings={name: values[:0] for name, values in batch.encodings.items()},
        datasets={},
        largest=0,
    )


def encoder_inputs(width: int = 16, encoders: Mapping[str, Component] = ENCODERS) -> EncoderInputs:
    """Return what an encoder is told of these graphs."""
    return EncoderInputs(ATOMS, BONDS, ENCODINGS, encoders, width=width)


def sample_graphs() -> list[Graph]:
    """Return graphs of several sizes, those of one and of two atoms among them."""
    rng = np.random.default_rng(0)
    return [random_graph(rng, nodes) for nodes in (7, 1, 12, 2, 5, 9)]
