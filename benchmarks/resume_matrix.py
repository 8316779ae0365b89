"""Trainings stopped at every kind of moment and resumed on as many or other processes: no sample lost or repeated.

A mixture of two real datasets (the first rows of ZINC12k and Tox21), in memory and read block by block, is trained by
one, two or four processes, stopped, and resumed by one, two or four. A plugin (`logged_samples.py`) writes down the
molecules that each process is given in every training pass and stops the training at a given one, by kill -9 or
Ctrl-C. What the processes are given together must be, step by step, what an uninterrupted training by one process is
given: of every epoch each training molecule once. The weights and figures at the end must be, bit by bit, those of an
uninterrupted training by as many processes, with dropout; where the number of processes changes, those of one process
without dropout, within rounding. There is no axis of loader workers: molfound has none, a thread reads the next window
ahead. Processes are forked from one that has imported everything and find each other by torchrun's variables. Linux.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, product
from multiprocessing.connection import wait as wait_for_any
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from kill_training import same_run
from measuring import report
from safetensors.torch import load_file

from molfound.config import load_config
from molfound.training.checkpoint import load_checkpoint
from molfound.training.launch import free_port
from molfound.training.recorder import TrainingInterruptedError
from molfound.training.run_folder import RunFolder
from molfound.training.train import resume, train

BAR = 1.0
COUNTS = (1, 2, 4)
# So many that the last batch of an epoch leaves some of four processes without any.
DATASETS = {"zinc12k": ("ZINC12k.csv.gz", 200), "tox21": ("Tox21-7k-12-labels.csv.gz", 153)}
EPOCHS, CHECKPOINT_STEPS = 3, 4
# In GiB: all of both datasets; a few blocks of either.
MEMORY = {"in memory": 8.0, "streamed": 2e-4}
DROPOUT = 0.1
# Largest difference between runs by different numbers of processes: of a weight, and of a figure as a share of it.
WEIGHTS, FIGURES = 1e-5, 1e-3
KILLED, INTERRUPTED = -9, 130
SECONDS = 300  # for a training that is not stopped

Samples = list[tuple[str, int]]


def main() -> None:
    """Stop, resume and compare in every cell of the matrix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MOLFOUND_DATA"), help="folder of the real data")
    parser.add_argument("--cells", default="", help="only cells whose name contains this")
    options = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        matrix = Matrix(Path(name))
        write_data(options.data, matrix.folder)
        cells = [cell for cell in matrix.cells() if options.cells in cell.name]
        if not cells:
            parser.error(f"no cell's name contains '{options.cells}', as this one's does: {matrix.cells()[0].name}")
        wrong, differences = [], []
        for cell in cells:
            faults, difference = matrix.faults(cell)
            differences.append(difference)
            wrong += [f"{cell.name}: {fault}" for fault in faults[:1]]
            print(f"{time.perf_counter() - started:6.0f} s  {cell.name}: {', '.join(faults) or 'right'}", flush=True)
    report(
        1 - len(wrong) / len(cells),
        BAR,
        cells=len(cells),
        steps=matrix.steps,
        largest_difference_of_weights=max(differences),
        wrong=wrong,
        seconds=time.perf_counter() - started,
    )
    raise SystemExit(bool(wrong))


@dataclass(frozen=True)
class Cell:
    """A training that is stopped and resumed.

    Attributes:
        memory: a key of `MEMORY`.
        counts: how many processes there are at each start.
        place: where it is stopped.
        stops: what stops each start but the last, as SAMPLES_STOP says it.
    """

    memory: str
    counts: tuple[int, ...]
    place: str
    stops: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is."""
        return f"{self.memory}, {' to '.join(map(str, self.counts))} processes, {self.place}"


class Matrix:
    """The cells and the uninterrupted trainings that they are compared with.

    Args:
        folder: of everything that is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._orders: dict[str, list[Samples]] = {}

    @property
    def steps(self) -> dict[str, int]:
        """Of a whole training."""
        return {memory: len(order) for memory, order in self._orders.items()}

    def cells(self) -> list[Cell]:
        """Return the cells: in every place every count is stopped and resumes, in six of the nine pairs of counts."""
        cells = []
        for memory in MEMORY:
            for number, (place, stops) in enumerate(places(epoch_ends(self.order(memory))).items()):
                for (i, first), (j, then) in product(enumerate(COUNTS), repeat=2):
                    if (number + i + j) % len(COUNTS):
                        counts = (first, then, first) if len(stops) == 2 else (first, then)
                        cells.append(Cell(memory, counts, place, stops))
        return cells

    def order(self, memory: str) -> list[Samples]:
        """Return the samples of every step of an uninterrupted training by one process.

        Raises:
            SystemExit: not every training molecule is in every epoch once.
        """
        if memory not in self._orders:
            self.whole(memory, 1, 0.0)
            log = self.folder / run_name(memory, 1, 0.0) / "log"
            lines = (log / "0.jsonl").read_text().splitlines()
            order = [sorted((name, row) for name, row in json.loads(line)) for line in lines]
            wanted = sorted((name, row) for name in DATASETS for row in training_rows(self.folder, name))
            ends = epoch_ends(order)
            epochs = [sorted(chain.from_iterable(order[a:b])) for a, b in zip([0, *ends], ends, strict=False)]
            if epochs != [wanted] * EPOCHS:
                raise SystemExit(f"an uninterrupted training {memory} does not meet every molecule once per epoch")
            self._orders[memory] = order
        return self._orders[memory]

    def whole(self, memory: str, count: int, dropout: float) -> Path:
        """Return the run of an uninterrupted training.

        Raises:
            SystemExit: it failed.
        """
        place = self.folder / run_name(memory, count, dropout)
        if not place.exists():
            code = self.trained(place / "run", place / "log", memory, count, dropout)
            if code:
                raise SystemExit(f"an uninterrupted training ended with {code}: {told(place / 'log')}")
        return place / "run"

    def trained(self, run: Path, log: Path, memory: str, count: int, dropout: float, stop: str | None = None) -> int:
        """Begin a training or go on with it, and return the exit status of the first process."""
        log.mkdir(parents=True)
        overrides = [
            f"run.folder={run}",
            f"data.memory={MEMORY[memory]}",
            f"model.inputs.dropout={dropout}",
            f"model.encoder.dropout={dropout}",
        ]
        environment = {"SAMPLES_LOG": str(log)} | ({} if stop is None else {"SAMPLES_STOP": stop})
        if count > 1:
            places = {"WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": free_port()}
            environment |= {name: str(value) for name, value in places.items()} | {"MASTER_ADDR": "127.0.0.1"}
        arguments = (count, environment, log, self.folder / "matrix.yaml", overrides, run)
        fork = multiprocessing.get_context("fork")
        return together([fork.Process(target=work, args=(rank, *arguments)) for rank in range(count)])

    def faults(self, cell: Cell) -> tuple[list[str], float]:
        """Return what is wrong with a cell, and the largest difference of a weight."""
        place, order = self.folder / cell.name, self.order(cell.memory)
        run, kept, same = RunFolder(place / "run"), [], len(set(cell.counts)) == 1
        dropout = DROPOUT if same else 0.0
        faults = []
        for number, (count, stop) in enumerate(zip(cell.counts, [*cell.stops, None], strict=True)):
            first, log = steps_taken(run), place / f"log{number}"
            code = self.trained(run.path, log, cell.memory, count, dropout, stop)
            wanted = 0 if stop is None else KILLED if stop.startswith("SIGKILL") else INTERRUPTED
            if code != wanted:
                return [f"start {number + 1} ended with {code} instead of {wanted}: {told(log)}"], float("nan")
            seen, last = joined(log, count, order[first:]), steps_taken(run)
            if wanted == INTERRUPTED and len(seen) != last - first:
                faults.append(f"{len(seen)} steps before Ctrl-C, but a checkpoint of {last - first}")
            kept += seen[: last - first]
        if kept != order:
            differing = [step for step, (a, b) in enumerate(zip(kept, order, strict=False)) if a != b]
            faults.append(f"{len(kept)} of {len(order)} steps, those with other samples: {differing[:5]}")
        compared = RunFolder(self.whole(cell.memory, cell.counts[0] if same else 1, dropout))
        if same and not same_run(compared.path, run.path):
            faults.append("other bits at the end")
        difference = largest_difference(load_file(compared.model), load_file(run.model))
        if difference > WEIGHTS or not np.allclose(figures(compared), figures(run), rtol=FIGURES, equal_nan=True):
            faults.append(f"weights that differ by {difference:.2g}, or other figures")
        return faults, difference


def places(ends: Sequence[int]) -> dict[str, tuple[str, ...]]:
    """Return what stops the starts of a training in each place, given the steps taken at the end of each epoch."""
    first, second, _ = ends
    return {
        "before the first checkpoint": ("SIGKILL 3 train",),
        "after the first checkpoint": (f"SIGKILL {CHECKPOINT_STEPS + 1} train",),
        "in the middle": (f"SIGKILL {(first + second) // 2} train",),
        "in the last batch of an epoch": (f"SIGKILL {second} train",),
        "in its validation": (f"SIGKILL {second} val",),
        "at the boundary of epochs": (f"SIGKILL {second + 1} train",),
        "twice": (f"SIGKILL {first // 2} train", f"SIGKILL {first} train"),
        "by Ctrl-C": (f"SIGINT {(first + second) // 2} train",),
        "by Ctrl-C in the last batch of an epoch": (f"SIGINT {second} train",),
    }


def work(
    rank: int,
    count: int,
    environment: dict[str, str],
    log: Path,
    config: Path,
    overrides: Sequence[str],
    run: Path,
) -> None:
    """Be one of the processes of a training."""
    os.environ.update(environment)
    if count > 1:
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
    with (log / f"{rank}.told").open("w") as file:
        os.dup2(file.fileno(), 2)
        experiment = load_config(config, overrides)
        try:
            train(experiment) if not RunFolder(run).config.exists() else resume(run, experiment)
        except TrainingInterruptedError:
            raise SystemExit(INTERRUPTED) from None


def together(processes: Sequence[BaseProcess]) -> int:
    """Run processes to their end and return the first one's exit status; once one is killed, all are.

    Raises:
        SystemExit: they take too long.
    """
    for process in processes:
        process.start()
    deadline, killed = time.monotonic() + SECONDS, False
    while running := [process for process in processes if process.is_alive()]:
        wait_for_any([process.sentinel for process in running], timeout=1)
        killed = killed or any(process.exitcode == KILLED for process in processes)
        late = time.monotonic() > deadline
        if killed or late:
            for process in running:
                process.kill()
        if late:
            raise SystemExit(f"a training takes more than {SECONDS} s")
    # Of those that are left without another each has a failure of its own to tell.
    status = KILLED if killed else processes[0].exitcode
    assert status is not None
    return status


def joined(log: Path, count: int, order: Sequence[Samples]) -> list[Samples]:
    """Return what processes were given together in each step that all of them have begun.

    Args:
        log: of the processes.
        count: how many there are.
        order: of an uninterrupted training from their first step on. A process whose share of a short batch is empty
            reads nothing, which is all that is taken from here.
    """
    steps: list[Samples] = [[] for _ in order]
    begun = len(order)
    for rank in range(count):
        file = log / f"{rank}.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        own = [step for step, batch in enumerate(order) if len(batch) > rank]
        if len(lines) < len(own):
            begun = min(begun, own[len(lines)])
        for step, line in zip(own, lines, strict=False):
            steps[step] += [(name, row) for name, row in json.loads(line)]
    return [sorted(samples) for samples in steps[:begun]]


def epoch_ends(order: Sequence[Samples]) -> list[int]:
    """Return the steps taken at the end of each epoch, all epochs having as many samples."""
    taken = np.cumsum([len(samples) for samples in order])
    return [int(step) + 1 for step in np.searchsorted(taken, taken[-1] * np.arange(1, EPOCHS + 1) // EPOCHS)]


def run_name(memory: str, count: int, dropout: float) -> str:
    """Return the name of an uninterrupted training."""
    return f"whole, {memory}, {count}, {dropout}"


def steps_taken(run: RunFolder) -> int:
    """Return the optimiser steps of a run's last checkpoint."""
    return load_checkpoint(run.last_checkpoint)["progress"].step if run.last_checkpoint.exists() else 0


def largest_difference(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    """Return the largest absolute difference of two models' weights."""
    return max(float((tensor - second[name]).abs().max()) for name, tensor in first.items())


def figures(run: RunFolder) -> list[float]:
    """Return the figures of all epochs, NaN where one is undefined."""
    values = [json.loads(line)["value"] for line in run.metrics.read_text().splitlines()]
    return [float("nan") if value is None else value for value in values]


def told(log: Path) -> str:
    """Return the last line that each process has written."""
    return "; ".join((path.read_text().splitlines() or [""])[-1] for path in sorted(log.glob("*.told")))


def write_data(data: Path, folder: Path) -> None:
    """Write the first rows of each dataset, a manifest of each, and the experiment."""
    datasets, tasks = "", ""
    for name, (file, rows) in DATASETS.items():
        table = pd.read_csv(data / "toymix" / file, nrows=rows)
        labels = [column for column in table.columns if column != "smiles"]
        # Not the last rows, so that every block has molecules of every part.
        table["part"] = np.resize(["train"] * 8 + ["val", "test"], rows)
        table.to_csv(folder / f"{name}.csv", index=False)
        kind = "binary" if name == "tox21" else "regression"
        (folder / f"{name}.yaml").write_text(
            f"""name: {name}
title: the first rows of {name}
licence: as stated at the source
citation: see the manifest of toymix/{name}
source: {file}
smiles: smiles
files: [{{name: {name}.csv}}]
tasks: {{{name}: {{level: graph, kind: {kind}, labels: [{", ".join(labels)}]}}}}
splits: {{given: {{kind: column, column: part}}}}
"""
        )
        datasets += f"    {name}: {{manifest: {folder / name}.yaml}}\n"
        tasks += f"  {name}: {{dataset: {name}, head: linear}}\n"
    (folder / "matrix.yaml").write_text(
        f"""name: matrix
plugins: [{Path(__file__).parent / "logged_samples.py"}]
data:
  root: {folder}
  store: {folder / "stores"}
  processes: 1
  block_rows: 20
  batch: {{size: 20}}
  datasets:
{datasets}encodings: {{random_walk: {{steps: 4}}}}
model:
  inputs: {{width: 8, encodings: {{random_walk: {{name: mlp, width: 4}}}}}}
  encoder: {{name: gnn, layer: gine, depth: 2, width: 8}}
  readout: {{name: logged_pool, pooling: [sum]}}
tasks:
{tasks}training: {{epochs: {EPOCHS}, average: 0.9, threads: 1, checkpoint_steps: {CHECKPOINT_STEPS}, accelerator: cpu}}
run: {{baselines: []}}
"""
    )


def training_rows(folder: Path, name: str) -> list[int]:
    """Return the training rows of a dataset, by its table and what its preparation has rejected."""
    rejected = pd.read_parquet(folder / "stores" / name / "rejected.parquet")["row"].tolist()
    parts = pd.read_csv(folder / f"{name}.csv")["part"]
    return sorted(set(np.flatnonzero(parts == "train").tolist()) - set(rejected))


if __name__ == "__main__":
    main()
