"""Predictions and embeddings of a file of SMILES, written to Parquet, against featurizing and the network alone.

On one core the whole, input and output included, is to be at 0.85 of what featurizing (f molecules per second) and the
forward pass (m) leave possible: 1 / (1/f + 1/m). The network is that of toymix/gine.
"""

import argparse
import gzip
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import report

from molfound.config import load_config
from molfound.data.batch import GraphBatch
from molfound.data.collection import GraphCollection
from molfound.data.manifest import load_manifest
from molfound.inference import Predictor, load
from molfound.inference.files import write_results
from molfound.inference.molecules import BLOCK_ROWS, open_molecules
from molfound.model import MolecularModel, save_model, specify
from molfound.tasks.resolve import resolve_tasks

BAR = 0.85
BATCH = 512
FILES = ("zinc250k_train", "zinc250k_valid", "moses_test", "moses_test_scaffolds")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MOLFOUND_DATA"), help="folder of the real data")
    parser.add_argument("--molecules", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_untrained(folder)
        model = load(folder)
        figures = shares(model, folder, list(islice(smiles(options.data), options.molecules)), options.rounds)
    report(min(figures["predict_share"], figures["embed_share"]), BAR, met=None, **figures)


def shares(model: Predictor, folder: Path, texts: list[str], rounds: int) -> dict[str, Any]:
    """Return the rates of all parts, in molecules per second of the processor, and the shares of what is possible."""
    path = folder / "molecules.smi"
    path.write_text("\n".join(texts) + "\n")
    blocks = [texts[first : first + BLOCK_ROWS] for first in range(0, len(texts), BLOCK_ROWS)]
    batches = list(ready_batches(model, blocks))

    def predict() -> None:
        write_results(open_molecules([str(path)]), model.predictions(), folder / "out.parquet", shown=False)

    def embed() -> None:
        write_results(open_molecules([str(path)]), model.embeddings(), folder / "out.parquet", shown=False)

    def featurize() -> None:
        for block in blocks:
            model.featurize(block)

    @torch.no_grad()
    def forward() -> None:
        for batch in batches:
            model.model.predict(batch)

    subjects: dict[str, Callable[[], None]] = {
        "predict": predict,
        "embed": embed,
        "featurize": featurize,
        "forward": forward,
    }
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds + 1):
        for name, run in subjects.items():
            started = time.process_time()
            run()
            if number:
                seconds[name].append(time.process_time() - started)
    parts = [f + m for f, m in zip(seconds["featurize"], seconds["forward"], strict=True)]
    rates = {f"{name}_per_s": len(texts) / statistics.median(values) for name, values in seconds.items()}
    return {
        f"{name}_share": statistics.median(np.divide(parts, seconds[name]).tolist()) for name in ("predict", "embed")
    } | rates


def ready_batches(model: Predictor, blocks: list[list[str]]) -> Iterator[GraphBatch]:
    """Yield the batches of the molecules, as prediction cuts them."""
    for block in blocks:
        arrays, _ = model.featurize(block)
        collection = GraphCollection({"input": arrays})
        for first in range(0, len(collection), BATCH):
            yield collection.batch(np.arange(first, min(first + BATCH, len(collection))))


def smiles(data: Path) -> Iterator[str]:
    """Yield the molecules of the ZINC and MOSES files, each file's first column."""
    for name in FILES:
        with gzip.open(data / "smiles" / f"{name}.smi.gz", "rt") as file:
            for line in file:
                yield line.split()[0]


def save_untrained(folder: Path) -> None:
    """Save the network of toymix/gine as it is before training."""
    experiment = load_config("toymix/gine")
    manifests = {name: load_manifest(dataset.manifest) for name, dataset in experiment.data.datasets.items()}
    columns = {
        name: [label for task in manifest.tasks.values() for label in task.counted_columns() or ()]
        for name, manifest in manifests.items()
    }
    torch.manual_seed(0)
    save_model(MolecularModel(specify(experiment, resolve_tasks(experiment, manifests, columns))), folder)


if __name__ == "__main__":
    main()
