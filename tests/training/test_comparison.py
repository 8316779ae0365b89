"""The comparison of invented runs: what differs, the best marked only where figures can be compared, nothing lost."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from molfound.cli import main
from molfound.errors import MolfoundError
from molfound.training.report.comparison import distinct_names, write_comparison
from molfound.training.report.tables import number
from tests.training.html_document import Document, assert_accessible, assert_self_contained
from tests.training.invented_run import EVIL, TASKS, write_run

NAMES = ["gin/seed1", "gine/seed1"]


@pytest.fixture
def pair(tmp_path):
    return [write_run(tmp_path / name, seed=number, lr=0.1 + number) for number, name in enumerate(NAMES)]


def compared(folders, tmp_path):
    html = write_comparison(folders, tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert_self_contained(html)
    assert_accessible(html)
    assert EVIL not in html
    return html, Document(html)


def rows_of(html, task):
    """The rows of a task's table of figures, as HTML cells."""
    section = html[html.index(f"<h3>{task}</h3>") :]
    body = re.search(r"<tbody>(.*?)</tbody>", section, re.S)[1]
    return [re.findall(r"<td[^>]*>(.*?)</td>", row, re.S) for row in re.findall(r"<tr>(.*?)</tr>", body, re.S)]


def test_figures_are_those_of_the_runs_and_the_best_is_bold(pair, tmp_path):
    html, _ = compared(pair, tmp_path)
    scores = [json.loads((run / "scores.json").read_text())["test"] for run in pair]
    directions = {"energies": {"mae": min, "r2": max}, "alerts": {"auroc": max, "ap": max}}
    for task, metrics in directions.items():
        rows = rows_of(html, task)
        assert [row[0] for row in rows] == NAMES
        for column, (metric, better) in enumerate(metrics.items(), 1):
            means = [of_run[task][metric]["mean"] for of_run in scores]
            labels = len(TASKS[task][2]) - 1  # of one the metric is undefined
            for row, mean in zip(rows, means, strict=True):
                figure = f"<b>{number(mean)}</b>" if mean == better(means) else number(mean)
                assert row[column] == f"{figure} <small>{labels}</small>"
    assert "mae ↓" in html
    assert "auroc ↑" in html


def test_what_differs_in_the_configurations_is_told(pair, tmp_path):
    _, document = compared(pair, tmp_path)
    table = next(table for table in document.tables if table[0][0] == "key")
    assert table == [["key", *NAMES], ["seed", "0", "1"], ["training.optimizer.lr", "0.1", "1.1"]]


def test_curves_times_and_labels_stand_side_by_side(pair, tmp_path):
    html, document = compared(pair, tmp_path)
    plots = document.labels("svg")
    assert {"loss, all tasks, val", "loss, alerts, val", "auroc of the labels of alerts"} <= set(plots)
    curves = re.search(r'aria-label="loss, energies, val">.*?</svg>', html, re.S)[0]
    assert [f"<title>{name}</title>" in curves for name in NAMES] == [True, True]
    labels = re.search(r'aria-label="auroc of the labels of alerts">.*?</svg>', html, re.S)[0]
    assert len(re.findall(r"<title>alert_\d+</title>", labels)) == len(TASKS["alerts"][2]) - 1
    time = next(table for table in document.tables if table[1][0] == "device")
    assert {row[0]: row[1:] for row in time}["parameters"] == ["12,345", "12,345"]


def test_no_best_where_labels_or_test_molecules_differ(pair, tmp_path):
    scores = json.loads((pair[1] / "scores.json").read_text())
    for metric in scores["test"]["energies"].values():
        metric["used"]["gap"] = 29
    (pair[1] / "scores.json").write_text(json.dumps(scores))
    data = json.loads((pair[1] / "data.json").read_text())
    data["toys"]["split"] = "another"
    html, _ = compared(pair, tmp_path)
    assert not any("<b>" in cell for row in rows_of(html, "energies") for cell in row)
    assert any("<b>" in cell for row in rows_of(html, "alerts") for cell in row)
    (pair[1] / "data.json").write_text(json.dumps(data))
    html, _ = compared(pair, tmp_path)
    assert not any("<b>" in cell for row in rows_of(html, "alerts") for cell in row)
    assert html.count("none is marked as the best") == len(TASKS)


def test_errors_in_other_deviations_have_no_best(pair, tmp_path):
    for run, deviation in zip(pair, (2.0, 3.0), strict=True):
        scores = json.loads((run / "scores.json").read_text())
        for part in scores.values():
            of_task = part["energies"]
            values = {label: deviation * value for label, value in of_task["mae"]["labels"].items() if value}
            of_task["mae_original"] = of_task["mae"] | {"labels": of_task["mae"]["labels"] | values}
        (run / "scores.json").write_text(json.dumps(scores))
    html, document = compared(pair, tmp_path)
    heads = next(table for table in document.tables if "mae ↓" in table[0])[0]
    marked = [any("<b>" in row[column] for row in rows_of(html, "energies")) for column in range(len(heads))]
    assert dict(zip(heads, marked, strict=True)) == {
        "run": False, "mae ↓": False, "r2 ↑": True, "mae_original ↓": True
    }  # fmt: skip


def test_errors_in_other_normalisations_have_no_best(pair, tmp_path):
    for run, normalize in zip(pair, ("standard", "none"), strict=True):
        model, scores = (json.loads((run / name).read_text()) for name in ("model.json", "scores.json"))
        model["tasks"]["energies"]["normalize"] = normalize
        for part in scores.values():
            part["energies"]["mse"] = part["energies"].pop("mae")  # without the original unit beside it
        for name, content in (("model.json", model), ("scores.json", scores)):
            (run / name).write_text(json.dumps(content))
    html, document = compared(pair, tmp_path)
    heads = next(table for table in document.tables if "mse ↓" in table[0])[0]
    marked = {head: any("<b>" in row[place] for row in rows_of(html, "energies")) for place, head in enumerate(heads)}
    assert (marked["mse ↓"], marked["r2 ↑"]) == (False, True)


def test_runs_that_share_no_task_are_told_so(pair, tmp_path):
    for name in ("model.json", "scores.json"):
        text = (pair[1] / name).read_text()
        for task in TASKS:
            text = text.replace(f'"{task}"', f'"other {task}"')
        (pair[1] / name).write_text(text)
    html, document = compared(pair, tmp_path)
    assert "These runs share no task" in html
    assert [text for level, text in document.headings if level == 3] == [*TASKS, *(f"other {task}" for task in TASKS)]
    assert "<b>" not in html


def test_runs_without_some_of_their_files_are_compared_all_the_same(pair, tmp_path):
    for name in ("scores.json", "metrics.jsonl", "timing.jsonl"):
        (pair[1] / name).unlink()
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / "config.yaml").write_bytes((pair[0] / "config.yaml").read_bytes())
    html, document = compared([*pair, tmp_path / "third"], tmp_path)
    assert [row[0] for row in rows_of(html, "energies")] == [pair[0].parent.name + "/seed1"]
    assert document.tables[-1][0] == ["", "gin/seed1", "gine/seed1", f"{tmp_path.name}/third"]


def test_a_run_keeps_its_line_where_another_has_no_figures(pair, tmp_path):
    (pair[0] / "timing.jsonl").unlink()
    html, _ = compared(pair, tmp_path)
    for plot in ("loss, energies, val", "molecules per second of training"):
        section = re.search(rf'aria-label="{plot}">.*?</svg>', html, re.S)[0]
        styles = re.findall(r'<polyline class="line (c\d d\d)" points="[^"]+"><title>gine/seed1<', section)
        assert styles == ["c1 d1"]


def test_many_runs_have_lines_of_their_own(tmp_path):
    runs = [write_run(tmp_path / f"run{number}", seed=number, rows=20, epochs=2) for number in range(9)]
    html, _ = compared(runs, tmp_path)
    curves = re.search(r'aria-label="loss, energies, val">.*?</svg>', html, re.S)[0]
    assert len(set(re.findall(r'class="line (c\d d\d)"', curves))) == 9


def test_an_archive_is_compared_by_its_name(pair, tmp_path, monkeypatch):
    monkeypatch.setenv("MOLFOUND_CACHE", str(tmp_path / "cache"))
    archive = shutil.make_archive(str(tmp_path / "given"), "zip", pair[1])
    html, _ = compared([pair[0], archive], tmp_path)
    assert [row[0] for row in rows_of(html, "energies")] == ["seed1", "given.zip"]


def test_names_tell_folders_apart():
    assert distinct_names([Path("/a/x"), Path("/a/y")]) == ["x", "y"]
    assert distinct_names([Path("/a/x/1"), Path("/b/x/1"), Path("/b/y/1")]) == ["a/x/1", "b/x/1", "b/y/1"]
    with pytest.raises(MolfoundError, match="named twice"):
        distinct_names([Path("/a/x"), Path("/a/y"), Path("/a/./x")])


def test_command(pair, tmp_path, capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main(["report", *map(str, arguments)])
        return stopped.value.code, capsys.readouterr()

    assert run(pair[0])[0] == 0
    assert (pair[0] / "report.html").is_file()
    assert run(pair[0], "-o", tmp_path / "elsewhere.html")[0] == 0
    assert (tmp_path / "elsewhere.html").read_bytes() == (pair[0] / "report.html").read_bytes()
    status, told = run(*pair)
    assert (status, told.err.count("\n")) == (2, 1)
    assert "-o comparison.html" in told.err
    status, told = run(*pair, "-o", tmp_path / "comparison.html")
    assert (status, told.out) == (0, f"{tmp_path / 'comparison.html'}\n")
    status, told = run(pair[0], tmp_path, "-o", tmp_path / "comparison.html")
    assert (status, told.err) == (2, f"error: {tmp_path} is not a run folder: it has no config.yaml\n")


def test_the_invented_configuration_is_a_whole_one(pair):
    assert yaml.safe_load((pair[0] / "config.yaml").read_text())["tasks"].keys() == TASKS.keys()
