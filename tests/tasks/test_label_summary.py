"""Summaries of labels against numpy's own moments."""

import numpy as np
import pytest

from molfound.tasks.label_summary import LabelSummary, class_count

LABELS, CLASSES = 7, 4


def pairs(seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, LABELS - 1, size), rng.integers(0, CLASSES, size).astype(np.float32) + 1000 * (seed % 2)


@pytest.mark.parametrize("pieces", [1, 2, 5, 40])
def test_pieces_merge_to_the_moments_of_the_whole(pieces: int) -> None:
    label, values = pairs(1, 500)
    cuts = np.sort(np.random.default_rng(pieces).integers(0, 500, pieces - 1))
    parts = [LabelSummary.of(*part, LABELS) for part in zip(np.split(label, cuts), np.split(values, cuts), strict=True)]
    summary = parts[0]
    for part in parts[1:]:
        summary = summary.merged(part)
    for number in range(LABELS - 1):
        own = values[label == number].astype(np.float64)
        assert summary.count[number] == len(own)
        np.testing.assert_allclose(summary.mean[number], own.mean(), rtol=1e-14)
        np.testing.assert_allclose(summary.deviation[number], own.std(), rtol=1e-12)
        assert (summary.lowest[number], summary.highest[number]) == (own.min(), own.max())
    assert (summary.count[-1], summary.mean[-1], summary.deviation[-1], summary.varies[-1]) == (0, 0, 0, False)


def test_classes_are_counted() -> None:
    label, values = pairs(2, 300)
    first, second = (
        LabelSummary.of(label[part], values[part], LABELS, CLASSES) for part in (slice(120), slice(120, None))
    )
    merged = first.merged(second)
    expected = [[((label == i) & (values == c)).sum() for c in range(CLASSES)] for i in range(LABELS)]
    assert merged.classes.tolist() == np.array(expected).tolist()


def test_equal_values_do_not_vary() -> None:
    value = np.float32(0.1)
    one, other = (LabelSummary.of(np.zeros(n, np.int64), np.full(n, value), 1) for n in (3, 11))
    assert not one.merged(other).varies[0]
    assert one.merged(LabelSummary.of(np.zeros(1, np.int64), np.array([0.2]), 1)).varies[0]


def test_classes_of_each_kind() -> None:
    assert [class_count("regression", None), class_count("binary", None), class_count("multiclass", 5)] == [None, 2, 5]
