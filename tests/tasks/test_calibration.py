"""Calibration: intervals that cover what they promise, logistic curves as scikit-learn fits them."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from molfound.tasks.calibration import IntervalCalibration
from molfound.tasks.conformal import LEVELS, calibrated_intervals, conformal_widths, coverage
from molfound.tasks.packed import PackedPredictions
from molfound.tasks.platt import calibrated_probabilities, calibration_error, platt


def packed(label: np.ndarray, prediction: np.ndarray, target: np.ndarray, **options: object) -> PackedPredictions:
    narrow = label.astype(np.int32), prediction.astype(np.float32), target.astype(np.float32)
    return PackedPredictions.of(*narrow, labels=int(label.max()) + 1, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [9, 10, 19, 100])
def test_intervals_cover_new_values_as_often_as_promised(size: int) -> None:
    rng = np.random.default_rng(size)
    residuals = rng.exponential(size=(10_000, size + 1))
    widths = [conformal_widths(row[:size], [0.5, 0.9]) for row in residuals]
    for place, level in enumerate((0.5, 0.9)):
        rank = int(np.ceil((size + 1) * level - 1e-9))
        # By exchangeability a new value is among the rank smallest with probability rank / (size + 1).
        covered = np.mean(residuals[:, -1] <= np.array([width[place] for width in widths]))
        assert covered == pytest.approx(rank / (size + 1), abs=0.01)
        assert covered > level - 0.01


def test_too_few_values_have_no_interval() -> None:
    assert conformal_widths(np.ones(8), [0.8, 0.9]) == [1.0, None]
    assert conformal_widths(np.ones(0), [0.5]) == [None]
    assert conformal_widths(np.array([1.0] * 5 + [np.inf] * 5 + [np.nan] * 2), [0.2, 0.5, 0.9]) == [1.0, None, None]


def test_intervals_are_in_original_units_label_by_label() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 900)
    prediction = rng.normal(size=900)
    error = rng.normal(size=900) * np.array([0.1, 1.0, 0.5])[label]
    units = np.array([100.0, 1.0, 2.0])
    found = calibrated_intervals(packed(label, prediction, prediction + error, deviation=units))
    assert list(found.widths) == [str(level) for level in LEVELS]
    for number in range(3):
        own = np.sort(np.abs(error[label == number])) * units[number]
        rank = int(np.ceil((len(own) + 1) * 0.9 - 1e-9))
        assert found.widths["0.9"][number] == pytest.approx(own[rank - 1], rel=1e-4)


def test_coverage_is_the_share_inside() -> None:
    label, prediction = np.array([0, 0, 0, 1, 1]), np.zeros(5)
    target = np.array([0.5, -1.5, 1.0, 3.0, 9.0])
    intervals = IntervalCalibration(widths={"0.9": (None, 1.0, 4.0), "0.5": (None, 0.6, None)})
    found = coverage(packed(label, prediction, target), intervals, first=1)
    np.testing.assert_allclose(found["0.9"], [2 / 3, 1 / 2])
    np.testing.assert_allclose(found["0.5"], [1 / 3, np.nan])


def test_logistic_curves_are_those_of_a_logistic_regression() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0.5, 2, 3000)
    targets = (rng.random(3000) < expit(0.4 * logits - 1)).astype(float)
    scale, shift = platt(logits, targets)
    # The prior of a few counts hardly moves a fit to thousands.
    reference = LogisticRegression(C=np.inf, max_iter=1000).fit(logits[:, None], targets)
    assert scale == pytest.approx(reference.coef_[0, 0], abs=0.01)
    assert shift == pytest.approx(reference.intercept_[0], abs=0.01)
    other = rng.normal(0.5, 2, 3000)
    truth = expit(0.4 * other - 1)
    answers = (rng.random(3000) < truth).astype(float)
    assert calibration_error(expit(scale * other + shift), answers) < 0.05 < calibration_error(expit(other), answers)


def test_few_positives_and_parted_classes_stay_finite() -> None:
    assert platt(np.linspace(-1, 1, 50), np.r_[np.zeros(41), np.ones(9)]) == (1.0, 0.0)
    assert platt(np.full(50, np.nan), np.r_[np.zeros(25), np.ones(25)]) == (1.0, 0.0)
    scale, shift = platt(np.linspace(-3, 3, 60), (np.linspace(-3, 3, 60) > 0).astype(float))
    assert np.isfinite([scale, shift]).all()
    assert scale > 1
    # A model that ranks the wrong way round is not turned over.
    reversed_scale, _ = platt(-np.linspace(-3, 3, 60), (np.linspace(-3, 3, 60) > 0).astype(float))
    assert reversed_scale == 0
    label = np.r_[np.zeros(40, int), np.ones(60, int)]
    logits = np.r_[np.zeros(40), np.linspace(-3, 3, 60)]
    found = calibrated_probabilities(packed(label, logits, np.r_[np.zeros(40), logits[40:] > 0]))
    assert (found.scale[0], found.shift[0]) == (1.0, 0.0)
    assert found.scale[1] == pytest.approx(scale, rel=1e-3)


def test_the_calibration_error_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(2)
    probabilities = rng.random(500)
    targets = (rng.random(500) < probabilities**2).astype(float)
    gaps = 0.0
    for low in np.arange(10) / 10:
        inside = (probabilities >= low) & (probabilities < low + 0.1)
        if inside.any():
            gaps += inside.mean() * abs(probabilities[inside].mean() - targets[inside].mean())
    assert calibration_error(probabilities, targets) == pytest.approx(gaps, abs=1e-9)
    assert calibration_error(np.array([1.0, 1.0]), np.array([1, 1])) == 0
