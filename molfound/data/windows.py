"""Windows: the batches that are made of molecules in memory together, one window after the other."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]
Blocks = Mapping[str, tuple[int, ...]]
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Window:
    """A stretch of an epoch.

    Attributes:
        batches: the positions of each global batch.
        blocks: the numbers of the blocks that they lie in, of each dataset that is read block by block.
    """

    batches: list[Positions]
    blocks: Blocks = field(default_factory=dict)


def prefetched(items: Iterable[T], load: Callable[[T], R]) -> Iterator[tuple[T, R]]:
    """Yield each item with what `load` makes of it; the next one is loaded while the present one is in use.

    >>> list(prefetched([1, 2], lambda item: item * 10))
    [(1, 10), (2, 20)]
    """
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as thread:
        remaining = iter(items)
        item = next(remaining, None)
        future = None if item is None else thread.submit(load, item)
        while item is not None and future is not None:
            loaded = future.result()
            following = next(remaining, None)
            future = None if following is None else thread.submit(load, following)
            yield item, loaded
            # Else the loop's own variable would keep what was in use beside what is loaded next.
            del loaded
            item = following
