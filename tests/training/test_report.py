"""The report of an invented run: whole, escaped, self-contained, and its plots right."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import auc, roc_auc_score

from molfound.errors import MolfoundError
from molfound.training.report import write_report
from molfound.training.report.plots import (
    POINTS,
    VERTICES,
    Axis,
    histogram,
    line_plot,
    parity_plot,
    roc_curve,
    roc_plot,
)
from molfound.training.report.tables import number
from tests.training.invented_run import EVIL, TASKS, write_run

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Document(HTMLParser):
    """Checks that every element is closed in its turn, and collects elements and text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.elements, self.text = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def count(self, tag, style=""):
        return sum(1 for name, attrs in self.elements if name == tag and style in attrs.get("class", "").split(" "))


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    path = write_report(write_run(tmp_path_factory.mktemp("runs") / "toy"))
    assert path.name == "report.html"
    return path.read_text(encoding="utf-8")


def test_every_task_label_and_figure_is_there(html):
    document = Document(html)
    for task, (level, kind, labels) in TASKS.items():
        assert ("h2", {"id": f"task-{task}"}) in document.elements
        assert f"{level} level, {kind}" in "".join(document.text)
        assert set(labels) <= set(document.text)
    assert {"mae", "r2", "auroc", "ap", "accuracy", "mean (test)", "forest (test)", "val", "test"} <= set(document.text)
    plots = {attrs["aria-label"] for tag, attrs in document.elements if tag == "svg"}
    assert {"loss, all tasks", "loss, alerts", "gap, test", "ROC, test", "auroc of the labels, test"} <= plots
    assert EVIL in "".join(document.text)


def test_nothing_is_loaded_and_nothing_is_executed_from_the_data(html):
    document = Document(html)
    assert "http:" not in html
    assert "https:" not in html
    assert "//" not in re.sub(r"<script>.*?</script>", "", html, flags=re.S)
    assert not any({"src", "srcset", "data"} & attrs.keys() for _, attrs in document.elements)
    assert all(attrs["href"].startswith("#") for _, attrs in document.elements if "href" in attrs)
    assert EVIL not in html
    assert document.count("script") == 1
    assert not any(name.startswith("on") for _, attrs in document.elements for name in attrs)


def test_same_files_same_report(tmp_path):
    run = write_run(tmp_path / "toy")
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


@pytest.mark.parametrize(
    "missing",
    [
        ["scores.json"],
        ["baselines.json"],
        ["metrics.jsonl"],
        ["predictions"],
        ["model.json"],
        ["scores.json", "predictions"],
    ],
)
def test_a_run_without_some_of_its_files_has_a_report(tmp_path, missing):
    run = write_run(tmp_path / "toy")
    for name in missing:
        path = run / name
        for file in path.glob("*") if path.is_dir() else [path]:
            file.unlink()
    document = Document(write_report(run).read_text(encoding="utf-8"))
    assert ("energies" in document.text) == ("model.json" not in missing)
    if "metrics.jsonl" in missing:
        assert not any("loss" in attrs.get("aria-label", "") for _, attrs in document.elements)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(MolfoundError, match="not a run folder"):
        write_report(tmp_path)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=80))
@settings(max_examples=60, deadline=None)
def test_the_area_under_a_roc_curve_is_the_auroc(pairs):
    target, prediction = (np.array(values, float) for values in zip(*pairs, strict=True))
    if len(set(target)) == 2:
        false, true = roc_curve(target, prediction)
        assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
        assert auc(false, true) == pytest.approx(roc_auc_score(target, prediction))


def test_large_plots_are_thinned_the_same_way_each_time():
    rng = np.random.default_rng(0)
    target, prediction = rng.normal(size=(2, 5 * POINTS))
    plot = parity_plot("big", target, prediction)
    assert plot.count("h0") == POINTS
    assert plot == parity_plot("big", target, prediction)
    false, true = roc_curve((target > 0).astype(float), target + prediction)
    assert len(false) == len(true) == VERTICES
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
        parity_plot("parity", values, values),
        roc_plot("roc", {}),
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
