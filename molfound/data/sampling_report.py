"""What sampling by scaffold does to a dataset: how many molecules and scaffolds are met, and how often."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from molfound.data.scaffold_sampling import ScaffoldPool


@dataclass(frozen=True)
class SizeBin:
    """The scaffolds of ``first`` to ``last`` molecules.

    Attributes:
        first, last: molecules per scaffold; the bins are 1, 2 to 3, 4 to 7, …
        scaffolds: how many scaffolds have so many.
        molecules: share of the training molecules that are theirs.
        samples: share of the samples drawn that are theirs.
    """

    first: int
    last: int
    scaffolds: int
    molecules: float
    samples: float


@dataclass(frozen=True)
class SamplingReport:
    """What some epochs draw from the training molecules of one dataset.

    Attributes:
        epochs: how many.
        samples: drawn in all of them.
        molecules, molecules_met: in the training part, and how many different ones were drawn.
        scaffolds, scaffolds_met: likewise.
        effective_epochs: samples per molecule met: how often a molecule was seen that was seen at all.
        largest_molecules, largest_samples: shares of the molecules and of the samples of the largest scaffold.
        bins: molecules per scaffold, before and after.
    """

    epochs: int
    samples: int
    molecules: int
    molecules_met: int
    scaffolds: int
    scaffolds_met: int
    effective_epochs: float
    largest_molecules: float
    largest_samples: float
    bins: tuple[SizeBin, ...]


def sampling_report(pool: ScaffoldPool, seed: int, name: str, epochs: int) -> SamplingReport:
    """Return what the first epochs of a training draw from a pool.

    Args:
        pool: the dataset's training molecules.
        seed: of the experiment.
        name: of the dataset in the mixture.
        epochs: how many.

    Example:
        >>> from molfound.config.schema import ScaffoldsConfig
        >>> pool = ScaffoldPool(np.arange(8), np.array([0, 0, 0, 0, 0, 0, 0, 1]), ScaffoldsConfig(replacement=False))
        >>> report = sampling_report(pool, seed=0, name="small", epochs=2)
        >>> report.molecules_met, report.effective_epochs, report.largest_samples
        (7, 2.2857142857142856, 1.0)
    """
    drawn = np.zeros(len(pool.positions), np.int64)
    for epoch in range(epochs):
        drawn += np.bincount(pool.draws(seed, name, epoch), minlength=len(drawn))
    per_scaffold = np.bincount(pool.group, weights=drawn, minlength=len(pool.counts)).astype(np.int64)
    samples, met, largest = int(drawn.sum()), int(np.count_nonzero(drawn)), int(pool.counts.argmax())
    return SamplingReport(
        epochs=epochs,
        samples=samples,
        molecules=len(drawn),
        molecules_met=met,
        scaffolds=len(pool.counts),
        scaffolds_met=int(np.count_nonzero(per_scaffold)),
        effective_epochs=samples / met,
        largest_molecules=float(pool.counts[largest] / len(drawn)),
        largest_samples=float(per_scaffold[largest] / samples),
        bins=_bins(pool.counts, per_scaffold),
    )


def _bins(counts: NDArray[np.int64], drawn: NDArray[np.int64]) -> tuple[SizeBin, ...]:
    power = np.frexp(counts)[1] - 1  # the exact logarithm to base 2, rounded down
    scaffolds, molecules, samples = (np.bincount(power, weights=weights) for weights in (None, counts, drawn))
    return tuple(
        SizeBin(
            first=1 << k,
            last=(2 << k) - 1,
            scaffolds=int(scaffolds[k]),
            molecules=float(molecules[k] / counts.sum()),
            samples=float(samples[k] / drawn.sum()),
        )
        for k in range(len(scaffolds))
    )
