"""Which datasets are held in memory, and how many blocks of the others at once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from molfound.data.store import GraphStore

# Of a window's bytes at the moment when one window is in use and the shards of the next are being joined, with what
# reading and joining need beside.
COPIES = 4
# Bytes in memory per byte on the disk, far above what zstd makes of molecules.
MOST_EXPANSION = 50


@dataclass(frozen=True)
class Residency:
    """What is in memory together.

    Attributes:
        window_blocks: of each dataset that is read block by block, how many of its blocks fit into a window alone.
        windows: into how many windows an epoch of the training is divided.
    """

    window_blocks: Mapping[str, int] = field(default_factory=dict)
    windows: int = 1


def residency(stores: Mapping[str, GraphStore], shares: Mapping[str, float], memory: float) -> Residency:
    """Return what to hold of these stores so that molecules take about so much memory.

    Where all of them fit, all are held. Else half of the memory is for whole datasets, the smallest first, and the
    remainder for windows, which are never smaller than one block.

    Args:
        stores: of the datasets.
        shares: how much of each an epoch takes.
        memory: in bytes.
    """
    if sum(stored_bytes(store) for store in stores.values()) * MOST_EXPANSION <= memory:
        return Residency()
    sizes = {name: estimated_bytes(store) for name, store in stores.items()}
    if sum(sizes.values()) <= memory:
        return Residency()
    held = 0.0
    streamed = dict(sizes)
    for name in sorted(sizes, key=lambda name: sizes[name]):
        if held + sizes[name] > memory / 2:
            break
        held += sizes[name]
        del streamed[name]
    window = (memory - held) / COPIES
    taken = sum(size * shares[name] for name, size in streamed.items())
    return Residency(
        {name: max(1, int(window * stores[name].blocks / size)) for name, size in streamed.items()},
        min(math.ceil(taken / window), max(math.ceil(shares[name] * stores[name].blocks) for name in streamed)),
    )


def stored_bytes(store: GraphStore) -> int:
    """Return how many bytes the shards of a store take on the disk."""
    return sum(shard.file.size for stored in store.families.values() for shard in stored.shards)


def estimated_bytes(store: GraphStore) -> float:
    """Return about how many bytes the molecules of a store take in memory, judged by its first and its last block.

    Raises:
        MolfoundError: a damaged shard.
    """
    sample = store.part({0, store.blocks - 1})
    return sample.load().nbytes * store.stored_molecules / max(sample.stored_molecules, 1)
