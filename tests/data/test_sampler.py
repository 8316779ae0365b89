"""The order of samples: a pure function of seed, epoch and position, fair to every molecule."""

import tracemalloc
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molfound.data.sampler import BatchLimits, BlockPool, MixtureSampler, Pool, bucketed, cut, permutation
from molfound.errors import MolfoundError

COUNTS = np.full(1000, 5)


def sampler(seed: int = 0, limits: BatchLimits | None = None, **shares: float) -> MixtureSampler:
    pools = {name: Pool(np.arange(100 * i, 100 * i + 60), share) for i, (name, share) in enumerate(shares.items())}
    return MixtureSampler(pools, limits or BatchLimits(16), COUNTS, 2 * COUNTS, seed)


@given(st.integers(0, 2**32), st.integers(0, 1000), st.integers(0, 200))
def test_permutation_holds_every_number_once(seed: int, epoch: int, size: int) -> None:
    assert sorted(permutation(seed, "x", epoch, size=size)) == list(range(size))


def test_permutation_depends_on_seed_epoch_and_name_only() -> None:
    orders = {
        tuple(permutation(seed, name, epoch, size=50)) for seed in (0, 1) for name in ("a", "b") for epoch in (0, 1)
    }
    assert len(orders) == 8
    assert np.array_equal(permutation(1, "a", 1, size=50), permutation(1, "a", 1, size=50))


def order(mixture: MixtureSampler, epoch: int) -> np.ndarray:
    return np.concatenate(list(mixture.batches(epoch)))


def test_permutation_is_uniform_over_places() -> None:
    # 3,000 permutations of 6: each number at each place 500 times, within five standard deviations.
    counts = np.zeros((6, 6))
    for epoch in range(3000):
        counts[np.arange(6), permutation(3, "x", epoch, size=6)] += 1
    assert np.abs(counts - 500).max() < 5 * np.sqrt(500 * 5 / 6)


def test_an_epoch_holds_every_molecule_once() -> None:
    mixture = sampler(a=1.0, b=1.0)
    assert sorted(order(mixture, 3)) == [*range(60), *range(100, 160)]
    assert not np.array_equal(order(mixture, 3), order(mixture, 4))


def test_epochs_in_any_order_give_the_same_samples() -> None:
    first, second = sampler(a=1.0, b=0.5), sampler(a=1.0, b=0.5)
    forward = [order(first, epoch) for epoch in range(4)]
    backward = [order(second, epoch) for epoch in reversed(range(4))]
    assert all(np.array_equal(a, b) for a, b in zip(forward, reversed(backward), strict=True))


@pytest.mark.parametrize(("share", "epochs", "times"), [(0.25, 4, 1), (0.5, 6, 3), (2.5, 2, 5)])
def test_a_share_meets_all_molecules_equally_often(share: float, epochs: int, times: int) -> None:
    mixture = sampler(a=share)
    met = np.concatenate([order(mixture, epoch) for epoch in range(epochs)])
    assert np.array_equal(np.bincount(met, minlength=60), np.full(60, times))


def test_a_small_share_takes_no_molecule_twice_in_an_epoch() -> None:
    mixture = sampler(a=0.3)
    assert len(set(order(mixture, 2))) == len(order(mixture, 2)) == 18


@given(st.integers(1, 20), st.integers(30, 200), st.integers(0, 50))
def test_batches_respect_the_limits_and_keep_the_order(graphs: int, nodes: int, seed: int) -> None:
    counts = np.random.default_rng(seed).integers(1, 30, 200)
    order = np.random.default_rng(seed + 1).permutation(200)
    batches = cut(order, BatchLimits(graphs, nodes=nodes, edges=70), counts, 2 * counts)
    assert np.array_equal(np.concatenate(batches), order)
    for batch, following in zip(batches, [*batches[1:], None], strict=True):
        total = counts[batch].sum()
        assert len(batch) <= graphs
        assert (total <= nodes and 2 * total <= 70) or len(batch) == 1
        if following is not None:  # a batch is only closed when the next molecule does not fit
            more = total + counts[following[0]]
            assert len(batch) == graphs or more > nodes or 2 * more > 70


def test_a_molecule_larger_than_a_batch_is_named() -> None:
    with pytest.raises(MolfoundError, match=r"dataset 'a' has a molecule of 5 nodes.*data\.batch\.nodes=4"):
        sampler(limits=BatchLimits(8, nodes=4), a=1.0)


def test_an_empty_training_part_is_named() -> None:
    with pytest.raises(MolfoundError, match="dataset 'a' has no molecule"):
        MixtureSampler({"a": Pool(np.arange(0))}, BatchLimits(4), COUNTS, COUNTS, 0)


def test_a_molecule_with_too_many_pairs_is_named() -> None:
    with pytest.raises(MolfoundError, match=r"dataset 'a' has a molecule of 25 pairs.*data\.batch\.pairs=24"):
        sampler(limits=BatchLimits(8, pairs=24), a=1.0)
    assert list(sampler(limits=BatchLimits(8, pairs=25), a=1.0).batches(0))


def test_nothing_is_gathered_for_limits_that_are_not_set() -> None:
    molecules = 200_000
    nodes, edges = np.full(molecules, 25, np.uint16), np.full(molecules, 54, np.uint32)
    pools = {"a": BlockPool(np.arange(molecules), np.arange(0, molecules + 1, 1000))}
    tracemalloc.start()
    try:
        MixtureSampler(pools, BatchLimits(960), nodes, edges, 0, 4)
        assert tracemalloc.get_traced_memory()[1] < molecules
    finally:
        tracemalloc.stop()


def by_size(seed: int, limits: BatchLimits) -> tuple[MixtureSampler, np.ndarray]:
    """Return a sampler of 500 molecules of 1 to 40 atoms, and their sizes."""
    counts = np.random.default_rng(seed).integers(1, 41, 500)
    pools = {"a": Pool(np.arange(300), 1.5), "b": Pool(np.arange(300, 500))}
    return MixtureSampler(pools, limits, counts, 2 * counts, seed), counts


def padded_area(batches: Iterable[np.ndarray], counts: np.ndarray) -> int:
    return sum(len(batch) * int(counts[batch].max()) ** 2 for batch in batches)


@given(st.integers(0, 100), st.integers(1, 30), st.integers(1600, 20000), st.integers(1, 50), st.integers(0, 3))
def test_bucketed_batches_hold_every_sample_once_within_the_limits(
    seed: int, graphs: int, pairs: int, bucket: int, epoch: int
) -> None:
    mixture, counts = by_size(seed, BatchLimits(graphs, nodes=200, pairs=pairs, bucket=bucket))
    batches = list(mixture.batches(epoch))
    plain, _ = by_size(seed, BatchLimits(graphs))
    assert np.array_equal(np.sort(np.concatenate(batches)), np.sort(order(plain, epoch)))
    for batch in batches:
        assert 1 <= len(batch) <= graphs
        assert counts[batch].sum() <= 200
        assert (counts[batch] ** 2).sum() <= pairs


@pytest.mark.parametrize("limits", [{"graphs": 16}, {"graphs": 500, "pairs": 8000}])
def test_buckets_save_most_of_the_padding(limits: dict[str, int]) -> None:
    plain, counts = by_size(0, BatchLimits(**limits))
    real = int((counts[order(plain, 0)] ** 2).sum())
    without = padded_area(plain.batches(0), counts) / real
    padding = {
        bucket: padded_area(by_size(0, BatchLimits(**limits, bucket=bucket))[0].batches(0), counts) / real
        for bucket in (1, 10, 1000)
    }
    # A window of one batch changes its batch's order only; one of the whole epoch leaves hardly any padding.
    assert padding[1] == without
    assert without > 1.8
    assert padding[10] < 1.35
    assert padding[1000] < 1.1


def test_samples_stay_within_their_window() -> None:
    limits = BatchLimits(10, bucket=4)
    plain, counts = by_size(3, BatchLimits(10))
    whole = order(plain, 0)
    batches = bucketed(cut(whole, limits, counts, counts), 4, limits, counts, counts)
    ordered = np.concatenate(batches)
    for first in range(0, len(whole), 40):
        window = slice(first, first + 40)
        assert np.array_equal(np.sort(ordered[window]), np.sort(whole[window]))
        assert (np.diff(counts[ordered[window]]) >= 0).all()


def test_bucketed_batches_come_in_random_order_of_size() -> None:
    mixture, counts = by_size(0, BatchLimits(10, bucket=1000))
    sizes = np.array([counts[batch].mean() for batch in mixture.batches(0)])
    # Sorted, neighbouring batches would correlate perfectly; shuffled, 65 of them correlate by 0.12 or so.
    assert abs(np.corrcoef(sizes[:-1], sizes[1:])[0, 1]) < 0.4


def test_bucketed_batches_depend_on_seed_and_epoch_only() -> None:
    limits = BatchLimits(16, bucket=5)
    (first, _), (second, _) = by_size(1, limits), by_size(1, limits)
    forward = [list(first.batches(epoch)) for epoch in range(3)]
    for epoch in reversed(range(3)):
        again = list(second.batches(epoch))
        assert [batch.tolist() for batch in again] == [batch.tolist() for batch in forward[epoch]]
    assert [b.tolist() for b in forward[0]] != [b.tolist() for b in forward[1]]
