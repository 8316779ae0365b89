"""The scores of a part: losses over labels that are there, each prediction packed once."""

import numpy as np
import pytest

from molfound.tasks.packed import PackedPredictions
from molfound.tasks.resolve import make_task
from molfound.training.evaluation import packed_loss


def packed(prediction: list[float]) -> PackedPredictions:
    """Return predictions of three labels, the last of which has no value; all targets are 0."""
    values = np.array(prediction, np.float32)
    return PackedPredictions(np.array([0, 0, 1], np.int32), values, np.zeros(3, np.float32), 3)


def test_the_loss_of_a_part_leaves_out_absent_labels_and_shows_broken_ones() -> None:
    task = make_task("toy", "toy", "graph", "regression", ["a", "b", "c"], reduction="label")
    assert packed_loss(packed([1.0, 3.0, 5.0]), task) == pytest.approx((2.0 + 5.0) / 2)
    assert np.isnan(packed_loss(packed([1.0, 3.0, np.nan]), task))
