"""Numbers from keys have the distribution they are said to have, by scipy's tests."""

import numpy as np
from scipy import stats

from molfound.data.keyed_random import mixed, normal, streams, uniform


def test_numbers_are_distributed_as_said() -> None:
    keys = mixed(np.arange(500, dtype=np.uint64))
    words, others = streams(keys, np.full(500, 40)), streams(mixed(keys), np.full(500, 40))
    assert len(np.unique(words)) == 20_000
    assert stats.kstest(uniform(words), "uniform").pvalue > 0.001
    numbers = normal(words, others)
    assert stats.kstest(numbers, "norm").pvalue > 0.001
    assert abs(stats.pearsonr(numbers[:-1], numbers[1:]).statistic) < 0.02


def test_a_stream_is_the_same_wherever_it_lies() -> None:
    keys, counts = np.array([3, 9, 4], np.uint64), np.array([5, 0, 2])
    together = streams(keys, counts)
    apart = [streams(keys[i : i + 1], counts[i : i + 1]) for i in range(3)]
    assert np.array_equal(together, np.concatenate(apart))
