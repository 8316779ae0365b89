"""Random-access batches of 512 against `torch_geometric.data.Batch.from_data_list` on identical tensors."""

import gzip

import numpy as np
import pyarrow as pa
import torch
from measuring import alternate, arguments, report
from torch_geometric.data import Batch, Data

from molfound.chem.graphs import featurize_smiles
from molfound.config.schema import FeaturesConfig
from molfound.data.arrays import GraphArrays
from molfound.data.batch import part_level
from molfound.data.collection import GraphCollection
from molfound.encodings import compute_encoding

BAR = 8.0
SIZE = 512


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "", molecules=5000, rounds=60)
    torch.set_num_threads(1)
    with gzip.open(options.data / "smiles" / "zinc250k_test.smi.gz", "rt") as file:
        smiles = [line.strip() for line in file][: options.molecules]
    features = FeaturesConfig()
    block, kept, _ = featurize_smiles(smiles, features.atoms, features.bonds)
    encodings = compute_encoding("laplacian", block, {"pairs": 8}) | compute_encoding(
        "random_walk", block, {"steps": 16}
    )
    accepted = pa.array([smiles[i] for i in kept])
    collection = GraphCollection({"zinc": GraphArrays(block, kept, accepted, encodings)})
    data = [as_data(collection, position) for position in range(len(collection))]

    random = np.random.default_rng(0)

    def positions() -> np.ndarray:
        return random.choice(len(collection), SIZE, replace=False)

    check_equal(collection, data, positions())
    seconds = alternate(
        {
            "molfound": lambda: collection.batch(positions()),
            "pyg": lambda: Batch.from_data_list([data[i] for i in positions()]),
        },
        options.rounds,
    )
    report(
        seconds["pyg"] / seconds["molfound"],
        BAR,
        molfound_graphs_per_s=SIZE / seconds["molfound"],
        pyg_graphs_per_s=SIZE / seconds["pyg"],
        batch=SIZE,
        tensors_equal=True,
    )


def as_data(collection: GraphCollection, position: int) -> Data:
    """Return a molecule as PyG holds it: the same codes, bonds and encodings."""
    single = collection.batch([position])
    parts = {part.replace(".", "_"): values for part, values in single.encodings.items()}
    return Data(
        x=single.node_codes,
        edge_index=single.edge_index,
        edge_attr=single.bond_codes[single.edge_bond],
        row=single.rows,
        **parts,
    )


def check_equal(collection: GraphCollection, data: list[Data], positions: np.ndarray) -> None:
    """Raise unless both ways give the same tensors."""
    ours, theirs = collection.batch(positions), Batch.from_data_list([data[i] for i in np.sort(positions)])
    pairs = [
        (ours.node_codes, theirs.x),
        (ours.edge_index, theirs.edge_index),
        (ours.bond_codes[ours.edge_bond], theirs.edge_attr),
        (ours.node_graph, theirs.batch),
        (ours.node_ptr, theirs.ptr),
        (ours.rows, theirs.row),
        *((values, theirs[part.replace(".", "_")]) for part, values in ours.encodings.items()),
    ]
    assert {part_level(part) for part in ours.encodings} == {"node", "graph"}
    for mine, other in pairs:
        if not torch.equal(mine.nan_to_num(-1), other.nan_to_num(-1)):
            raise AssertionError("the batches differ")


if __name__ == "__main__":
    main()
