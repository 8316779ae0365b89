"""The plots of a report: right where there is a reference, and whole whatever they are given."""

import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import auc, average_precision_score, roc_auc_score

from molfound.training.report.plots import (
    POINTS,
    Axis,
    histogram,
    line_plot,
    precision_recall_plot,
    reliability_plot,
    roc_plot,
    scatter_plot,
)
from molfound.training.report.rates import VERTICES, precision_recall_curve, reliability, roc_curve
from molfound.training.report.style import STYLE
from molfound.training.report.tables import number
from tests.training.html_document import Document


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=80))
@settings(max_examples=60, deadline=None)
def test_the_area_under_a_roc_curve_is_the_auroc(pairs):
    target, prediction = (np.array(values, float) for values in zip(*pairs, strict=True))
    if len(set(target)) == 2:
        false, true = roc_curve(target, prediction)
        assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
        assert auc(false, true) == pytest.approx(roc_auc_score(target, prediction))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=80))
@settings(max_examples=60, deadline=None)
def test_the_area_under_a_precision_recall_curve_is_the_average_precision(pairs):
    target, prediction = (np.array(values, float) for values in zip(*pairs, strict=True))
    if target.any():
        recall, precision = precision_recall_curve(target, prediction)
        assert (recall[0], recall[-1], precision[-1]) == (0, 1, target.mean())
        assert auc(recall, precision) == pytest.approx(average_precision_score(target, prediction))


def test_reliability_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    prediction = np.append(rng.random(400) ** 2, 1.0)
    target = (rng.random(401) < prediction).astype(float)
    said, true, counts = reliability([(target[:70], prediction[:70]), (target[70:], prediction[70:])])
    expected_true, expected_said = calibration_curve(target, prediction, n_bins=10)
    assert np.allclose(said, expected_said)
    assert np.allclose(true, expected_true)
    assert counts.sum() == 401


def test_large_plots_are_thinned_the_same_way_each_time():
    rng = np.random.default_rng(0)
    target, prediction = rng.normal(size=(2, 5 * POINTS))
    plot = scatter_plot("big", target, prediction, x_label="x", y_label="y")
    assert plot.count("h0") == POINTS
    assert plot == scatter_plot("big", target, prediction, x_label="x", y_label="y")
    false, true = roc_curve((target > 0).astype(float), target + prediction)
    assert len(false) == len(true) <= VERTICES + 2
    assert auc(false, true) == pytest.approx(roc_auc_score(target > 0, target + prediction), abs=2e-3)


EDGES = {
    "empty": np.empty(0),
    "one": np.array([3.0]),
    "constant": np.zeros(4),
    "not finite": np.array([1.0, np.nan, np.inf]),
    "wide": np.array([1e-12, 1.0, 1e12]),
    "negative": np.array([-3.0, -1e-3]),
}


@pytest.mark.parametrize("name", EDGES)
def test_plots_take_whatever_comes(name):
    values = EDGES[name]
    plots = [
        line_plot("line", {"train": (np.arange(len(values)) + 0.0, values)}, x_label="x", y_label="y"),
        histogram("histogram", values, x_label="x"),
        scatter_plot("parity", values, values, x_label="target", y_label="prediction"),
        roc_plot("roc", {}),
        precision_recall_plot("precision and recall", {}),
        reliability_plot("reliability", *reliability([])),
    ]
    for plot in plots:
        Document(plot)
        assert "nan" not in plot
        assert "inf" not in plot


@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-3, 1e6))
@settings(max_examples=60, deadline=None)
def test_ticks_are_few_and_on_the_axis(low, span):
    axis = Axis(low, low + span)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 7
    assert all(axis.low <= tick <= axis.high for tick in ticks)
    assert np.allclose(np.diff(ticks), np.diff(ticks)[0])


def test_a_histogram_counts_every_value():
    values = np.random.default_rng(0).normal(size=500)
    counts = [int(count) for count in re.findall(r": (\d+)</title>", histogram("h", values, x_label="x"))]
    assert sum(counts) == 500


def test_numbers():
    assert [number(value) for value in (None, 0.12, 1234.0, 1e-7, 0.0)] == ["—", "0.1200", "1234", "1.000e-07", "0.000"]


def linear_rgb(colour):
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """Contrast of WCAG 2."""
    dark, light = sorted(linear_rgb(colour) @ [0.2126, 0.7152, 0.0722] for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(linear):
    """CIE L*a*b* under D65."""
    matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    share = matrix @ np.clip(linear, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
VISIONS = {
    "trichromat": np.eye(3),
    "protanope": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranope": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_stand_out_from_the_page_and_from_each_other(scheme):
    found = re.findall(r"--(\w+): (#[0-9a-f]{3,6})", STYLE)
    half = len(found) // 2
    colours = {
        name: colour if len(colour) == 7 else f"#{colour[1:] * 2}" for name, colour in found[half * scheme :][:half]
    }
    for text in ("ink", "soft"):
        assert contrast(colours[text], colours["page"]) >= 4.5
    series = [colours[f"c{number}"] for number in range(6)]
    assert min(contrast(colour, colours["page"]) for colour in series) >= 3
    for vision in VISIONS.values():
        seen = [lab(vision @ linear_rgb(colour)) for colour in series]
        assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 25
