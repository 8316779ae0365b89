"""The pages of a sweep that is made up: every trial in the tables and plots, nothing unescaped."""

import json
import math
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from molfound.sweep.page import html_page, markdown_page, print_results
from molfound.sweep.results import to_json
from molfound.sweep.sweep_file import Parameter
from molfound.sweep.trial import Results, State, Trial, best_trial

EVIL = "<b>a|b*c"
SPACE = {
    "training.optimizer.lr": {"log_uniform": [1e-4, 1e-1]},
    "model.encoder.dropout": {"uniform": [0, 0.5]},
    "model.inputs.dropout": {"uniform": [0, 0.5]},
    "model.encoder.depth": {"int": [2, 6]},
    "model.encoder.width": {"int": [16, 128]},
    "model.readout.pooling": {"choice": [["sum"], ["sum", "max"], EVIL]},
}


def trial(number: int, state: State, course: list[float], **changes: Any) -> Trial:
    values = {
        "training.optimizer.lr": 10.0 ** (-4 + number % 3),
        "model.encoder.dropout": 0.05 * number,
        "model.inputs.dropout": 0.25,
        "model.encoder.depth": 2 + number % 5,
        "model.encoder.width": 16 + number,
        "model.readout.pooling": ["sum"] if number % 2 else EVIL,
    }
    return Trial(number, state, values, dict(enumerate(course, 1)), **changes)


@pytest.fixture
def results() -> Results:
    trials = [
        trial(0, "finished", [0.9, 0.5, 0.6]),
        trial(1, "failed", [0.001], reason=EVIL),
        trial(2, "pruned", [math.nan, 0.25]),
        trial(3, "finished", [0.75, 0.375]),
        trial(4, "failed", [], reason="out of memory"),
        trial(5, "running", [0.8]),
    ]
    space = {key: Parameter.model_validate(form) for key, form in SPACE.items()}
    return Results("small", "tiny", "val/loss", "min", space, 9, trials, {"training.optimizer.lr": 0.75, EVIL: 0.125})


def test_the_best_is_the_first_finished_trial_with_the_best_value(results: Results) -> None:
    assert results.best is results.trials[3]
    assert best_trial(results.trials, "max") is results.trials[0]
    assert best_trial([], "min") is None
    equal = [trial(0, "finished", [0.5]), trial(1, "finished", [0.5])]
    assert best_trial(equal, "max") is equal[0]


def test_the_markdown_page_has_every_trial(results: Results) -> None:
    page = markdown_page(results)
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in page.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in rows]
    assert cells[0][:7] == ["trial", "state", "value", "epoch", "epochs", "lr", "encoder.dropout"]
    assert cells[0][-1] == "pooling"
    best = ["3", "finished", "0.3750", "2", "2", "0.0001", "0.15", "0.25", "5", "19", "[sum]"]
    assert [f"**{cell}**" for cell in best] in cells
    assert cells[2][:5] == ["0", "finished", "0.5000", "2", "3"]
    assert cells[6][:5] == ["4", "failed", "—", "", "0"]
    assert "9 trials, 2 finished, 1 pruned, 2 failed, 1 running" in page
    assert "Best: trial 3, val/loss 0.3750 at epoch 2, with training.optimizer.lr=0.0001" in page
    assert "Of so few trials (2) it is a hint." in page
    assert "- trial 4 failed: out of memory" in page


class Page(HTMLParser):
    """Collects what is in a page, and checks that every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.marks: list[str] = []
        self.links: list[str] = []
        self.lines = self.plots = 0
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        if tag not in ("meta", "path", "rect") or (tag == "path" and str(found.get("class")).startswith("mark")):
            self.open.append(tag)
        self.plots += found.get("class") == "plot"
        self.lines += tag == "polyline"
        if tag == "path" and str(found.get("class")).startswith("mark"):
            self.marks.append(str(found["class"]))
        if tag == "a":
            self.links.append(str(found["href"]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        pass


def test_the_html_page_draws_every_trial_that_counts(results: Results) -> None:
    text = html_page(results)
    page = Page(text)
    assert page.plots == 3 + len(SPACE)
    assert sorted(page.marks) == sorted(["mark c0", "mark c0", "mark c1", "mark c4"] * (1 + len(SPACE)))
    assert page.lines == 1 + 4  # the best so far, and the courses
    assert page.links == ["trials/0000/report.html", "trials/0003/report.html"]
    assert "<b>a" not in text
    assert "<td><b>finished</b></td>" in text
    assert "http" not in text.replace("http-equiv", "")
    assert "nan" not in re.sub(r"<style>.*?</style>|<script>.*?</script>", "", text, flags=re.DOTALL).lower()


def test_pages_are_there_before_any_trial_has_an_epoch(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    for trials in ([], [trial(0, "failed", [], reason="no")], [trial(0, "pruned", [math.nan])]):
        early = Results("small", "tiny", "val/loss", "min", results.space, 9, trials, {})
        Page(html_page(early))
        markdown_page(early)
        print_results(early)
        assert "No trial has finished yet." in capsys.readouterr().out


def test_json_has_every_trial_with_undefined_figures_as_null(results: Results) -> None:
    told = json.loads(to_json(results))
    assert told["best"] == 3
    assert [entry["state"] for entry in told["trials"]] == [trial.state for trial in results.trials]
    assert told["trials"][2]["course"] == {"1": None, "2": 0.25}
    assert told["trials"][0]["values"]["model.readout.pooling"] == EVIL
    assert (told["trials"][4]["value"], told["trials"][4]["reason"]) == (None, "out of memory")
