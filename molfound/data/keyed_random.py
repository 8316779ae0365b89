"""Random numbers that are a pure function of a key: the same in whatever batch and process they are drawn."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_STEP = 0x9E3779B97F4A7C15  # of SplitMix64's state


def mixed(words: Words) -> Words:
    """Return the words of SplitMix64 at these states (Steele et al., OOPSLA 2014).

    >>> hex(mixed(np.array([0], np.uint64))[0])
    '0xe220a8397b1dcdaf'
    """
    mixed = words + np.uint64(_STEP)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def streams(keys: Words, counts: NDArray[np.integer[Any]]) -> Words:
    """Return the first words of the generator that each key is the seed of, so many of each, laid end to end.

    >>> streams(np.array([0, 7], np.uint64), np.array([2, 1])).tolist() == [
    ...     *mixed(np.array([0, 0x9E3779B97F4A7C15], np.uint64)),
    ...     *mixed(np.array([7], np.uint64)),
    ... ]
    True
    """
    first = np.repeat(np.cumsum(counts) - counts, counts)
    number = (np.arange(len(first)) - first).astype(np.uint64)
    return mixed(np.repeat(keys, counts) + number * np.uint64(_STEP))


def uniform(words: Words) -> NDArray[np.floating[Any]]:
    """Return numbers in [0, 1) of words, all 53 bits of them random.

    >>> uniform(np.array([0, 1 << 63], np.uint64)).tolist()
    [0.0, 0.5]
    """
    return (words >> np.uint64(11)) * 2.0**-53


def normal(words: Words, others: Words) -> NDArray[np.floating[Any]]:
    """Return a standard normal number of each two words (Box and Muller, 1958)."""
    radius = np.sqrt(-2 * np.log1p(-uniform(words)))
    found: NDArray[np.floating[Any]] = radius * np.cos(2 * np.pi * uniform(others))
    return found
