"""Sampling by scaffold and batches of like size, from the configuration to what a training sees."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from rdkit.Chem.Scaffolds import MurckoScaffold

from molfound.cli import command
from molfound.config import Experiment
from molfound.data.datamodule import MixtureDataModule, training_pool
from molfound.data.loader import training_batches
from molfound.data.scaffold_sampling import ScaffoldPool
from molfound.errors import MolfoundError
from molfound.training.mixture import TaskMixture, load_task_mixture
from molfound.training.recorder import RunRecorder
from molfound.training.train import resume, train
from tests.training.conftest import MakeExperiment
from tests.training.test_resume import EVERY_STEP, assert_same_run, train_until

SCAFFOLDS = ("data.datasets.props.scaffolds.temperature=0.1", "data.datasets.props.scaffolds.replacement=false")
BUCKETS = ("data.batch.pairs=600", "data.batch.bucket=3")


def loaded(experiment: Experiment) -> TaskMixture:
    return load_task_mixture(experiment, lambda line: None)


def test_molecules_are_grouped_by_their_murcko_scaffold(experiment: MakeExperiment) -> None:
    chosen = experiment(*SCAFFOLDS)
    graphs = loaded(chosen).graphs
    pool = training_pool(graphs, "props", chosen.data.datasets["props"])
    assert isinstance(pool, ScaffoldPool)
    assert not isinstance(training_pool(graphs, "atoms", chosen.data.datasets["atoms"]), ScaffoldPool)
    assert np.array_equal(pool.positions, graphs.positions("train", "props"))
    first = graphs.collection.ranges["props"][0]
    smiles = graphs.smiles["props"].take(pool.positions - first).to_pylist()
    expected = [MurckoScaffold.MurckoScaffoldSmiles(text) for text in smiles]
    # The three rings and what has none: CC(X)C and O=C(X)N share the empty scaffold.
    assert len(set(expected)) == len(pool.counts) == 4
    assert len(set(zip(expected, pool.group.tolist(), strict=True))) == 4


def test_two_trainings_share_a_store_with_and_without_scaffolds(experiment: MakeExperiment) -> None:
    without = loaded(experiment()).graphs
    with_them = loaded(experiment(*SCAFFOLDS)).graphs
    assert not without.scaffolds
    assert list(with_them.scaffolds) == ["props"]
    assert np.array_equal(without.positions("train"), with_them.positions("train"))


@pytest.mark.parametrize("batches", [4, 11])
def test_a_training_by_scaffold_in_buckets_resumes_to_the_same_bits(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    whole = train(experiment(EVERY_STEP, *SCAFFOLDS, *BUCKETS, run="whole"))
    killed = experiment(EVERY_STEP, *SCAFFOLDS, *BUCKETS, run="killed")
    train_until(killed, batches, monkeypatch)
    assert_same_run(whole, resume(killed.run_folder))


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_processes_divide_the_same_batches(experiment: MakeExperiment, processes: int) -> None:
    chosen = experiment(*SCAFFOLDS, *BUCKETS)
    mixture = loaded(chosen).graphs
    expected = list(MixtureDataModule(mixture, chosen.data, 5).sampler.batches(1))
    parts = [
        list(
            training_batches(
                mixture.collection,
                MixtureDataModule(mixture, chosen.data, 5).sampler,
                epoch=1,
                first=2,
                rank=rank,
                processes=processes,
            )
        )
        for rank in range(processes)
    ]
    for number, positions in enumerate(expected[2:]):
        rows = np.concatenate([part[number].rows.numpy() for part in parts])
        assert np.array_equal(np.sort(rows), np.sort(mixture.collection.rows[positions].numpy()))


def test_evaluation_in_buckets_holds_each_molecule_once_the_largest_first(experiment: MakeExperiment) -> None:
    chosen = experiment(*BUCKETS)
    mixture = loaded(chosen).graphs
    batches = list(MixtureDataModule(mixture, chosen.data, 5).part_dataloader("train"))
    sizes = [np.diff(batch.node_ptr.numpy()) for batch in batches]
    assert sum(map(len, sizes)) == len(mixture.positions("train"))
    rows = [batch.rows[slice(*span)].tolist() for batch in batches for span in [batch.datasets.get("props", (0, 0))]]
    expected = mixture.collection.rows[mixture.positions("train", "props")].tolist()
    assert sorted(row for part in rows for row in part) == expected
    assert all(before.min() >= after.max() for before, after in pairwise(sizes))
    assert all((size**2).sum() <= 600 for size in sizes)


def test_predictions_come_by_row_also_from_buckets(experiment: MakeExperiment) -> None:
    plain = train(experiment("training.epochs=1", run="plain"))
    bucketed = experiment("training.epochs=1", *BUCKETS, run="bucketed")
    table = pq.read_table(train(bucketed).predictions / "test.logp.parquet")
    other = pq.read_table(plain.predictions / "test.logp.parquet")
    assert table.select(["row", "label", "target"]).equals(other.select(["row", "label", "target"]))
    assert (np.diff(table["row"].to_numpy()) >= 0).all()


def test_a_molecule_with_more_pairs_than_a_batch_may_have_is_named(experiment: MakeExperiment) -> None:
    with pytest.raises(
        MolfoundError, match=r"dataset 'atoms' has a molecule of \d+ pairs.*data\.batch\.pairs=50 allows"
    ):
        train(experiment("data.batch.pairs=50"))


def test_the_command_reports_what_the_training_draws(
    experiment: MakeExperiment, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    original = RunRecorder.on_train_batch_end

    def collect(self: RunRecorder, *arguments: object) -> None:
        batch = arguments[3]
        span = batch.datasets.get("props", (0, 0))  # type: ignore[attr-defined]
        seen.extend(batch.rows[slice(*span)].tolist())  # type: ignore[attr-defined]
        original(self, *arguments)

    monkeypatch.setattr(RunRecorder, "on_train_batch_end", collect)
    train(experiment(*SCAFFOLDS, *BUCKETS))
    config = str(data_folder / "tiny.yaml")
    result = CliRunner().invoke(command, ["data", "sampling", config, *SCAFFOLDS, "--json"], catch_exceptions=False)
    report = json.loads(result.stdout)
    assert list(report) == ["props"]
    assert report["props"]["epochs"] == 3
    assert report["props"]["samples"] == len(seen)
    assert report["props"]["molecules_met"] == len(set(seen))
    shown = CliRunner().invoke(command, ["data", "sampling", config, *SCAFFOLDS, "--epochs", "1"]).stdout.splitlines()
    assert shown[0] == f"props: 42 samples (epochs: 1, effective: {42 / len(set(seen[:42])):.2f})"
    assert shown[1] == f"molecules met: {len(set(seen[:42]))} of 42"
    assert shown[4].split() == ["molecules", "per", "scaffold", "scaffolds", "of", "molecules", "of", "samples"]


def test_a_configuration_without_scaffolds_is_told_how_to_try(data_folder: Path) -> None:
    result = CliRunner().invoke(command, ["data", "sampling", str(data_folder / "tiny.yaml")])
    assert isinstance(result.exception, MolfoundError)
    assert "data.datasets.atoms.scaffolds.temperature=0.005" in str(result.exception)
