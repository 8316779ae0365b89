"""Suites of models that start from a run, and of baselines on its embeddings."""

from pathlib import Path
from typing import Any

import pytest

from molfound.benchmark.cells import Cell, check_unchanged, chosen_cells, suite_cells
from molfound.benchmark.plan import check_possible, plan
from molfound.benchmark.quality import run_cells
from molfound.benchmark.results import collect
from molfound.benchmark.suite import LoadedSuite, load_suite
from molfound.benchmark.table import BASELINES as NAMES
from molfound.config import load_config
from molfound.config.schema import BASELINES
from molfound.errors import MolfoundError
from molfound.training.finish import mixture_baselines
from molfound.training.mixture import load_task_mixture
from molfound.training.same_experiment import differing_keys
from tests.benchmark.conftest import WriteSuite

STARTED = "training.pretrained.run"


def transfer(write_suite: WriteSuite, folder: Path, run: object, *overrides: str, **changes: Any) -> LoadedSuite:
    """Return a suite of a network that starts from a run, and of the same one that does not."""
    models = {
        "scratch": {"config": "tiny.yaml"},
        "finetuned": {"config": "tiny.yaml", "overrides": [f"{STARTED}={run}", *overrides]},
    }
    given = {"mixtures": ["single"], "baselines": ["mean", "probe", "knn"], "models": models, "published": []}
    return load_suite(write_suite(**(given | changes)))


def cells_of(loaded: LoadedSuite, folder: Path, *patterns: str) -> list[Cell]:
    return chosen_cells(suite_cells(loaded, folder / "out"), patterns)


def test_every_baseline_has_a_name_in_the_tables() -> None:
    assert tuple(NAMES) == BASELINES


def test_a_dataset_may_have_a_budget_of_its_own(write_suite: WriteSuite, folder: Path) -> None:
    datasets = {
        "props": {"manifest": "props.yaml", "overrides": ["training.epochs=3", "data.batch.size=5"]},
        "atoms": {"manifest": "atoms.yaml"},
    }
    loaded = load_suite(write_suite(datasets=datasets))
    epochs = {cell.mixture: cell.experiment.training.epochs for cell in suite_cells(loaded, folder)}
    assert epochs == {"props": 3, "atoms": 1, "multi": 1}
    assert {cell.experiment.data.batch.size for cell in suite_cells(loaded, folder) if cell.mixture == "props"} == {5}
    over = suite_cells(loaded, folder, ["training.epochs=7"])
    assert {cell.experiment.training.epochs for cell in over} == {7}


def test_baselines_on_embeddings_read_the_run_that_a_model_starts_from(
    write_suite: WriteSuite, folder: Path, pretrained: Path
) -> None:
    loaded = transfer(write_suite, folder, pretrained)
    chosen = cells_of(loaded, folder, "props/random/probe", "props/random/knn/seed0", "props/random/finetuned/seed0")
    failed = run_cells(chosen, say=lambda line: None, after_each=lambda failed: None)
    assert failed == {}
    cell = chosen[0]
    expected = mixture_baselines(cell.experiment, load_task_mixture(cell.experiment, lambda line: None))
    figures = {(f.task, f.model, f.metric): f for f in collect(loaded, suite_cells(loaded, folder / "out")).figures}
    for task, metric in (("logp", "mae"), ("acid", "auroc")):
        assert figures[task, "probe", metric].mean == pytest.approx(expected[task]["probe"][metric], rel=1e-9)
        assert figures[task, "probe", metric].seeds == 1  # nothing in it is random
        assert {figures[task, model, metric].kind for model in ("probe", "knn")} == {"baseline"}
    assert figures["logp", "finetuned", "mae"].seeds == 1


def test_another_run_is_another_result_of_what_reads_it_alone(
    write_suite: WriteSuite, folder: Path, pretrained: Path
) -> None:
    loaded = transfer(write_suite, folder, pretrained)
    chosen = cells_of(loaded, folder, "props/random/probe", "props/random/mean")
    run_cells(chosen, say=lambda line: None, after_each=lambda failed: None)
    pretrained.rename(folder / "other")
    other = suite_cells(transfer(write_suite, folder, folder / "other"), folder / "out")
    check_unchanged(chosen_cells(other, ["props/random/mean"]))
    with pytest.raises(MolfoundError, match=r"probe/seed0 was begun with another .* training\.pretrained\.run"):
        check_unchanged(other)


def test_baselines_on_embeddings_without_a_run_are_refused(write_suite: WriteSuite, folder: Path) -> None:
    loaded = load_suite(write_suite(baselines=["mean", "probe"]))
    with pytest.raises(MolfoundError, match=r"'probe' reads embeddings of a pretrained run, and no model") as raised:
        suite_cells(loaded, folder)
    assert "training.pretrained.run=RUN" in str(raised.value)


@pytest.mark.parametrize(
    ("run", "overrides", "message"),
    [
        ("nowhere", [], "there is no such folder or archive"),
        ("pretrained", ["features.atoms=[degree]"], "was trained with other features.atoms"),
        ("pretrained", ["model.encoder.width=4"], "is another: width is 8, here 4"),
    ],
)
def test_a_run_that_does_not_fit_is_refused_before_anything_is_trained(
    write_suite: WriteSuite, folder: Path, pretrained: Path, run: str, overrides: list[str], message: str
) -> None:
    loaded = transfer(write_suite, folder, folder / run, *overrides)
    planned = plan(loaded, suite_cells(loaded, folder / "out"))
    hindered = {entry.cell.model for entry in planned if entry.problem}
    assert hindered == {"probe", "knn", "finetuned"}
    with pytest.raises(MolfoundError, match=message) as raised:
        check_possible(planned)
    assert "\n" not in str(raised.value)
    assert "--only PATTERN chooses others" in str(raised.value)


def test_the_shipped_transfer_compares_one_network_with_itself() -> None:
    loaded = load_suite("transfer")
    assert loaded.suite.datasets.keys() == load_suite("admet").suite.datasets.keys()
    by_model: dict[str, dict[tuple[str, int], Cell]] = {"scratch": {}, "finetuned": {}}
    for cell in suite_cells(loaded, Path("bench")):
        if not cell.baseline:
            by_model[cell.model][cell.mixture, cell.seed] = cell
    toymix = load_config("toymix/gine")
    assert len(by_model["scratch"]) == len(by_model["finetuned"]) == 33
    for place, scratch in by_model["scratch"].items():
        started = by_model["finetuned"][place].experiment
        differing = set(differing_keys(scratch.experiment, started)) - {"name"}
        assert {key for key in differing if not key.startswith("training.pretrained")} == {"training.optimizer.lr"}
        assert (started.features, started.encodings) == (toymix.features, toymix.encodings)
        assert started.model.inputs == toymix.model.inputs
        options = {**started.model.encoder.options, "dropout": 0.0}
        assert options == {"dropout": 0.0, **toymix.model.encoder.options}
