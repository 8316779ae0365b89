import json
from pathlib import Path

import numpy as np
import pytest

from molfound.data import families, index
from molfound.data.manifest import Manifest
from molfound.data.store import GraphStore
from molfound.errors import MolfoundError
from tests.data.conftest import Prepare, contents, manifest_of, write_csv


def test_only_what_is_asked_for_is_loaded(small: Manifest, prepare: Prepare) -> None:
    store = GraphStore.open(prepare(small).folder)
    assert len(store.load(smiles=False).smiles) == 0
    assert (store.tasks, store.encodings) == (("task",), ("laplacian", "random_walk"))
    arrays = store.load(tasks=[], encodings=["random_walk"])
    assert (list(arrays.labels), list(arrays.encodings)) == ([], ["random_walk.probabilities"])
    assert arrays.weights is None
    with pytest.raises(MolfoundError, match="has no labels/tsk; did you mean 'labels/task'"):
        store.load(tasks=["tsk"])
    with pytest.raises(MolfoundError, match="has no encodings/randomwalk; did you mean 'encodings/random_walk'"):
        store.load(encodings=["randomwalk"])


def test_rows_that_any_family_rejects_are_left_out_of_all(tmp_path: Path, prepare: Prepare) -> None:
    write_csv(tmp_path / "t.csv", {"smiles": ["C", "CC", "CCC", "x"], "a": [1, "?", 3, 4], "b": [1, 2, 3, 4]})
    tasks = {name: {"kind": "regression", "labels": [name]} for name in "ab"}
    report = prepare(manifest_of(["t.csv"], tasks=tasks))
    store = GraphStore.open(report.folder, report.families)
    for names in (["a"], ["b"], []):
        arrays = store.load(tasks=names)
        assert arrays.rows.tolist() == [0, 2]
        assert np.diff(arrays.graphs.node_ptr).tolist() == [1, 3]
        assert arrays.encodings["laplacian.eigenvalues"].shape == (2, 3)
    assert store.load(tasks=["b"]).labels["b"].values.tolist() == [1, 3]
    fewer = prepare(manifest_of(["t.csv"], tasks={"b": tasks["b"]}))
    assert GraphStore.open(fewer.folder, fewer.families).load().rows.tolist() == [0, 1, 2]


def test_a_folder_without_a_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(MolfoundError, match=r"nothing is no prepared store; prepare the data first"):
        GraphStore.open(tmp_path / "nothing")


def test_other_content_than_expected_is_told(small: Manifest, prepare: Prepare) -> None:
    report = prepare(small, encodings={"laplacian": {"pairs": 2}})
    prepare(small, store="other")
    other = prepare(small, store="other", encodings={"laplacian": {"pairs": 5}})
    with pytest.raises(MolfoundError, match="made from other content: it has no encodings/laplacian as asked for"):
        GraphStore.open(report.folder, other.families)
    assert GraphStore.open(other.folder, report.families[:1]).load().encodings == {}


def test_without_expectations_the_latest_preparation_is_opened(small: Manifest, prepare: Prepare) -> None:
    for pairs in (2, 5, 2):
        report = prepare(small, encodings={"laplacian": {"pairs": pairs}})
        assert GraphStore.open(report.folder).load().encodings["laplacian.eigenvalues"].shape[1] == pairs


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"schema": 2}', b"\xff"])
def test_a_damaged_index_is_told_and_made_anew(
    small: Manifest, prepare: Prepare, damage: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    report = prepare(small)
    before = contents(report.folder)
    (report.folder / "store.json").write_bytes(damage)
    with pytest.raises(MolfoundError, match=r"store\.json is damaged; prepare the data again"):
        GraphStore.open(report.folder)
    assert prepare(small).built == 0
    assert contents(report.folder) == before


def test_a_store_of_another_schema_is_told_and_built_anew(
    small: Manifest, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = prepare(small)
    before = set(contents(report.folder))
    earlier = shards(report.folder)[0].with_suffix(".parquet")
    earlier.touch()
    for module in (families, index):
        monkeypatch.setattr(module, "SCHEMA_VERSION", 99)
    with pytest.raises(MolfoundError, match=r"another version of molfound \(schema 2, this one reads 99\)"):
        GraphStore.open(report.folder)
    again = prepare(small)
    assert again.built == 12
    assert not earlier.exists()
    assert set(contents(report.folder)) & before == {"store.json", "rejected.parquet"}
    assert json.loads((report.folder / "store.json").read_text())["schema"] == 99


def shards(folder: Path) -> list[Path]:
    return sorted(folder.rglob("0*.arrow"))


@pytest.mark.parametrize("number", range(12))
def test_a_cut_shard_is_named_and_rebuilt(small: Manifest, prepare: Prepare, number: int) -> None:
    report = prepare(small)
    before = contents(report.folder)
    shard = shards(report.folder)[number]
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(MolfoundError, match=f"{shard.name} is damaged; prepare the data again") as error:
        GraphStore.open(report.folder)
    assert "\n" not in str(error.value)
    assert prepare(small).built == 1
    assert contents(report.folder) == before


def change_a_bit(shard: Path, place: float) -> None:
    content = bytearray(shard.read_bytes())
    content[int(len(content) * place)] ^= 4
    shard.write_bytes(content)


@pytest.mark.parametrize("place", [0.0, 0.2, 0.5, 0.8, 0.999])
def test_a_changed_bit_is_named_and_the_shard_rebuilt(small: Manifest, prepare: Prepare, place: float) -> None:
    report = prepare(small)
    before = contents(report.folder)
    shard = next(path for path in shards(report.folder) if "random_walk" in str(path))
    change_a_bit(shard, place)
    store = GraphStore.open(report.folder)
    with pytest.raises(MolfoundError, match=f"{shard.name} is damaged"):
        store.load()
    assert len(store.load(encodings=["laplacian"]))
    assert prepare(small).built == 1
    assert contents(report.folder) == before


@pytest.mark.parametrize("place", [0.0, 0.2, 0.5, 0.8, 0.999])
def test_a_changed_bit_is_seen_also_before_the_index_is_written(
    small: Manifest, prepare: Prepare, place: float
) -> None:
    report = prepare(small)
    before = contents(report.folder)
    (report.folder / "store.json").unlink()
    for shard in shards(report.folder)[:3]:
        change_a_bit(shard, place)
    assert prepare(small).built == 3
    assert contents(report.folder) == before


def test_a_removed_shard_is_named_and_rebuilt(small: Manifest, prepare: Prepare) -> None:
    report = prepare(small)
    before = contents(report.folder)
    shards(report.folder)[3].unlink()
    with pytest.raises(MolfoundError, match="is missing; prepare the data again"):
        GraphStore.open(report.folder)
    assert prepare(small).built == 1
    assert contents(report.folder) == before


def test_no_file_tells_when_or_where_it_was_made(small: Manifest, prepare: Prepare, tmp_path: Path) -> None:
    report = prepare(small)
    assert not any(str(tmp_path).encode() in content for content in contents(report.folder).values())
    assert contents(prepare(small, store="elsewhere").folder) == contents(report.folder)
