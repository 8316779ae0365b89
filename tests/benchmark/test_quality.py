"""A suite trained, killed, resumed and told: figures against numpy, pages against the figures."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from molfound.benchmark.cells import Cell, check_unchanged, chosen_cells, suite_cells
from molfound.benchmark.quality import SuiteInterruptedError, one_runner, run_cells
from molfound.benchmark.results import Figure, Results, collect, to_json
from molfound.benchmark.suite import LoadedSuite, load_suite
from molfound.benchmark.table import html_page, markdown_page, text_page
from molfound.config import Experiment
from molfound.errors import MolfoundError
from molfound.training.recorder import RunRecorder, TrainingInterruptedError
from molfound.training.train import train
from tests.benchmark.conftest import WriteSuite


class Killed(BaseException):
    """Stands for the end of the process."""


def run(cells: list[Cell]) -> tuple[dict[str, str], list[str]]:
    said: list[str] = []
    return run_cells(cells, say=said.append, after_each=lambda failed: None), said


def small(write_suite: WriteSuite, folder: Path, **changes: Any) -> tuple[LoadedSuite, list[Cell]]:
    """Return a suite of one model and its cells."""
    loaded = load_suite(write_suite(models={"gine": {"config": "tiny.yaml"}}, **changes))
    return loaded, suite_cells(loaded, folder / "out")


def test_figures_are_means_and_deviations_over_the_seeds(write_suite: WriteSuite, folder: Path) -> None:
    loaded, cells = small(write_suite, folder)
    assert run(cells)[0] == {}
    results = collect(loaded, cells)
    assert {cell["state"] for cell in results.cells} == {"finished"}
    found = {(f.task, f.metric, f.model, f.learned): f for f in results.figures if f.kind != "published"}
    for task, metric, mixture in (("logp", "mae", "props"), ("acid", "bce", "multi"), ("neighbours", "mae", "atoms")):
        scores = [
            json.loads((folder / f"out/{mixture}/random/gine/seed{seed}/scores.json").read_text())["test"]
            for seed in (0, 1)
        ]
        values = [score[task][metric]["mean"] for score in scores]
        assert len(set(values)) == 2
        figure = found[task, metric, "gine", "multi" if mixture == "multi" else "single"]
        assert figure.mean == pytest.approx(np.mean(values), rel=1e-12)
        assert figure.deviation == pytest.approx(np.std(values, ddof=1), rel=1e-12)
        assert figure.seeds == 2
    mean = found["logp", "mae", "mean", "single"]
    fitted = json.loads((folder / "out/props/random/mean/seed0/baselines.json").read_text())
    assert (mean.mean, mean.deviation, mean.seeds) == (fitted["logp"]["mean"]["mae"], None, 1)
    assert found["neighbours", "mae", "forest", "single"].seeds == 2
    for key, figure in found.items():
        others = [f.mean for k, f in found.items() if k[:2] == key[:2] and f.mean is not None]
        assert figure.best == (figure.mean == (max(others) if figure.greater_is_better else min(others)))
    published = [(f.model, f.learned, f.mean, f.best) for f in results.figures if f.kind == "published"]
    assert published == [("GINE", "single", 0.25, False), ("GINE", "multi", 0.125, False)]


def test_a_suite_run_again_skips_what_is_finished(write_suite: WriteSuite, folder: Path) -> None:
    _, cells = small(write_suite, folder, mixtures=["single"], baselines=["mean"])
    run(cells)
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*.json")}
    failed, said = run(cells)
    assert failed == {}
    assert len(said) == len(cells)
    assert all(line.endswith("finished before") for line in said)
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*.json")} == before


@pytest.mark.parametrize("batches", [1, 6])
def test_a_suite_killed_in_a_training_ends_with_the_same_figures(
    write_suite: WriteSuite, folder: Path, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    changes: dict[str, Any] = {
        "mixtures": ["multi"],
        "baselines": ["mean"],
        "overrides": ["training.epochs=2", "training.checkpoint_steps=1", "data.batch.size=20"],
    }
    loaded, cells = small(write_suite, folder, **changes)
    whole = suite_cells(loaded, folder / "whole")
    run(whole)
    with monkeypatch.context() as patched:
        _die_at_batch(patched, batches)
        with pytest.raises(Killed):
            run(cells)
    assert [cell.state for cell in cells if cell.mixture == "multi"][1] == "waiting"
    failed, said = run(suite_cells(loaded, folder / "out"))
    assert failed == {}
    assert any("finished before" in line for line in said)
    assert any("going on" in line for line in said) == (batches > 1)
    assert collect(loaded, cells) == collect(loaded, whole)


def _die_at_batch(patched: pytest.MonkeyPatch, batches: int, error: type[BaseException] = Killed) -> None:
    original, seen = RunRecorder.on_train_batch_end, 0

    def count(self: RunRecorder, *arguments: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == batches:
            raise error
        original(self, *arguments)

    patched.setattr(RunRecorder, "on_train_batch_end", count)


def test_a_suite_interrupted_in_a_training_names_its_cell(
    write_suite: WriteSuite, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, cells = small(write_suite, folder)
    _die_at_batch(monkeypatch, 1, TrainingInterruptedError)
    with pytest.raises(SuiteInterruptedError, match="props/random/gine/seed0"):
        run(chosen_cells(cells, ["props/random/gine"]))


def test_a_suite_interrupted_anywhere_else_names_its_cell(
    write_suite: WriteSuite, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(experiment: Experiment) -> None:
        raise KeyboardInterrupt

    _, cells = small(write_suite, folder)
    monkeypatch.setattr("molfound.benchmark.quality.fit_baselines", interrupted)
    with pytest.raises(SuiteInterruptedError, match="atoms/random/forest/seed1"):
        run(chosen_cells(cells, ["atoms/random/forest/seed1"]))


def test_a_changed_configuration_is_refused_with_its_key(write_suite: WriteSuite, folder: Path) -> None:
    loaded, cells = small(write_suite, folder)
    chosen = chosen_cells(cells, ["props/random/gine/seed0", "props/random/mean"])
    run(chosen)
    check_unchanged(suite_cells(loaded, folder / "out", ["training.threads=2", "data.store=elsewhere"]))
    with pytest.raises(MolfoundError, match=r"props/random/gine/seed0 was begun .*training.epochs \(1, now 3\); take"):
        check_unchanged(suite_cells(loaded, folder / "out", ["training.epochs=3"]))
    # A baseline knows nothing of the model, but of the data it does.
    baseline = "props/random/mean"
    changed = suite_cells(loaded, folder / "out", ["training.epochs=3", "model.encoder.width=4"])
    check_unchanged(chosen_cells(changed, [baseline]))
    with pytest.raises(MolfoundError, match=r"data.max_heavy_atoms \(1000, now 8\)"):
        check_unchanged(chosen_cells(suite_cells(loaded, folder / "out", ["data.max_heavy_atoms=8"]), [baseline]))


def test_a_cell_that_fails_does_not_stop_the_others(write_suite: WriteSuite, folder: Path) -> None:
    loaded, cells = small(write_suite, folder, baselines=["mean"], mixtures=["single"])
    path = folder / "props.yaml"
    manifest = yaml.safe_load(path.read_text())
    manifest["weight"] = "wait"
    path.write_text(yaml.safe_dump(manifest))
    failed, said = run(cells)
    assert set(failed) == {cell.name for cell in cells if cell.mixture == "props"}
    assert all("wait" in reason for reason in failed.values())
    assert sum("failed" in line for line in said) == len(failed)
    results = collect(loaded, cells, failed)
    assert {figure.task for figure in results.figures if figure.kind != "published"} == {"neighbours"}
    assert "props/random/gine/seed0 failed: " in markdown_page(loaded, results)


def test_a_cell_that_memory_does_not_suffice_for_does_not_stop_the_others(
    write_suite: WriteSuite, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, cells = small(write_suite, folder, baselines=["mean"], mixtures=["single"])
    first = next(cell for cell in cells if not cell.baseline)

    def short(experiment: Experiment) -> None:
        if experiment.run_folder == first.run.path:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")
        train(experiment)

    monkeypatch.setattr("molfound.benchmark.quality.train", short)
    failed, _ = run(cells)
    assert failed == {first.name: "out of memory: CUDA out of memory. Tried to allocate 2 GiB"}


def test_flattened_metrics_and_other_units_have_their_place(write_suite: WriteSuite, folder: Path) -> None:
    flattened = "tasks.logp.metrics=[mae, r2, {name: r2, aggregation: flattened}]"
    models = {
        "standardised": {"config": "tiny.yaml", "overrides": [flattened]},
        "plain": {"config": "tiny.yaml", "overrides": [flattened, "tasks.logp.normalize=none"]},
    }
    chosen = {"models": models, "baselines": [], "mixtures": ["single"], "seeds": [0], "metrics": {}}
    loaded = load_suite(write_suite(**chosen))
    cells = chosen_cells(suite_cells(loaded, folder / "out"), ["props"])
    assert run(cells)[0] == {}
    figures = [figure for figure in collect(loaded, cells).figures if figure.kind == "model" and figure.task == "logp"]
    best = {metric: sum(f.best for f in figures if f.metric == metric) for metric in ("mae", "r2", "r2_flattened")}
    assert best == {"mae": 0, "r2": 1, "r2_flattened": 1}


def test_a_folder_serves_one_process_at_a_time(tmp_path: Path) -> None:
    with one_runner(tmp_path), pytest.raises(MolfoundError, match="another process runs a suite"), one_runner(tmp_path):
        pass


def invented(learned: str, metric: str, mean: float | None, **changes: Any) -> Figure:
    fields: dict[str, Any] = {
        "split": "random",
        "task": "logp",
        "metric": metric,
        "greater_is_better": metric == "r2",
        "model": "gine",
        "kind": "model",
        "learned": learned,
        "mean": mean,
        "deviation": 0.0125,
        "seeds": 3,
    }
    return Figure(**(fields | changes))


@pytest.fixture
def told(write_suite: WriteSuite) -> tuple[LoadedSuite, Results]:
    """Invented results of the tiny suite."""
    published = {"model": "GINE", "kind": "published", "deviation": None, "seeds": 0, "source": "Somebody (2024)"}
    figures = [
        invented("single", "mae", 0.5),
        invented("single", "r2", 0.75, best=True),
        invented("multi", "mae", 0.25, best=True),
        invented("multi", "r2", 0.5),
        invented("single", "mae", 1.0, model="mean", kind="baseline", deviation=None, seeds=1),
        invented("single", "r2", None, model="mean", kind="baseline", deviation=None, seeds=1),
        invented("single", "mae", 0.125, split=None, **published),
    ]
    cells = [
        {"cell": "props/random/gine/seed0", "state": "finished", "scores": {}},
        {"cell": "<b>|*", "state": "failed", "reason": "a <i> & b", "scores": {}},
        {"cell": "props/random/gine/seed2", "state": "waiting", "scores": {}},
    ]
    return load_suite(write_suite(title="A <b> suite")), Results(figures, cells)


def test_the_markdown_page_has_every_figure(told: tuple[LoadedSuite, Results]) -> None:
    page = markdown_page(*told)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]
    assert rows[0] == ["model", "learned", "seeds", "mae ↓", "r2 ↑"]
    assert ["gine", "alone", "3", "0.5000 ± 0.013", "**0.7500 ± 0.013**"] in rows
    assert ["gine", "together", "3", "**0.2500 ± 0.013**", "0.5000 ± 0.013"] in rows
    assert ["training mean", "alone", "1", "1.000", "—"] in rows
    assert ["*GINE [1]*", "alone", "", "*0.1250*", ""] in rows
    assert ["logp, random", "gine", "mae", "together", "0.5000 ± 0.013", "0.2500 ± 0.013"] in rows
    assert ["logp, random", "gine", "r2", "alone", "0.7500 ± 0.013", "0.5000 ± 0.013"] in rows
    assert "1. Somebody (2024). Protocol: other data" in page
    assert "1 of 3 cells are not finished" in page


def test_the_text_page_lines_up_and_cuts_nothing(told: tuple[LoadedSuite, Results]) -> None:
    lines = text_page(*told).splitlines()
    first = lines.index("logp, random split")
    table = lines[first + 1 : first + 6]
    assert table[0].split() == ["model", "learned", "seeds", "mae", "↓", "r2", "↑"]
    assert [line.index("alone") for line in table if "alone" in line] == [table[0].index("learned")] * 3
    assert "random forest" not in text_page(*told)
    assert "training mean" in text_page(*told)
    assert "0.7500 ± 0.013 *" in text_page(*told)


class Tags(HTMLParser):
    """Keeps the tags and texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not {"src", "href"} & {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_several_tasks_begin_with_a_table_of_their_first_metrics(told: tuple[LoadedSuite, Results]) -> None:
    loaded, results = told
    other = [invented("single", "bce", 0.375, task="acid", best=True), invented("single", "auroc", 0.625, task="acid")]
    page = markdown_page(loaded, Results([*results.figures, *other], []))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]
    assert rows[0] == ["model", "learned", "seeds", "logp mae ↓", "acid bce ↓"]
    assert ["gine", "alone", "3", "0.5000 ± 0.013", "**0.3750 ± 0.013**"] in rows
    assert ["*GINE [1]*", "alone", "", "*0.1250*", ""] in rows
    assert rows.index(["training mean", "alone", "1", "1.000", ""]) == 2
    assert page.count("## ") == 4


def test_the_html_page_is_one_file_that_loads_nothing(told: tuple[LoadedSuite, Results]) -> None:
    page = html_page(*told)
    parsed = Tags()
    parsed.feed(page)
    assert not re.search(r"https?://", page)
    assert not {"link", "img", "iframe"} & set(parsed.tags)
    assert {"A <b> suite", "0.2500\xa0±\xa00.013", "GINE\xa0[1]", "<b>|* failed: a <i> & b"} <= set(parsed.texts)
    assert parsed.tags.count("b") == 2
    assert parsed.tags.count("table") == 2


def test_the_json_holds_figures_and_cells(told: tuple[LoadedSuite, Results]) -> None:
    read = json.loads(to_json(*told))
    assert (read["suite"], read["part"], len(read["figures"]), len(read["cells"])) == ("tiny_suite", "test", 7, 3)
    assert read["figures"][2]["mean"] == 0.25
    assert read["figures"][5]["mean"] is None
    assert read["published"] == [{"source": "Somebody (2024)", "differs": "other data"}]
