"""Sampling by scaffold: the frequencies against the formula, replacement, and the same order everywhere."""

import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from scipy.stats import chisquare

from molfound.config.schema import ScaffoldsConfig
from molfound.data.sampler import BatchLimits, MixtureSampler, Pool
from molfound.data.sampling_report import sampling_report
from molfound.data.scaffold_sampling import ScaffoldPool, scaffold_probabilities

TEMPERATURES = [0.005, 0.05, math.inf]


def invented_counts(scaffolds: int = 2000) -> np.ndarray:
    """Return molecules per scaffold with a long tail: one scaffold of 2 %, most of them of one molecule."""
    return (400 / np.arange(1, scaffolds + 1) ** 0.9).astype(np.int64) + 1


def pool(counts: np.ndarray, share: float = 1.0, **rule: Any) -> ScaffoldPool:
    """Return a pool whose molecules are shuffled, and whose scaffolds' numbers have gaps."""
    scaffolds = np.random.default_rng(5).permutation(np.repeat(np.arange(len(counts)), counts))
    return ScaffoldPool(10 + np.arange(len(scaffolds)), 3 * scaffolds, ScaffoldsConfig(**rule), share)


def binned_p_value(observed: np.ndarray, probabilities: np.ndarray, bins: int = 100) -> float:
    """Return the chi-square test's p-value over bins of about equal probability."""
    bin_of = np.minimum((np.cumsum(probabilities) - probabilities / 2) * bins, bins - 1).astype(int)
    bin_of = np.unique(bin_of, return_inverse=True)[1]
    expected = np.bincount(bin_of, probabilities) * observed.sum()
    assert expected.min() > 20
    return float(chisquare(np.bincount(bin_of, observed), expected).pvalue)


@pytest.mark.parametrize("temperature", [1e-300, 1e-6, *TEMPERATURES, 1e300])
@pytest.mark.parametrize("cap", [None, 1, 20])
def test_probabilities_are_the_softmax(temperature: float, cap: int | None) -> None:
    counts = invented_counts()
    capped = np.minimum(counts, cap or counts.max())
    probabilities = scaffold_probabilities(counts, temperature, cap)
    with np.errstate(over="ignore"):
        logits = capped / capped.sum() / temperature
    expected = (
        softmax(logits) if np.isfinite(logits).all() else (capped == capped.max()) / (capped == capped.max()).sum()
    )
    np.testing.assert_allclose(probabilities, expected, rtol=1e-9, atol=1e-300)
    if temperature > 1e-3:
        np.testing.assert_allclose(np.log(probabilities), log_softmax(logits), rtol=1e-9)


def test_a_million_scaffolds_are_nearly_uniform() -> None:
    counts = np.ones(1_000_000, np.int64)
    counts[0] = 1000
    probabilities = scaffold_probabilities(counts, 0.005)
    assert probabilities.sum() == pytest.approx(1, abs=1e-12)
    # P of the largest is 0.001, and so it is exp(0.2) times as probable as another.
    assert probabilities[0] / probabilities[1] == pytest.approx(math.exp(999 / 1_000_999 / 0.005), rel=1e-12)


@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize("cap", [None, 20])
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_scaffolds_are_drawn_as_probable_as_the_formula_says(
    temperature: float, cap: int | None, replacement: bool
) -> None:
    counts = invented_counts()
    drawn = pool(counts, share=20, temperature=temperature, cap=cap, replacement=replacement)
    scaffolds = drawn.group[drawn.draws(11, "zinc", 0)]
    capped = np.minimum(counts, cap or counts.max())
    expected = softmax(capped / capped.sum() / temperature)
    assert binned_p_value(np.bincount(scaffolds, minlength=len(counts)), expected) > 0.001
    # The test can fail: it tells this temperature from its double.
    if temperature < 0.01 and cap is None:
        other = softmax(capped / capped.sum() / (2 * temperature))
        assert binned_p_value(np.bincount(scaffolds, minlength=len(counts)), other) < 1e-6


def test_molecules_of_a_scaffold_are_drawn_alike_and_independently() -> None:
    drawn = pool(np.array([7, 1, 40]), share=1000, temperature=math.inf)
    draws = drawn.draws(3, "a", 0)
    for scaffold in range(3):
        members = np.flatnonzero(drawn.group == scaffold)
        observed = np.bincount(draws, minlength=48)[members]
        assert chisquare(observed).pvalue > 0.001 or len(members) == 1
    # With replacement, what comes next from a scaffold is the same molecule again one time in seven.
    seven = draws[drawn.group[draws] == 0]
    again = np.mean(seven[1:] == seven[:-1])
    assert again == pytest.approx(1 / 7, abs=5 * math.sqrt(6 / 49 / len(seven)))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.floats(0.05, 4), st.integers(0, 100))
def test_without_replacement_no_molecule_comes_twice_before_all_of_its_scaffold_came(
    counts: list[int], share: float, seed: int
) -> None:
    drawn = pool(np.array(counts), share=share, temperature=0.5, replacement=False)
    met = np.zeros(sum(counts), np.int64)
    for epoch in range(4):
        met += np.bincount(drawn.draws(seed, "a", epoch), minlength=len(met))
        for scaffold in range(len(counts)):
            of_it = met[drawn.group == scaffold]
            assert of_it.max() - of_it.min() <= 1


def test_without_replacement_an_epoch_is_the_same_whatever_was_asked_before() -> None:
    first, second = (pool(invented_counts(50), temperature=0.01, replacement=False) for _ in range(2))
    forward = [first.draws(1, "a", epoch) for epoch in range(5)]
    first.draws(2, "b", 3)
    for epoch in (4, 2, 3, 0):
        assert np.array_equal(second.draws(1, "a", epoch), forward[epoch])
        assert np.array_equal(first.draws(1, "a", epoch), forward[epoch])


@pytest.mark.parametrize("replacement", [True, False])
def test_draws_depend_on_seed_name_and_epoch(replacement: bool) -> None:
    drawn = pool(invented_counts(50), replacement=replacement)
    assert len({tuple(drawn.draws(s, n, e)) for s in (0, 1) for n in "ab" for e in (0, 1)}) == 8


@pytest.mark.parametrize(("share", "samples"), [(0.001, 1), (0.25, 12), (1.0, 48), (2.5, 120)])
def test_the_share_says_how_many_samples_an_epoch_takes(share: float, samples: int) -> None:
    taken = pool(np.array([7, 1, 40]), share=share).samples(0, "a", 4)
    assert len(taken) == samples
    assert taken.min() >= 10
    assert taken.max() < 58


def mixture(replacement: bool) -> MixtureSampler:
    """Return a sampler of 2,000 molecules by scaffold and 100 others, in buckets."""
    by_scaffold = pool(invented_counts(60), temperature=0.05, replacement=replacement)
    sizes = np.random.default_rng(0).integers(3, 30, 10 + len(by_scaffold.group) + 100)
    pools = {"a": by_scaffold, "b": Pool(np.arange(len(sizes) - 100, len(sizes)))}
    return MixtureSampler(pools, BatchLimits(64, pairs=20_000, bucket=8), sizes, sizes, 7)


def digest(epochs: list[list[np.ndarray]]) -> str:
    """Return a hash of batches."""
    return hashlib.sha256(str([[batch.tolist() for batch in batches] for batches in epochs]).encode()).hexdigest()


def test_another_process_that_begins_in_the_third_epoch_sees_the_same_batches() -> None:
    expected = []
    for replacement in (True, False):
        here = mixture(replacement)
        expected.append([here.batches(epoch) for epoch in range(3)][2])
    code = (
        "from tests.data.test_scaffold_sampling import digest, mixture\n"
        "print(digest([mixture(replacement).batches(2) for replacement in (True, False)]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout.strip() == digest(expected)


def test_the_report_counts_what_is_drawn() -> None:
    counts = invented_counts(300)
    drawn = pool(counts, share=0.5, temperature=0.02)
    report = sampling_report(drawn, seed=4, name="a", epochs=3)
    draws = [index for epoch in range(3) for index in drawn.draws(4, "a", epoch).tolist()]
    assert report.samples == len(draws) == 3 * drawn.per_epoch
    assert (report.molecules, report.molecules_met) == (counts.sum(), len(set(draws)))
    assert (report.scaffolds, report.scaffolds_met) == (300, len({drawn.group[index] for index in draws}))
    assert report.effective_epochs == len(draws) / len(set(draws))
    assert report.largest_molecules == counts[0] / counts.sum()
    assert report.largest_samples == sum(drawn.group[index] == 0 for index in draws) / len(draws)
    assert [(part.first, part.last) for part in report.bins] == [(1 << k, (2 << k) - 1) for k in range(9)]
    for part in report.bins:
        inside = [scaffold for scaffold, count in enumerate(counts) if part.first <= count <= part.last]
        assert part.scaffolds == len(inside)
        assert part.molecules == pytest.approx(sum(counts[inside]) / counts.sum())
        assert part.samples == pytest.approx(sum(drawn.group[index] in inside for index in draws) / len(draws))
