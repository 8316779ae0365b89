"""Conformal intervals on real data: how often 90 % intervals hold the values of other molecules.

A GIN is trained on QM9 and another on lipo (or given runs are taken). The predictions of each run's test part are
divided at random, twenty times, into molecules to calibrate on and molecules to be covered.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from measuring import report

from molfound.config import load_config
from molfound.model import load_specification
from molfound.tasks.conformal import conformal_widths
from molfound.training.train import train

LEVEL = 0.9
BAND = (0.89, 0.91)
DIVISIONS = 20
EPOCHS = 10
MANIFESTS = {"qm9": "toymix/qm9", "lipo": "bio/lipo"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MOLFOUND_DATA"), help="folder of the real data")
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="finished runs instead of new ones")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        runs = options.runs or [trained(dataset, options.data, Path(name)) for dataset in MANIFESTS]
        found = {f"{run}/{task.stem}": coverages(task) for run in runs for task in predictions(run)}
    means = {name: float(np.mean(values)) for name, values in found.items()}
    furthest = max(abs(mean - LEVEL) for mean in means.values())
    report(
        furthest,
        BAND[1] - LEVEL,
        "lower",
        met=all(BAND[0] <= mean <= BAND[1] for mean in means.values()),
        **{f"mean_coverage_{name}": mean for name, mean in means.items()},
        **{f"deviation_{name}": float(np.std(values)) for name, values in found.items()},
        divisions=DIVISIONS,
    )


def trained(dataset: str, data: Path, folder: Path) -> Path:
    """Train a network on a dataset and return its run folder."""
    keys = [
        f"data.root={data}",
        f"data.store={folder / 'stores'}",
        f"data.datasets={{{dataset}: {{manifest: {MANIFESTS[dataset]}}}}}",
        f"tasks={{{dataset}: {{dataset: {dataset}}}}}",
        f"training.epochs={EPOCHS}",
        f"run.folder={folder / dataset}",
        "run.baselines=[]",
    ]
    return train(load_config("parts/graph_network", ["name=conformal", *keys])).path


def predictions(run: Path) -> list[Path]:
    """Return the files of a run's predictions of its regressions for its test part."""
    tasks = load_specification(run).tasks
    names = [name for name, task in tasks.items() if task.kind == "regression"]
    return [path for name in names if (path := run / "predictions" / f"test.{name}.parquet").is_file()]


def coverages(path: Path) -> np.ndarray:
    """Return the coverage, mean over labels, of each random division, float64 ``[divisions]``."""
    table = pq.read_table(path, columns=["row", "label", "target", "prediction"]).to_pandas()
    rows = np.unique(table["row"])
    found = []
    for seed in range(DIVISIONS):
        calibrating = np.random.default_rng(seed).permutation(rows)[: len(rows) // 2]
        found.append(covered(table, table["row"].isin(calibrating).to_numpy()))
    return np.array(found)


def covered(table: pd.DataFrame, calibrating: np.ndarray) -> float:
    """Return the share of other molecules' values within intervals calibrated on some, mean over labels."""
    residuals = (table["prediction"] - table["target"]).abs()
    shares = []
    for label in table["label"].unique():
        own = (table["label"] == label).to_numpy()
        (width,) = conformal_widths(residuals[own & calibrating].to_numpy(np.float64), [LEVEL])
        if width is not None:
            shares.append(float((residuals[own & ~calibrating] <= width).mean()))
    return float(np.mean(shares))


if __name__ == "__main__":
    main()
