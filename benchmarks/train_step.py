"""A training step of the ToyMix GINE, its batch included, against a plain PyG model fed by PyG's DataLoader.

Both have the same weights to begin with, the same architecture, encodings, loss and optimiser (fused AdamW), and are
checked to predict the same. Each step makes its batch, goes forward and backward, and updates the weights.
"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from measuring import alternate, arguments, report
from plain_pyg import PlainGINE, as_data, masked_losses
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader

from molfound.chem.graphs import featurize_smiles
from molfound.config import load_config
from molfound.data.arrays import GraphArrays, LabelArrays
from molfound.data.collection import GraphCollection
from molfound.data.loader import training_batches
from molfound.data.sampler import BatchLimits, MixtureSampler, Pool
from molfound.encodings import compute_encoding
from molfound.model import MolecularModel, count_parameters, specify
from molfound.tasks.resolve import make_task
from molfound.training.objective import task_losses, task_sums
from molfound.training.optimization import make_optimizer
from molfound.training.weighting import TaskWeighting, WeighedTask, make_weighting

BAR, LOADER_BAR = 1.3, 0.05
FILES = {"qm9": "qm9.csv.gz", "tox21": "Tox21-7k-12-labels.csv.gz", "zinc12k": "ZINC12k.csv.gz"}
EXPERIMENT = load_config("toymix/gine")


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "", molecules=6000, batch=EXPERIMENT.data.batch.size, rounds=40)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    arrays = mixture(options.data / "toymix", options.molecules)
    collection = GraphCollection(arrays, {name: name for name in arrays})
    tasks = {
        name: make_task(
            name,
            name,
            "graph",
            "binary" if name == "tox21" else "regression",
            part.labels[name].names,
            head=EXPERIMENT.tasks[name].head,
        )
        for name, part in arrays.items()
    }
    specification = specify(EXPERIMENT, tasks)
    model = MolecularModel(specification)
    encoder = EXPERIMENT.model.encoder.options
    plain = PlainGINE(
        [feature.size for feature in specification.atoms],
        [feature.size for feature in specification.bonds],
        tasks,
        depth=encoder["depth"],
        width=encoder["width"],
        input_width=EXPERIMENT.model.inputs.width,
        steps=EXPERIMENT.encodings["random_walk"]["steps"],
    )
    plain.load_from(model)
    data = [as_data(collection.batch([position]), rows(collection, position)) for position in range(len(collection))]
    check_equal(model, plain, collection, data)

    limits = BatchLimits(options.batch)
    ours, theirs = (
        Molfound(model, collection, limits),
        Plain(plain, DataLoader(data, options.batch, shuffle=True, drop_last=True)),
    )
    seconds = alternate({"molfound": ours.step, "plain": theirs.step}, options.rounds)
    parts = {name: float(np.median(values)) for name, values in ours.parts.items()}
    ratio, share = seconds["plain"] / seconds["molfound"], parts["batch"] / sum(parts.values())
    report(
        ratio,
        BAR,
        met=ratio >= BAR and share <= LOADER_BAR,
        loader_share=share,
        loader_bar=LOADER_BAR,
        molfound_ms=1000 * seconds["molfound"],
        plain_ms=1000 * seconds["plain"],
        molecules_per_s=options.batch / seconds["molfound"],
        batch=options.batch,
        parameters=count_parameters(specification)["total"],
        **{f"molfound_{name}_ms": 1000 * value for name, value in parts.items()},
        **{f"plain_{name}_ms": 1000 * float(np.median(values)) for name, values in theirs.parts.items()},
    )


class Timed:
    """Times the parts of a step.

    Attributes:
        parts: the seconds of each part, step by step.
    """

    def __init__(self) -> None:
        self.parts: dict[str, list[float]] = {}
        self._last = 0.0

    def start(self) -> None:
        """Begin a step."""
        self._last = time.perf_counter()

    def lap(self, part: str) -> None:
        """Note that a part of the step has ended."""
        now = time.perf_counter()
        self.parts.setdefault(part, []).append(now - self._last)
        self._last = now


class Molfound(Timed):
    """Training steps of molfound."""

    def __init__(self, model: MolecularModel, collection: GraphCollection, limits: BatchLimits) -> None:
        super().__init__()
        self.model, self.optimizer = model.train(), make_optimizer(model.parameters(), EXPERIMENT.training.optimizer)
        nodes, edges = (ptr.diff().numpy() for ptr in (collection.node_ptr, collection.edge_ptr))
        pools = {name: Pool(np.arange(*span)) for name, span in collection.ranges.items()}
        self.sampler = MixtureSampler(pools, limits, nodes, edges, seed=0)
        self.weighting = weighting_of(model)
        self.collection, self.size = collection, limits.graphs
        self.batches = self._batches()

    def _batches(self) -> Iterator[Any]:
        epoch = 0
        while True:
            yield from (b for b in training_batches(self.collection, self.sampler, epoch) if b.num_graphs == self.size)
            epoch += 1

    def step(self) -> None:
        """Take one step."""
        self.start()
        batch = next(self.batches)
        self.lap("batch")
        loss = self.weighting(task_losses(self.model, task_sums(self.model, self.model(batch), batch)))
        self.lap("forward")
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.lap("backward")
        self.optimizer.step()
        self.lap("optimizer")


class Plain(Timed):
    """Training steps of plain PyG."""

    def __init__(self, model: PlainGINE, loader: DataLoader) -> None:
        super().__init__()
        self.model, self.optimizer = model.train(), make_optimizer(model.parameters(), EXPERIMENT.training.optimizer)
        self.batches = self._batches(loader)

    def _batches(self, loader: DataLoader) -> Iterator[Any]:
        while True:
            yield from loader

    def step(self) -> None:
        """Take one step."""
        self.start()
        batch = next(self.batches)
        self.lap("batch")
        loss = masked_losses(self.model(batch), batch)
        self.lap("forward")
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.lap("backward")
        self.optimizer.step()
        self.lap("optimizer")


def mixture(folder: Any, molecules: int) -> dict[str, GraphArrays]:
    """Return a sample of the three datasets, in proportion to their sizes, with standardised regression labels."""
    tables = {name: pd.read_csv(folder / file) for name, file in FILES.items()}
    share = molecules / sum(len(table) for table in tables.values())
    features, arrays = EXPERIMENT.features, {}
    for name, table in tables.items():
        sample = table.sample(frac=share, random_state=0).sort_index()
        smiles = sample.pop("smiles").tolist()
        values = sample.select_dtypes("number")
        values = values if name == "tox21" else (values - values.mean()) / values.std()
        block, kept, _ = featurize_smiles(smiles, features.atoms, features.bonds)
        encodings: dict[str, np.ndarray] = {}
        for encoding, given in EXPERIMENT.encodings.items():
            encodings |= compute_encoding(encoding, block, given)
        labels = {name: sparse(values.to_numpy(np.float32)[kept], tuple(values.columns))}
        arrays[name] = GraphArrays(block, kept, pa.array([smiles[i] for i in kept]), encodings, labels)
    return arrays


def sparse(values: np.ndarray, names: tuple[str, ...]) -> LabelArrays:
    """Return the labels that are there."""
    row, label = np.nonzero(~np.isnan(values))
    ptr = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=len(values)))))
    return LabelArrays("graph", names, ptr, label.astype(np.int32), values[row, label])


def rows(collection: GraphCollection, position: int) -> dict[str, torch.Tensor]:
    """Return the labels of a molecule for all tasks, NaN for those of other datasets."""
    labels = collection.batch([position]).labels
    return {
        task: labels.get(task, torch.full((1, len(arrays.names)), float("nan")))
        for task, arrays in collection.labels.items()
    }


def weighting_of(model: MolecularModel) -> TaskWeighting:
    """Return the weighting of the tasks as given."""
    tasks = {name: WeighedTask(task.kind, task.weight, labels=0) for name, task in model.tasks.items()}
    return make_weighting(EXPERIMENT.training.task_weights, tasks, {})


def check_equal(model: MolecularModel, plain: PlainGINE, collection: GraphCollection, data: list[Data]) -> None:
    """Raise unless both models predict and lose the same on the same molecules."""
    positions = range(0, len(data), 20)
    batch, theirs = collection.batch(positions), Batch.from_data_list([data[position] for position in positions])
    model.eval(), plain.eval()
    with torch.no_grad():
        predictions, expected = model(batch), plain(theirs)
        for task, values in predictions.items():
            torch.testing.assert_close(values, expected[task][slice(*batch.datasets[task])], atol=1e-4, rtol=1e-4)
        loss = weighting_of(model)(task_losses(model, task_sums(model, predictions, batch)))
        torch.testing.assert_close(loss, masked_losses(expected, theirs), atol=1e-4, rtol=1e-4)


if __name__ == "__main__":
    main()
