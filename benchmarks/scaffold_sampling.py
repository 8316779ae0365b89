"""Sampling by scaffold on ZINC250k and MOSES: frequencies against the formula, the report, and padding in buckets.

For each temperature an epoch is drawn and its scaffolds counted in bins of equal probability; `ratio` is the smallest
p-value of the chi-square tests over 0.001. `padding` is the area of batches of at most 100,000 pairs, padded to their
largest molecule, over the area of the molecules themselves.
"""

import gzip
import json
import math
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from measuring import arguments, report
from scipy.special import softmax
from scipy.stats import chisquare

from molfound.config.schema import DataConfig, FeaturesConfig, ScaffoldsConfig
from molfound.data.manifest import Manifest
from molfound.data.prepare import prepare_dataset
from molfound.data.sampler import BatchLimits, MixtureSampler, Pool, Positions
from molfound.data.sampling_report import sampling_report
from molfound.data.scaffold_sampling import ScaffoldPool
from molfound.data.splits import scaffold_groups
from molfound.data.store import GraphStore

FILES = ("zinc250k_train", "zinc250k_valid", "zinc250k_test", "moses_test", "moses_test_scaffolds")
TEMPERATURES = (0.005, 0.05, math.inf)
BINS = 200
P_VALUE = 0.001


def main() -> None:
    """Prepare the molecules, draw, and print."""
    options = arguments(__doc__ or "", seed=0, epochs=5, processes=2, pairs=100_000)
    with tempfile.TemporaryDirectory() as folder:
        store = prepared(options.data / "smiles", Path(folder), options.processes)
        rows, scaffolds = store.scaffolds()
        sizes = np.diff(store.load().graphs.node_ptr)
    numbers, counts = scaffold_groups(scaffolds)
    p_values: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for temperature in TEMPERATURES:
        pool = ScaffoldPool(np.arange(len(rows)), numbers, ScaffoldsConfig(temperature=temperature))
        started = time.perf_counter()
        drawn = numbers[pool.samples(options.seed, "smiles", 0)]
        seconds[f"{temperature:g}"] = round(time.perf_counter() - started, 3)
        expected = softmax(counts / counts.sum() / temperature)
        p_values[f"{temperature:g}"] = p_value(np.bincount(drawn, minlength=len(counts)), expected)
        print(
            f"temperature {temperature:g}:",
            json.dumps(asdict(sampling_report(pool, options.seed, "smiles", options.epochs))),
        )
    report(
        min(p_values.values()) / P_VALUE,
        1.0,
        p_values={name: float(f"{value:.3g}") for name, value in p_values.items()},
        seconds_per_epoch=seconds,
        padding={
            name: round(padding(sizes, BatchLimits(len(sizes), pairs=options.pairs, bucket=bucket)), 3)
            for name, bucket in (("none", None), ("10", 10), ("100", 100))
        },
        molecules=len(rows),
        scaffolds=len(counts),
        without_ring=float(np.mean(np.array(scaffolds) == "")),
    )


def prepared(source: Path, folder: Path, processes: int) -> GraphStore:
    """Return a store of all molecules with their scaffolds, and as little else as can be."""
    write_table(folder / "smiles.csv", [source / f"{name}.smi.gz" for name in FILES])
    manifest = Manifest.model_validate(
        {
            "name": "smiles",
            "title": "ZINC250k and MOSES",
            "licence": "see the sources",
            "citation": "see the sources",
            "source": "ZINC, MOSES",
            "files": [{"name": "smiles.csv"}],
            "smiles": "smiles",
            "tasks": {"none": {"kind": "regression", "labels": ["none"]}},
            "splits": {"random": {"kind": "random"}},
        }
    )
    data = DataConfig.model_validate({"datasets": {"smiles": {"manifest": "smiles"}}, "processes": processes})
    features = FeaturesConfig(atoms=("atomic_number",), bonds=("bond_type",))
    done = prepare_dataset(manifest, {}, features, {}, data, root=folder, store=folder / "stores", scaffolds=True)
    print(done)
    return GraphStore.open(done.folder, done.families)


def write_table(path: Path, sources: Iterable[Path]) -> None:
    """Write the lines of compressed SMILES files as a table of one column."""
    with path.open("w") as table:
        table.write("smiles\n")
        for source in sources:
            with gzip.open(source, "rt") as lines:
                table.writelines(lines)


def p_value(observed: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the chi-square test's p-value over bins of about equal probability."""
    middle = np.cumsum(probabilities) - probabilities / 2
    bins = np.unique(np.minimum(middle * BINS, BINS - 1).astype(int), return_inverse=True)[1]
    expected = np.bincount(bins, probabilities) * observed.sum()
    return float(chisquare(np.bincount(bins, observed), expected * observed.sum() / expected.sum()).pvalue)


def padding(sizes: Positions, limits: BatchLimits) -> float:
    """Return the padded area of an epoch's batches over that of its molecules."""
    sampler = MixtureSampler({"smiles": Pool(np.arange(len(sizes)))}, limits, sizes, sizes, seed=0)
    return padded_area(sizes, sampler.batches(0)) / float((sizes**2).sum())


def padded_area(sizes: Positions, batches: Sequence[Positions]) -> int:
    """Return the pairs of all batches, each molecule padded to the largest of its batch."""
    return sum(len(batch) * int(sizes[batch].max()) ** 2 for batch in batches)


if __name__ == "__main__":
    main()
