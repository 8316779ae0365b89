"""How well a streamed epoch mixes: batches of windows of W blocks against batches of a whole shuffle.

The trait is the length of a SMILES, of ZINC and MOSES in the order of their files. The mean trait of a batch of a whole
shuffle varies by chance; where windows mix badly it varies more.
"""

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from measuring import arguments, report

from molfound.data.sampler import BatchLimits, BlockPool, MixtureSampler, Pool, SamplePool
from molfound.data.windows import Positions

FILES = ("zinc250k_train", "zinc250k_valid", "moses_test", "moses_test_scaffolds")
BLOCK = 8192
BATCH = 256
BLOCKS_PER_WINDOW = (1, 2, 4, 8, 16, 32)
EPOCHS = 5
BAR = 1.1


def main() -> None:
    """Print a table, and for windows of sixteen blocks the ratio of deviations, which should be near 1."""
    options = arguments(__doc__ or "")
    trait = np.array([len(text) for name in FILES for text in smiles(options.data / "smiles" / f"{name}.smi.gz")])
    rows = np.arange(len(trait))
    block_ptr = np.append(np.arange(0, len(rows), BLOCK), len(rows))
    blocks = len(block_ptr) - 1
    whole = deviation(Pool(rows), 1, trait)
    found = {}
    for width in BLOCKS_PER_WINDOW:
        found[width] = deviation(BlockPool(rows, block_ptr), -(-blocks // width), trait) / whole
        print(f"{width:>3} blocks of {blocks}: {found[width]:.3f} of a shuffle's deviation", file=sys.stderr)
    report(
        found[16], BAR, "lower", met=found[16] <= BAR, **{f"blocks_{width}": ratio for width, ratio in found.items()}
    )


def smiles(path: Path) -> list[str]:
    """Return the SMILES of a file."""
    with gzip.open(path, "rt") as file:
        return [line.split(maxsplit=1)[0] for line in file]


def deviation(pool: SamplePool, windows: int, trait: Positions) -> float:
    """Return the standard deviation of the mean trait of full batches over some epochs."""
    sizes = np.ones(len(trait), np.int64)
    sampler = MixtureSampler({"smiles": pool}, BatchLimits(BATCH), sizes, sizes, 0, windows)
    means: Iterator[float] = (
        trait[batch].mean() for epoch in range(EPOCHS) for batch in sampler.batches(epoch) if len(batch) == BATCH
    )
    return float(np.fromiter(means, np.float64).std())


if __name__ == "__main__":
    main()
