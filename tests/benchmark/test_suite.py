"""Suites: what a file says, what is refused, and which cells it stands for."""

from pathlib import Path
from typing import Any

import pytest

from molfound.benchmark.cells import Cell, check_unchanged, chosen_cells, suite_cells
from molfound.benchmark.plan import check_possible, plan
from molfound.benchmark.suite import load_suite
from molfound.config import load_config
from molfound.config.locations import shipped_names
from molfound.data.manifest import load_manifest
from molfound.errors import MolfoundError
from tests.benchmark.conftest import WriteSuite

SUITES = shipped_names("configs/suites")


@pytest.mark.parametrize("name", SUITES)
def test_shipped_suites_load_and_every_cell_learns_what_it_is_named_for(name: str) -> None:
    loaded = load_suite(name)
    cells = suite_cells(loaded, Path("bench"))
    assert len({cell.name for cell in cells}) == len(cells)
    for cell in cells:
        experiment = cell.experiment
        assert set(experiment.data.datasets) == set(cell.datasets)
        assert {task.dataset for task in experiment.tasks.values()} == set(cell.datasets)
        assert all(config.split == cell.split for config in experiment.data.datasets.values())
        assert experiment.seed == cell.seed
        assert experiment.run_folder == Path("bench") / cell.name
        assert experiment.run.baselines == ((cell.model,) if cell.baseline else ())


def test_the_shipped_suites_are_those_that_are_promised() -> None:
    assert SUITES == ["admet", "moleculenet", "quantum", "toymix", "transfer"]
    datasets = {name: list(load_suite(name).suite.datasets) for name in SUITES}
    assert datasets["moleculenet"] == ["esol", "freesolv", "lipo", "bace", "clintox", "tox21", "toxcast", "muv"]
    assert datasets["quantum"] == ["qm7", "qm8", "qm9", "cep", "tddft"]
    assert len(datasets["admet"]) == 11
    assert load_suite("moleculenet").splits("muv") == ("random", "scaffold")
    assert load_suite("quantum").splits("tddft") == ("published",)
    for name in SUITES:
        assert load_suite(name).suite.baselines[:2] == ("mean", "forest")


def test_toymix_trains_what_its_configurations_say(tmp_path: Path) -> None:
    cells = {cell.name: cell for cell in suite_cells(load_suite("toymix"), tmp_path)}
    for layer in ("gcn", "gin", "gine"):
        for dataset in ("qm9", "tox21", "zinc12k"):
            ours, theirs = cells[f"{dataset}/published/{layer}/seed42"], load_config(f"toymix/{dataset}_{layer}")
            assert ours.experiment.model == theirs.model
            assert ours.experiment.training == theirs.training
            ours_data, theirs_data = ours.experiment.data.datasets[dataset], theirs.data.datasets[dataset]
            assert ours_data.share == theirs_data.share
            assert ours.experiment.tasks[dataset].head == theirs.tasks[dataset].head
    together = cells["multi/published/gine/seed43"].experiment
    assert list(together.tasks) == ["qm9", "tox21", "zinc12k"]
    assert together.data.datasets["tox21"].share == 0.7


def test_a_suite_stands_for_models_baselines_splits_and_seeds(write_suite: WriteSuite, folder: Path) -> None:
    names = [cell.name for cell in suite_cells(load_suite(write_suite()), folder / "out")]
    of_one = ["mean/seed0", "forest/seed0", "forest/seed1", "gin/seed0", "gin/seed1", "gine/seed0", "gine/seed1"]
    expected = [f"{dataset}/random/{name}" for dataset in ("props", "atoms") for name in of_one]
    assert names == [*expected, *(f"multi/random/{name}" for name in of_one[3:])]


def test_overrides_are_laid_over_each_other_in_order(write_suite: WriteSuite, folder: Path) -> None:
    loaded = load_suite(write_suite())

    def cell(*overrides: str) -> Cell:
        return chosen_cells(suite_cells(loaded, folder, overrides), ["atoms/random/gin/seed1"])[0]

    assert cell().experiment.model.encoder.options["layer"] == "gin"
    assert cell().experiment.training.epochs == 1
    assert cell("training.epochs=5").experiment.training.epochs == 5
    # An override of a task that this cell leaves out is no mistake: other cells have it.
    assert "acid" not in cell("tasks.acid.weight=2").experiment.tasks


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"titel": "x"}, "unknown key 'titel'; did you mean 'title'"),
        ({"datasets": {"props": {"manifest": "prop.yaml"}}}, "no file '.*prop.yaml'"),
        ({"datasets": {"props": {"manifest": "bio/esl"}}}, "did you mean 'bio/esol'"),
        ({"splits": ["randon"]}, "dataset 'props' has no split 'randon'; did you mean 'random'"),
        ({"models": {"gine": {"config": "toymix/gne"}}}, "did you mean 'toymix/gine'"),
        ({"models": {"mean": {"config": "tiny.yaml"}}}, "a model cannot be named 'mean'"),
        ({"metrics": {"regression": ["maee"]}}, "metric 'maee'; did you mean 'mae'"),
        ({"metrics": {"binary": ["mae"]}}, "'mae' is not for binary tasks"),
        (
            {"baselines": ["forrest"]},
            "baselines.0: should be 'mean', 'forest', 'boosting', 'probe' or 'knn', not 'forrest'",
        ),
        ({"seeds": [1, 1]}, "seed '1' is there twice"),
        ({"seeds": []}, "seeds: should have at least one entry"),
        (
            {"datasets": {"props": {"manifest": "props.yaml", "tasks": ["logb"]}}},
            "has no task 'logb'; did you mean 'logp'",
        ),
        ({"datasets": {"multi": {"manifest": "props.yaml"}}}, "a dataset cannot be named 'multi'"),
        (
            {"datasets": {"props": {"manifest": "props.yaml"}, "again": {"manifest": "props.yaml"}}},
            "task 'acid' is in the datasets 'props' and 'again'",
        ),
        (
            {"published": [{"source": "s", "differs": "d", "values": {"G": {"single": {"logs": {"mae": 1}}}}}]},
            "no task 'logs'; did you mean 'logp'",
        ),
        (
            {"published": [{"source": "s", "differs": "d", "values": {"G": {"single": {"logp": {"rmse": 1.0}}}}}]},
            "'rmse' of task 'logp' is not measured here; known: mae, r2",
        ),
    ],
)
def test_a_mistake_in_a_suite_is_one_line_with_the_nearest_name(
    write_suite: WriteSuite, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(MolfoundError, match=message) as raised:
        load_suite(write_suite(**changes))
    assert "\n" not in str(raised.value)
    assert "tiny_suite.yaml" in str(raised.value)


def test_an_unknown_suite_is_answered_with_the_nearest() -> None:
    with pytest.raises(MolfoundError, match="did you mean 'moleculenet'"):
        load_suite("molecullenet")


@pytest.mark.parametrize("override", ["seed=3", "run.folder=x", "run.baselines=[mean]", "name=x"])
def test_what_makes_a_cell_cannot_be_overridden(write_suite: WriteSuite, folder: Path, override: str) -> None:
    with pytest.raises(MolfoundError, match="each cell of a suite has its own"):
        suite_cells(load_suite(write_suite()), folder, [override])


def test_an_unknown_key_in_an_override_is_told(write_suite: WriteSuite, folder: Path) -> None:
    with pytest.raises(MolfoundError, match=r"unknown key 'training.epoch'; did you mean 'training.epochs'"):
        suite_cells(load_suite(write_suite()), folder, ["training.epoch=3"])


@pytest.mark.parametrize(
    ("pattern", "count"), [("atoms", 7), ("*/random/gin/*", 6), ("multi/*/gine", 2), ("props/random/mean/seed0", 1)]
)
def test_patterns_choose_by_name_or_its_beginning(
    write_suite: WriteSuite, folder: Path, pattern: str, count: int
) -> None:
    cells = suite_cells(load_suite(write_suite()), folder)
    assert len(chosen_cells(cells, [pattern])) == count
    assert chosen_cells(cells, []) == cells


def test_a_pattern_that_matches_nothing_names_the_nearest(write_suite: WriteSuite, folder: Path) -> None:
    cells = suite_cells(load_suite(write_suite()), folder)
    with pytest.raises(MolfoundError, match="no cell matches 'prop/random'; did you mean 'props/random'"):
        chosen_cells(cells, ["prop/random"])


def test_the_plan_knows_sizes_and_molecules(write_suite: WriteSuite, folder: Path) -> None:
    loaded = load_suite(write_suite())
    planned = {entry.cell.name: entry for entry in plan(loaded, suite_cells(loaded, folder / "out"))}
    assert planned["props/random/gin/seed0"].rows == {"train": 42, "val": 9, "test": 9}
    assert planned["multi/random/gine/seed1"].rows == {"train": 63, "val": 14, "test": 13}
    assert planned["props/random/mean/seed0"].parameters is None
    sizes = [planned[f"{mixture}/random/gine/seed0"].parameters for mixture in ("props", "atoms", "multi")]
    assert all(size is not None for size in sizes)
    assert all(entry.problem is None for entry in planned.values())


def test_a_suite_without_data_says_what_is_missing(write_suite: WriteSuite, folder: Path) -> None:
    loaded = load_suite(write_suite())
    (folder / "atoms.parquet").unlink()
    planned = plan(loaded, suite_cells(loaded, folder / "out"))
    assert {entry.cell.mixture for entry in planned if entry.problem} == {"atoms", "multi"}
    with pytest.raises(MolfoundError, match=r"dataset 'atoms': .*atoms\.parquet.*; 11 of 18 cells.*--only"):
        check_possible(planned)


def test_a_split_with_an_empty_part_is_refused_before_training(write_suite: WriteSuite, folder: Path) -> None:
    path = folder / "atoms.yaml"
    path.write_text(path.read_text().replace("- 0.15", "- 0.001"))
    assert load_manifest(path).splits["random"].fractions[2] == 0.001  # type: ignore[union-attr]
    loaded = load_suite(write_suite(mixtures=["single"]))
    with pytest.raises(MolfoundError, match="dataset 'atoms': split 'random' has an empty part 'val'"):
        check_possible(plan(loaded, suite_cells(loaded, folder / "out")))


def test_nothing_is_begun_that_was_not_there(write_suite: WriteSuite, folder: Path) -> None:
    cells = suite_cells(load_suite(write_suite()), folder / "out")
    check_unchanged(cells)
    assert {cell.state for cell in cells} == {"waiting"}
    assert not (folder / "out").exists()
