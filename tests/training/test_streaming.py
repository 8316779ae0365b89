"""Datasets larger than the memory they may take: the same molecules, labels and scores, read block by block."""

import gc
import json
import threading
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from molfound.data.batch import GraphBatch, part_level
from molfound.data.datamodule import MixtureDataModule
from molfound.data.joining import joined
from molfound.data.loader import evaluation_batches
from molfound.data.sampler import BatchLimits, BlockPool, MixtureSampler
from molfound.data.streaming import OpenedBlocks, StreamedCollection
from molfound.data.windows import prefetched
from molfound.errors import MolfoundError
from molfound.training.evaluate_run import evaluate_run
from molfound.training.mixture import TaskMixture, load_task_mixture
from molfound.training.train import resume, train
from tests.training.conftest import MakeExperiment
from tests.training.test_resume import EVERY_STEP, assert_same_run, train_until

BLOCKS = "data.block_rows=8"
# In GiB: some blocks of `props`, all of `atoms`; some blocks of either.
SMALL, TINY = "data.memory=2.8e-5", "data.memory=8e-6"


def loaded(experiment: MakeExperiment, *overrides: str) -> TaskMixture:
    return load_task_mixture(experiment(BLOCKS, *overrides), lambda line: None)


def assert_same_batch(first: GraphBatch, second: GraphBatch) -> None:
    for field in fields(first):
        ours, theirs = getattr(first, field.name), getattr(second, field.name)
        if isinstance(ours, torch.Tensor):
            ours, theirs = {"": ours}, {"": theirs}
        if isinstance(ours, dict):
            assert ours.keys() == theirs.keys(), field.name
            for key, value in ours.items():
                np.testing.assert_array_equal(value, theirs[key], err_msg=f"{field.name} {key}")
        else:
            assert ours == theirs, field.name


@pytest.mark.parametrize(("memory", "streamed"), [(SMALL, ["props"]), (TINY, ["props", "atoms"])])
def test_batches_are_those_of_the_same_molecules_in_memory(
    experiment: MakeExperiment, memory: str, streamed: list[str]
) -> None:
    whole, blocks = loaded(experiment).graphs, loaded(experiment, memory).graphs
    assert isinstance(blocks.collection, StreamedCollection)
    assert sorted(blocks.block_ptr) == sorted(streamed)
    assert blocks.windows > 1
    assert blocks.collection.ranges == whole.collection.ranges
    assert np.array_equal(blocks.collection.rows, whole.collection.rows)
    for ours, theirs in zip(blocks.collection.sizes, whole.collection.sizes, strict=True):
        assert np.array_equal(ours, theirs)
    for part in whole.part_names:
        assert np.array_equal(blocks.positions(part), whole.positions(part))
    props = np.arange(*whole.collection.ranges["props"])
    for positions in (props, props[5:40:3], np.arange(*whole.collection.ranges["atoms"])):
        assert_same_batch(blocks.collection.batch(positions), whole.collection.batch(positions))
    for name in ("props", "atoms"):
        numbers = np.array([0, 3, 9, 17, 25])
        assert blocks.smiles[name].take(numbers).to_pylist() == whole.smiles[name].take(numbers).to_pylist()


def test_a_batch_of_several_datasets_joins_what_is_in_memory_and_what_is_read(experiment: MakeExperiment) -> None:
    whole, blocks = loaded(experiment).graphs.collection, loaded(experiment, SMALL).graphs.collection
    positions = np.array([2, 20, 41, 59, 60, 75, 89])
    one, other = whole.batch(positions), blocks.batch(positions)
    assert other.datasets.keys() == one.datasets.keys() == {"props", "atoms"}
    assert_same_values(one, other)


def test_joined_batches_keep_what_belongs_to_each_molecule(experiment: MakeExperiment) -> None:
    collection = loaded(experiment).graphs.collection
    first, last = collection.ranges["atoms"]
    parts = [collection.batch(np.arange(3, 9)), collection.batch(np.arange(first, last, 5))]
    places = torch.randn(parts[0].num_nodes, 3)
    one = joined([replace(parts[0], coordinates=places), parts[1]])
    assert one.coordinates is not None
    assert one.coordinates[: len(places)].equal(places)
    assert one.coordinates[len(places) :].isnan().all()
    assert one.largest == max(int(part.node_ptr.diff().max()) for part in parts)
    for g in range(one.num_graphs):
        part, i = (parts[0], g) if g < parts[0].num_graphs else (parts[1], g - parts[0].num_graphs)
        for ptr in ("node_ptr", "edge_ptr", "bond_ptr"):
            assert getattr(one, ptr).diff()[g] == getattr(part, ptr).diff()[i]
        mine, theirs = (slice(int(b.node_ptr[k]), int(b.node_ptr[k + 1])) for b, k in ((one, g), (part, i)))
        for name, values in part.encodings.items():
            whole = one.encodings[name]
            ours, others = (whole[mine], values[theirs]) if part_level(name) == "node" else (whole[g], values[i])
            np.testing.assert_array_equal(ours, others)
    assert all(batch.coordinates is None for batch in (*parts, joined(parts)))


def assert_same_values(one: GraphBatch, other: GraphBatch) -> None:
    """The same molecules, datasets in whatever order."""
    assert other.edge_index[0, other.edge_reverse].equal(other.edge_index[1])
    for name, (first, last) in one.datasets.items():
        start, stop = other.datasets[name]
        assert other.rows[start:stop].equal(one.rows[first:last])
        for g, h in zip(range(first, last), range(start, stop), strict=True):
            ours, theirs = (
                (
                    batch.node_codes[batch.node_ptr[i] : batch.node_ptr[i + 1]],
                    batch.edge_index[:, batch.edge_ptr[i] : batch.edge_ptr[i + 1]] - batch.node_ptr[i],
                    batch.bond_codes[batch.edge_bond[batch.edge_ptr[i] : batch.edge_ptr[i + 1]]],
                    batch.node_graph[batch.node_ptr[i] : batch.node_ptr[i + 1]] - i,
                )
                for batch, i in ((one, g), (other, h))
            )
            assert all(a.equal(b) for a, b in zip(ours, theirs, strict=True))
    for task, labels in one.labels.items():
        np.testing.assert_array_equal(other.labels[task], labels)
    assert {name: values.tolist() for name, values in other.weights.items()} == {
        name: values.tolist() for name, values in one.weights.items()
    }


@pytest.mark.parametrize("memory", [SMALL, TINY])
def test_an_epoch_meets_every_molecule_once_in_another_order(experiment: MakeExperiment, memory: str) -> None:
    chosen = experiment(BLOCKS, memory, "data.datasets.atoms.share=1")
    graphs = load_task_mixture(chosen, lambda line: None).graphs
    module = MixtureDataModule(graphs, chosen.data, seed=0)
    epochs = []
    for epoch in range(3):
        windows = list(module.sampler.windows(epoch))
        assert 1 < len(windows) <= graphs.windows
        for window in windows:
            inside = graphs.collection.blocks_of(np.concatenate(window.batches))
            assert all(set(blocks) <= set(window.blocks[name]) for name, blocks in inside.items())
        epochs.append(np.concatenate(list(module.sampler.batches(epoch))))
        assert module.sampler.count(epoch) == sum(len(window.batches) for window in windows)
        assert np.array_equal(np.sort(epochs[-1]), np.sort(graphs.positions("train")))
    assert not np.array_equal(epochs[0], epochs[1])
    module.position = lambda: (2, 3)
    left = module.train_dataloader()
    seen = np.concatenate([batch.rows.numpy() for batch in left])
    batches = list(module.sampler.batches(2))[3:]
    assert len(left) == len(batches)
    assert sorted(seen) == sorted(graphs.collection.rows[np.concatenate(batches)].tolist())


def test_a_share_takes_fresh_blocks_each_time(experiment: MakeExperiment) -> None:
    chosen = experiment(BLOCKS, TINY, "data.datasets.props.share=0.5", "data.datasets.atoms.share=0.25")
    graphs = load_task_mixture(chosen, lambda line: None).graphs
    sampler = MixtureDataModule(graphs, chosen.data, seed=0).sampler
    for name, epochs in (("props", 2), ("atoms", 4)):
        first, last = graphs.collection.ranges[name]
        met = np.concatenate([batch for epoch in range(epochs) for batch in sampler.batches(epoch)])
        assert np.array_equal(np.sort(met[(met >= first) & (met < last)]), graphs.positions("train", name))


@pytest.mark.parametrize("bucket", [None, 2])
def test_evaluation_meets_every_molecule_once(experiment: MakeExperiment, bucket: int | None) -> None:
    graphs = loaded(experiment, SMALL).graphs
    for part in graphs.part_names:
        batches = evaluation_batches(graphs.collection, graphs.positions(part), BatchLimits(4, bucket=bucket))
        met = [(name, row) for b in batches for name, (i, j) in b.datasets.items() for row in b.rows[i:j].tolist()]
        expected = [
            (name, row)
            for name in graphs.parts
            for row in graphs.collection.rows[graphs.positions(part, name)].tolist()
        ]
        assert sorted(met) == sorted(expected)
        assert len(batches) == len(list(batches))


def test_scores_statistics_and_predictions_are_those_of_a_training_in_memory(experiment: MakeExperiment) -> None:
    run = train(experiment(BLOCKS))
    for part in ("val", "test"):
        _, whole = evaluate_run(run.path, part, device="cpu")
        _, blocks = evaluate_run(run.path, part, [TINY], device="cpu")
        for task, scores in whole.tasks.items():
            for metric, values in scores.values.items():
                np.testing.assert_allclose(blocks.tasks[task].values[metric], values, rtol=1e-5, atol=1e-6)
    whole, blocks = loaded(experiment), loaded(experiment, TINY)
    for task, summary in whole.training_labels.items():
        theirs = blocks.training_labels[task]
        assert np.array_equal(theirs.count, summary.count)
        np.testing.assert_allclose(theirs.mean, summary.mean, rtol=1e-12)
        np.testing.assert_allclose(theirs.deviation, summary.deviation, rtol=1e-12)


def test_a_streamed_training_leaves_a_whole_run_behind(
    experiment: MakeExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(experiment(BLOCKS, TINY, "run.baselines=[mean, forest]"))
    told = capsys.readouterr().err
    assert "props, atoms: more than data.memory holds, read in" in told or "atoms, props: more than" in told
    assert "no forest, which knows molecules and atoms in memory, for" in told
    assert run.report.is_file()
    baselines = json.loads(run.baselines.read_text())
    assert {name: list(scores) for name, scores in baselines.items()} == {name: ["mean"] for name in baselines}
    in_memory = train(experiment(BLOCKS, "run.baselines=[mean]", run="memory"))
    for task, scores in json.loads(in_memory.baselines.read_text()).items():
        defined = {name: value for name, value in scores["mean"].items() if value is not None}
        assert {name for name, value in baselines[task]["mean"].items() if value is not None} == set(defined)
        assert {name: baselines[task]["mean"][name] for name in defined} == pytest.approx(defined, rel=1e-5)
    for task in baselines:
        ours, theirs = (pd.read_parquet(r.predictions / f"test.{task}.parquet") for r in (run, in_memory))
        pd.testing.assert_frame_equal(ours.drop(columns="prediction"), theirs.drop(columns="prediction"))


@pytest.mark.parametrize("batches", [3, 9])
def test_a_killed_streamed_training_ends_in_the_same_bits(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    options = (EVERY_STEP, BLOCKS, TINY)
    whole = train(experiment(*options, run="whole"))
    killed = experiment(*options, run="killed")
    train_until(killed, batches, monkeypatch)
    assert_same_run(whole, resume(killed.run_folder))


def test_blocks_without_training_molecules_are_not_read_and_do_not_count() -> None:
    # Ten blocks of eight molecules; the training part is in the first five.
    pool = BlockPool(np.arange(40), np.arange(0, 81, 8), share=0.4)
    counts = np.ones(80, np.int64)
    sampler = MixtureSampler({"a": pool}, BatchLimits(4), counts, counts, seed=0, windows=2)
    for epoch in range(5):
        assert sampler.count(epoch) == 4
        assert all(max(window.blocks["a"]) < 5 for window in sampler.windows(epoch))


def test_every_window_has_its_share_of_the_whole_table() -> None:
    pool = BlockPool(np.arange(120), np.arange(0, 121, 2))
    for epoch in range(3):
        for blocks, positions in pool.windows(1, "a", epoch, 6):
            assert [block // 6 for block in blocks] == list(range(10))
            assert sorted(positions // 2) == sorted([*blocks, *blocks])


def test_nothing_is_left_in_memory_by_one_who_takes_the_last_batch(experiment: MakeExperiment) -> None:
    chosen = experiment(BLOCKS, TINY)
    graphs = load_task_mixture(chosen, lambda line: None).graphs
    loader = MixtureDataModule(graphs, chosen.data, seed=0).train_dataloader()
    batches = iter(loader)
    for _ in range(len(loader)):
        next(batches)
    gc.collect()
    assert not [found for found in gc.get_objects() if type(found) is OpenedBlocks]
    with pytest.raises(StopIteration):
        next(batches)


def test_a_process_without_a_molecule_of_a_batch_gets_an_empty_one(experiment: MakeExperiment) -> None:
    collection = loaded(experiment, TINY).graphs.collection
    opened = collection.open({"props": (2, 0)})
    assert len(opened.batch([])) == 0
    first, second = (int(collection.block_ptr["props"][block]) for block in (0, 2))
    assert opened.batch([second, first]).rows.tolist() == collection.rows[[first, second]].tolist()


def test_what_is_cut_has_no_labels_of_its_parts_wherever_it_lies(experiment: MakeExperiment) -> None:
    for memory in (SMALL, TINY):
        with pytest.raises(MolfoundError, match=r"data\.crop cuts off what task 'neighbours' predicts"):
            loaded(experiment, memory, "data.crop=5")
    assert loaded(experiment, TINY, "data.crop=5", "tasks.neighbours=null").graphs.collection.sizes[0].max() == 5


def test_sampling_by_scaffold_needs_the_dataset_in_memory(experiment: MakeExperiment) -> None:
    chosen = experiment(BLOCKS, TINY, "data.datasets.props.scaffolds.temperature=0.1")
    graphs = load_task_mixture(chosen, lambda line: None).graphs
    with pytest.raises(MolfoundError, match=r"dataset 'props' does not fit into data.memory"):
        MixtureDataModule(graphs, chosen.data, seed=0)


def test_a_position_outside_the_opened_blocks_is_our_mistake(experiment: MakeExperiment) -> None:
    collection = loaded(experiment, TINY).graphs.collection
    opened = collection.open({"props": (1,)})
    starts = collection.block_ptr["props"]
    assert len(opened.batch(np.arange(starts[1], starts[2]))) == starts[2] - starts[1]
    for position in (starts[1] - 1, starts[2], starts[0]):
        with pytest.raises(ValueError, match="lies in no block that is in memory"):
            opened.batch([int(position)])


def test_a_block_that_is_damaged_in_the_middle_of_an_epoch_is_named(experiment: MakeExperiment) -> None:
    chosen = experiment(BLOCKS, TINY, f"data.store={experiment().run_folder.parent / 'stores'}")
    graphs = load_task_mixture(chosen, lambda line: None).graphs
    shard = graphs.stores["props"].families["graphs"].shards[4].file.name
    path: Path = graphs.stores["props"].folder / shard
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(MolfoundError, match=path.name):
        list(MixtureDataModule(graphs, chosen.data, seed=0).train_dataloader())


def test_the_next_is_loaded_while_the_present_one_is_used() -> None:
    loaded = [threading.Event() for _ in range(3)]

    def load(item: int) -> int:
        loaded[item].set()
        return -item

    pairs = prefetched(range(3), load)
    assert next(pairs) == (0, 0)
    assert loaded[1].wait(10)
    assert not loaded[2].is_set()
    assert next(pairs) == (1, -1)
    assert loaded[2].wait(10)
    assert list(pairs) == [(2, -2)]


def test_what_fails_while_the_present_one_is_used_is_raised_in_its_turn() -> None:
    def load(item: int) -> int:
        if item == 1:
            raise MolfoundError("shard 1 is damaged")
        return item

    pairs = prefetched(range(3), load)
    assert next(pairs) == (0, 0)
    with pytest.raises(MolfoundError, match="shard 1 is damaged"):
        next(pairs)
