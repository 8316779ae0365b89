"""Sampling by scaffold on ZINC250k and MOSES: frequencies against the formula, the report, and padding in buckets.

For each temperature an epoch is drawn and its scaffolds counted in bins of equal probability; `ratio` is the smallest
p-value of the chi-square tests over 0.001. `padding` is the area of batches of at most 100,000 pairs, padded to their
largest molecule, over the area of the molecules themselves.
"""

import gzip
import json
import math
import multiprocessing
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from measuring import arguments, report
from scipy.special import softmax
from scipy.stats import chisquare

from molfound.chem.parsing import Rejection, parse
from molfound.chem.scaffolds import murcko_scaffold
from molfound.config.schema import ScaffoldsConfig
from molfound.data.sampler import BatchLimits, MixtureSampler, Pool
from molfound.data.sampling_report import sampling_report
from molfound.data.scaffold_sampling import ScaffoldPool
from molfound.data.splits import scaffold_groups
from molfound.data.windows import Positions

FILES = ("zinc250k_train", "zinc250k_valid", "zinc250k_test", "moses_test", "moses_test_scaffolds")
TEMPERATURES = (0.005, 0.05, math.inf)
BINS = 200
P_VALUE = 0.001


def main() -> None:
    """Find the scaffolds, draw, and print."""
    options = arguments(__doc__ or "", seed=0, epochs=5, processes=2, pairs=100_000)
    sizes, scaffolds = molecules(options.data / "smiles", options.processes)
    numbers, counts = scaffold_groups(scaffolds)
    p_values: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for temperature in TEMPERATURES:
        pool = ScaffoldPool(np.arange(len(sizes)), numbers, ScaffoldsConfig(temperature=temperature))
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
        molecules=len(sizes),
        scaffolds=len(counts),
        without_ring=float(np.mean(np.array(scaffolds) == "")),
    )


def molecules(folder: Path, processes: int) -> tuple[Positions, list[str]]:
    """Return the number of atoms and the scaffold of every molecule of the files."""
    lines: list[str] = []
    for name in FILES:
        with gzip.open(folder / f"{name}.smi.gz", "rt") as file:
            lines += [line.strip() for line in file]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        found = [molecule for molecule in pool.imap(atoms_and_scaffold, lines, 2000) if molecule is not None]
    return np.array([atoms for atoms, _ in found]), [scaffold for _, scaffold in found]


def atoms_and_scaffold(smiles: str) -> tuple[int, str] | None:
    """Return a molecule's number of atoms and its scaffold; None if it is rejected."""
    mol = parse(smiles)
    return None if isinstance(mol, Rejection) else (mol.GetNumAtoms(), murcko_scaffold(mol))


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


def padded_area(sizes: Positions, batches: Iterable[Positions]) -> int:
    """Return the pairs of all batches, each molecule padded to the largest of its batch."""
    return sum(len(batch) * int(sizes[batch].max()) ** 2 for batch in batches)


if __name__ == "__main__":
    main()
