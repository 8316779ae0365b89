"""A training step with thousands of sparse labels against the same step with ten, for a GINE of LargeMix's size.

Both take the same molecules in turn, on one thread; 11 % of the labels are present, at random. Many: 1,328 binary
labels, 978 of five classes in order and 25 numbers, each of the three tasks on every molecule, which is more than any
batch of LargeMix itself asks for. Few: ten binary labels. A step makes its batch, goes forward and backward, and
updates the weights. The same with the ToyMix network, thirty times smaller, says how much the labels themselves cost.
"""

import gzip
import time
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import torch
from measuring import arguments, report

from molfound.chem.graphs import featurize_smiles
from molfound.config import Component, Experiment, load_config
from molfound.data.arrays import GraphArrays, LabelArrays
from molfound.data.collection import GraphCollection
from molfound.encodings import compute_encoding
from molfound.model import MolecularModel, count_parameters, specify
from molfound.tasks.resolve import make_task
from molfound.tasks.task import Task
from molfound.training.objective import task_losses, task_sums
from molfound.training.optimization import make_optimizer
from molfound.training.weighting import WeighedTask, make_weighting

BAR = 1.5
DENSITY = 0.11
CLASSES = 5
HEAD = Component("mlp", {"hidden": [128]})
PARTS = ("batch", "forward", "loss", "backward", "optimizer")
NETWORKS: dict[str, list[str]] = {"largemix": ["model.encoder.width=768"], "toymix": []}
# At the experiment's own rate and without its warm-up the wide network diverges, and numbers near 0 slow a CPU down.
RATE = "training.optimizer.lr=1e-5"


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "", molecules=2000, batch=200, rounds=8)
    torch.set_num_threads(1)
    with gzip.open(options.data / "smiles" / "zinc250k_test.smi.gz", "rt") as file:
        smiles = [line.strip() for line in file][: options.molecules]
    many = [
        make_task("assays", "zinc", "graph", "binary", names("assay", 1328), head=HEAD),
        make_task(
            "genes",
            *("zinc", "graph", "multiclass", names("gene", 978)),
            classes=CLASSES,
            head=HEAD,
            loss=Component("hybrid_cross_entropy"),
        ),
        make_task("energies", "zinc", "graph", "regression", names("energy", 25), head=HEAD),
    ]
    few = [make_task("assays", "zinc", "graph", "binary", names("assay", 10), head=HEAD)]
    figures: dict[str, float] = {}
    for network, overrides in NETWORKS.items():
        experiment = load_config("toymix/gine", [*overrides, RATE])
        steps = {
            name: Steps(experiment, tasks, smiles, options.batch) for name, tasks in (("many", many), ("few", few))
        }
        for _ in range(options.rounds + 1):
            for subject in steps.values():
                subject.step()
        seconds = {name: subject.seconds() for name, subject in steps.items()}
        many_s, few_s = (sum(seconds[name].values()) for name in ("many", "few"))
        figures[f"{network}_ratio"] = float(np.median(many_s / few_s))
        for name, subject in steps.items():
            figures[f"{network}_{name}_parameters"] = subject.parameters
            figures |= {
                f"{network}_{name}_{part}_ms": 1000 * float(np.median(taken)) for part, taken in seconds[name].items()
            }
    ratio = figures.pop("largemix_ratio")
    report(ratio, BAR, "lower", met=ratio <= BAR, batch=options.batch, **figures)


class Steps:
    """Training steps of one model, in seconds of CPU time.

    Attributes:
        parameters: of the model.
    """

    def __init__(self, experiment: Experiment, tasks: Sequence[Task], smiles: Sequence[str], size: int) -> None:
        torch.manual_seed(0)
        specification = specify(experiment, {task.name: task for task in tasks})
        self.parameters = count_parameters(specification)["total"]
        self.model = MolecularModel(specification).train()
        weighed = {task.name: WeighedTask(task.kind, task.weight, labels=0) for task in tasks}
        self.weighting = make_weighting(experiment.training.task_weights, weighed, {})
        self.optimizer = make_optimizer(self.model.parameters(), experiment.training.optimizer)
        self.clip = experiment.training.clip or float("inf")
        self.collection = labelled(experiment, tasks, smiles)
        self.random, self.size = np.random.default_rng(0), size
        self._clocks: list[list[float]] = []

    def step(self) -> None:
        """Take one step."""
        clock = [time.process_time()]
        batch = self.collection.batch(self.random.choice(len(self.collection), self.size, replace=False))
        clock.append(time.process_time())
        predictions = self.model(batch)
        clock.append(time.process_time())
        loss = self.weighting(task_losses(self.model, task_sums(self.model, predictions, batch)))
        clock.append(time.process_time())
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        clock.append(time.process_time())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        clock.append(time.process_time())
        self._clocks.append(clock)

    def seconds(self) -> dict[str, np.ndarray]:
        """Return what each part took in every step but the first."""
        taken = np.diff(self._clocks[1:], axis=1)
        return dict(zip(PARTS, taken.T, strict=True))


def labelled(experiment: Experiment, tasks: Sequence[Task], smiles: Sequence[str]) -> GraphCollection:
    """Return the molecules with random labels of these tasks, as sparse pairs."""
    block, kept, _ = featurize_smiles(smiles, experiment.features.atoms, experiment.features.bonds)
    encodings: dict[str, np.ndarray] = {}
    for name, given in experiment.encodings.items():
        encodings |= compute_encoding(name, block, given)
    random = np.random.default_rng(1)
    labels = {task.name: random_labels(task, len(kept), random) for task in tasks}
    arrays = GraphArrays(block, kept, pa.array([smiles[row] for row in kept]), encodings, labels)
    return GraphCollection({"zinc": arrays}, {task.name: "zinc" for task in tasks})


def random_labels(task: Task, molecules: int, random: np.random.Generator) -> LabelArrays:
    """Return labels of which a share of `DENSITY` is present."""
    row, label = np.nonzero(random.random((molecules, len(task.labels))) < DENSITY)
    drawn = {
        "regression": random.normal(size=len(row)),
        "binary": random.random(len(row)) < 0.3,
        "multiclass": random.integers(0, CLASSES, len(row)),
    }[task.kind]
    ptr = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=molecules))))
    return LabelArrays("graph", task.labels, ptr, label.astype(np.int32), drawn.astype(np.float32))


def names(stem: str, count: int) -> list[str]:
    """Return the names of labels."""
    return [f"{stem}_{number}" for number in range(count)]


if __name__ == "__main__":
    main()
