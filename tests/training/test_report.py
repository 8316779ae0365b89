"""The report of an invented run: whole, escaped, self-contained, accessible, and its figures those of the files."""

import json

import pytest

from molfound.errors import MolfoundError
from molfound.training.report import write_report
from molfound.training.report.tables import number
from tests.training.html_document import Document, assert_accessible, assert_self_contained
from tests.training.invented_run import EVIL, TASKS, write_run


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
    assert {
        "loss, all tasks",
        "loss, alerts",
        "gap, test",
        "ROC, test",
        "precision-recall, test",
        "auroc of the labels, test",
    } <= plots
    assert EVIL in "".join(document.text)


def test_nothing_is_loaded_and_nothing_is_executed_from_the_data(html):
    assert_self_contained(html)
    assert EVIL not in html


def test_it_can_be_read_with_a_keyboard_and_by_a_screen_reader(html):
    assert_accessible(html)


def test_figures_are_those_of_the_files(tmp_path):
    run = write_run(tmp_path / "toy")
    tables = Document(write_report(run).read_text(encoding="utf-8")).tables
    scores = json.loads((run / "scores.json").read_text())
    baselines = json.loads((run / "baselines.json").read_text())
    for task, (_, _, labels) in TASKS.items():
        metrics = scores["test"][task]
        first = next(iter(metrics))
        of_baselines = [number(baselines[task][name][first]) for name in ("mean", "forest")]
        overview = next(row for row in tables[0] if row[0] == task)
        assert overview[4:] == [first, number(metrics[first]["mean"]), *of_baselines]
        of_task = [table for table in tables if table[0] == ["label", "values", *metrics] and table[1][0] == labels[0]]
        assert len(of_task) == 1
        for row in of_task[0][1:]:
            expected = [number(score["labels"][row[0]]) for score in metrics.values()]
            assert row[1:] == [str(metrics[first]["used"][row[0]]), *expected]


def test_time_and_worst_molecules_are_told(html):
    document = Document(html)
    time = dict(next(table for table in document.tables if table[0] == ["", "A Processor"])[1:])
    assert time["parameters"] == "12,345"
    assert time["training"] == "16.0 s"
    assert time["of it waiting for batches"] == "25.0%"
    assert time["molecules per second of training"] == "500"
    assert "C/C=C/C#N" in document.labels("svg")
    assert "is 1.250, predicted -3.500: 9.75 deviations" in "".join(document.text)
    assert "No molecule is on the wrong side of 0.5." in document.text


def test_tasks_of_thousands_of_labels_have_a_report_of_bounded_size(tmp_path):
    small = len(write_report(write_run(tmp_path / "small", labels=200)).read_bytes())
    large = len(write_report(write_run(tmp_path / "large", labels=2200)).read_bytes())
    assert large - small < 2000 * 300  # the rows of their table, and nothing else


def test_a_metric_is_followed_over_the_epochs_beside_the_loss(html):
    plots = {attrs["aria-label"] for _, attrs in Document(html).elements if "aria-label" in attrs}
    assert {"r2, energies", "auroc, alerts", "accuracy, kinds"} <= plots  # a regression's loss is its mae
    assert not any("log_variance" in name for name in plots)


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
        ["timing.jsonl", "worst.json"],
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


def test_a_model_that_comes_with_molfound_is_told_of_in_a_file_that_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MolfoundError, match=r"toymix-gine is no folder .* name a file"):
        write_report("toymix-gine")
    document = Document(write_report("toymix-gine", tmp_path / "report.html").read_text(encoding="utf-8"))
    assert document.headings[0] == (1, "toymix-gine")
    kept = tmp_path / "table.csv"
    kept.write_text("mine")
    with pytest.raises(MolfoundError, match=r"a report is a file that ends in \.html, not .*table\.csv"):
        write_report("toymix-gine", kept)
    assert kept.read_text() == "mine"
    assert "tox21" in document.text
