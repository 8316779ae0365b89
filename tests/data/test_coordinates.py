"""Coordinates through preparation, store and batch, against RDKit's and the table's own."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from molfound.chem import parse
from molfound.chem.conformers import ConformerOptions, Conformers, generate_conformers
from molfound.chem.drawings import draw
from molfound.data.collection import GraphCollection
from molfound.data.loader import training_batches
from molfound.data.manifest import Manifest
from molfound.data.preparation_report import PreparationReport
from molfound.data.row_lists import FLAT_FILE
from molfound.data.sampler import BatchLimits, MixtureSampler, Pool
from molfound.data.store import GraphStore
from molfound.data.views import EpochView
from molfound.errors import MolfoundError
from tests.data.conftest import Prepare, contents, data_config, manifest_of

# A chain of several conformers, a row without a molecule, a cage that cannot be embedded, a salt, a lone atom.
SMILES = ["CCCCO", "no molecule", "C1CC2CCC1=C2", "CC(=O)[O-].[Na+]", "C", "C[C@H](N)C(=O)O"]
KEPT = [0, 2, 3, 4, 5]
GENERATED = {"count": 3, "hang_seconds": None}


def table_manifest(folder: Path, columns: dict[str, Any], **changes: Any) -> Manifest:
    count = len(columns["smiles"])
    pq.write_table(pa.table(columns | {"a": np.arange(count) / 2, "b": np.zeros(count)}), folder / "table.parquet")
    return manifest_of(["table.parquet"], **changes)


def loaded(report: PreparationReport) -> GraphCollection:
    return GraphCollection({"small": GraphStore.open(report.folder, report.families).load()})


def expected(smiles: str, count: int = 3) -> np.ndarray:
    found = generate_conformers(parse(smiles), ConformerOptions(count=count))
    return found.coordinates if isinstance(found, Conformers) else np.zeros((0, 0, 3), np.float32)


def test_generated_conformers_reach_the_batch(tmp_path: Path, prepare: Prepare) -> None:
    manifest = table_manifest(tmp_path, {"smiles": SMILES})
    report = prepare(manifest, data=data_config(conformers=GENERATED))
    collection = loaded(report)
    assert [row.tolist() for row in collection.rows] == KEPT
    batch = collection.batch([4, 0, 1, 2, 3])
    assert batch.coordinates is not None
    assert batch.with_coordinates.tolist() == [True, False, True, True, True]
    for g, row in enumerate(KEPT):
        mine = batch.coordinates[batch.node_ptr[g] : batch.node_ptr[g + 1]].numpy()
        assert mine.dtype == np.float32
        conformers = expected(SMILES[row])
        if len(conformers):
            np.testing.assert_array_equal(mine, conformers[0])
        else:
            assert np.isnan(mine).all()


def test_an_epoch_sees_one_conformer_whatever_the_batch(tmp_path: Path, prepare: Prepare) -> None:
    collection = loaded(prepare(table_manifest(tmp_path, {"smiles": SMILES}), data=data_config(conformers=GENERATED)))
    conformers = expected(SMILES[0])
    seen = set()
    for epoch in range(20):
        view = EpochView(seed=1, epoch=epoch)
        whole, alone = collection.batch(range(5), view), collection.batch([0, 0], view)
        assert whole.coordinates is not None
        assert alone.coordinates is not None
        n = int(whole.node_ptr[1])
        first = whole.coordinates[:n].numpy()
        np.testing.assert_array_equal(alone.coordinates.numpy(), np.concatenate([first, first]))
        seen.add([np.array_equal(first, conformer) for conformer in conformers].index(True))
    assert seen == {0, 1, 2}


def test_training_batches_choose_by_epoch_and_evaluation_does_not(tmp_path: Path, prepare: Prepare) -> None:
    collection = loaded(prepare(table_manifest(tmp_path, {"smiles": SMILES}), data=data_config(conformers=GENERATED)))
    nodes, edges = (np.diff(ptr.numpy()) for ptr in (collection.node_ptr, collection.edge_ptr))
    sampler = MixtureSampler({"small": Pool(np.arange(5))}, BatchLimits(5), nodes, edges, seed=3)
    for epoch in range(3):
        (batch,) = training_batches(collection, sampler, epoch)
        same = collection.batch(range(5), EpochView(3, epoch))
        np.testing.assert_array_equal(batch.coordinates, same.coordinates)


def test_drawings_reach_the_batch(tmp_path: Path, prepare: Prepare) -> None:
    manifest = table_manifest(tmp_path, {"smiles": SMILES})
    batch = loaded(prepare(manifest, data=data_config(conformers={"source": "drawn"}))).batch(range(5))
    assert batch.coordinates is not None
    drawn = np.concatenate([draw(parse(SMILES[row])).coordinates[0] for row in KEPT])
    np.testing.assert_array_equal(batch.coordinates, drawn)


def test_a_share_of_the_training_samples_is_drawn(tmp_path: Path, prepare: Prepare) -> None:
    manifest = table_manifest(tmp_path, {"smiles": SMILES})
    report = prepare(manifest, data=data_config(conformers=GENERATED | {"drawn": 0.5}))
    collection = loaded(report)
    without = loaded(prepare(manifest, data=data_config(conformers=GENERATED)))
    drawings = [draw(parse(SMILES[row])).coordinates[0] for row in KEPT]
    flat = 0
    for epoch in range(20):
        view = EpochView(1, epoch, share_drawn=0.5)
        batch, solid = collection.batch(range(5), view), without.batch(range(5), view)
        for g, drawn in enumerate(view.drawn(batch.rows.numpy())):
            nodes = slice(int(batch.node_ptr[g]), int(batch.node_ptr[g + 1]))
            np.testing.assert_array_equal(batch.coordinates[nodes], drawings[g] if drawn else solid.coordinates[nodes])
            flat += drawn
    assert 0 < flat < 100
    np.testing.assert_array_equal(collection.batch(range(5)).coordinates, without.batch(range(5)).coordinates)


def test_a_molecule_that_cannot_be_drawn_keeps_its_conformer(tmp_path: Path, prepare: Prepare) -> None:
    crowded = "O=S(=O)(c1ccccc1)C(S(=O)(=O)c1ccccc1)(S(=O)(=O)c1ccccc1)S(=O)(=O)c1ccccc1"
    assert draw(parse(crowded)).reason == "coordinates_coincide"
    manifest = table_manifest(tmp_path, {"smiles": [crowded, "CCO"]})
    options = GENERATED | {"count": 1, "iterations": 20, "drawn": 1.0}
    batch = loaded(prepare(manifest, data=data_config(conformers=options))).batch([0, 1], EpochView(0, 0, 1.0))
    flat = [bool((part == 0).all()) for part in batch.coordinates[:, 2].split(batch.node_ptr.diff().tolist())]
    assert flat == [False, True]
    assert batch.coordinates.isfinite().all()


def test_molecules_without_are_told_and_used(tmp_path: Path, prepare: Prepare) -> None:
    manifest = table_manifest(tmp_path, {"smiles": SMILES})
    report = prepare(manifest, data=data_config(conformers=GENERATED | {"max_atoms": 5}))
    assert report.flat == {"conformer_too_large": 2}
    assert report.rejected == {"invalid_smiles": 1}
    rows = pq.read_table(report.folder / FLAT_FILE).to_pylist()
    assert [(row["row"], row["input"], row["reason"]) for row in rows] == [
        (2, SMILES[2], "conformer_too_large"),
        (5, SMILES[5], "conformer_too_large"),
    ]
    assert "2 without coordinates (conformer_too_large 2; see " in str(report)


def test_nothing_changes_without_conformers(tmp_path: Path, prepare: Prepare) -> None:
    manifest = table_manifest(tmp_path, {"smiles": SMILES})
    plain = prepare(manifest)
    assert not any("coordinates" in name for name in contents(plain.folder))
    assert loaded(plain).batch([0, 1]).coordinates is None
    assert loaded(plain).batch([0, 1]).with_coordinates.tolist() == [False, False]
    assert "coordinates" not in str(plain)


def test_coordinates_are_one_family_and_the_same_bytes_in_other_processes(tmp_path: Path, prepare: Prepare) -> None:
    manifest = table_manifest(tmp_path, {"smiles": SMILES})
    first = prepare(manifest)
    added = prepare(manifest, data=data_config(conformers=GENERATED))
    assert (first.built, added.built, added.reused) == (first.built, 2, first.built)
    assert prepare(manifest, data=data_config(conformers=GENERATED)).built == 0
    other = prepare(manifest, store="other", data=data_config(conformers=GENERATED, processes=2))
    assert contents(other.folder) == contents(added.folder)
    assert prepare(manifest, data=data_config(conformers=GENERATED | {"seed": 1})).built == 2
    watched = prepare(manifest, store="watched", data=data_config(conformers=GENERATED | {"hang_seconds": 300}))
    batches = [loaded(report).batch(range(5)) for report in (watched, added)]
    np.testing.assert_array_equal(*(batch.coordinates for batch in batches))


def embedded(smiles: str) -> tuple[Chem.Mol, list[int], list[float]]:
    """Return a molecule with its hydrogens and a conformer, its atomic numbers and coordinates."""
    whole = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(whole, randomSeed=1)
    numbers = [atom.GetAtomicNum() for atom in whole.GetAtoms()]
    return whole, numbers, whole.GetConformer().GetPositions().reshape(-1).tolist()


GIVEN = ["CCO", "C[C@H](N)C(=O)O", "c1ccncc1"]


@pytest.mark.parametrize("nested", [False, True])
def test_lists_are_used_as_they_are(tmp_path: Path, prepare: Prepare, nested: bool) -> None:
    _, numbers, coordinates = zip(*map(embedded, GIVEN), strict=True)
    cells = [np.reshape(each, (-1, 3)).tolist() if nested else each for each in coordinates]
    columns = {"smiles": [*GIVEN, "CC", "CO"], "z": [*numbers, None, [6, 8]], "xyz": [*cells, None, cells[0]]}
    manifest = table_manifest(tmp_path, columns, coordinates={"column": "xyz", "atomic_numbers": "z"})
    report = prepare(manifest, data=data_config(conformers={"source": "given"}))
    batch = loaded(report).batch(range(5))
    assert batch.coordinates is not None
    assert report.flat == {"coordinates_missing": 1, "coordinates_count": 1}
    assert batch.with_coordinates.tolist() == [True, True, True, False, False]
    for g, smiles in enumerate(GIVEN):
        n = Chem.MolFromSmiles(smiles).GetNumAtoms()
        mine = batch.coordinates[batch.node_ptr[g] : batch.node_ptr[g + 1]]
        np.testing.assert_array_equal(mine, np.reshape(coordinates[g], (-1, 3))[:n].astype(np.float32))


def test_molfiles_and_cxsmiles_are_used_as_they_are(tmp_path: Path, prepare: Prepare) -> None:
    wholes = [embedded(smiles)[0] for smiles in GIVEN]
    bare = [Chem.RemoveHs(whole) for whole in wholes]
    conformers = {"source": "given"}
    molfiles = {"smiles": GIVEN, "molfile": list(map(Chem.MolToMolBlock, wholes))}
    manifest = table_manifest(tmp_path, molfiles, coordinates={"column": "molfile"})
    from_molfiles = loaded(prepare(manifest, data=data_config(conformers=conformers))).batch(range(3))
    texts = {"smiles": list(map(Chem.MolToCXSmiles, bare))}
    manifest = table_manifest(tmp_path, texts, coordinates={"column": "smiles"})
    from_texts = loaded(prepare(manifest, data=data_config(conformers=conformers))).batch(range(3))
    assert from_molfiles.coordinates is not None
    assert from_texts.coordinates is not None
    for g, molecule in enumerate(bare):
        nodes = slice(from_texts.node_ptr[g], from_texts.node_ptr[g + 1])
        positions = molecule.GetConformer().GetPositions()
        np.testing.assert_allclose(from_molfiles.coordinates[nodes], positions, atol=1e-4)
        assert texts["smiles"][g].split()[0] == Chem.MolToSmiles(molecule)
        order = json.loads(molecule.GetProp("_smilesAtomOutputOrder").replace(",]", "]"))
        np.testing.assert_allclose(from_texts.coordinates[nodes], positions[order], atol=1e-3)


def test_what_cannot_give_coordinates_is_a_clear_error(tmp_path: Path, prepare: Prepare) -> None:
    given = data_config(conformers={"source": "given"})
    columns = {"smiles": GIVEN, "xyz": [1.0, 2.0, 3.0], "lists": [[1.0], [2.0], [3.0]]}
    with pytest.raises(MolfoundError, match="dataset 'small' brings no coordinates along"):
        prepare(table_manifest(tmp_path, columns), data=given)
    for column, message in (("xyzz", "no column 'xyzz'; did you mean 'xyz'"), ("xyz", "'xyz' holds double, no lists")):
        with pytest.raises(MolfoundError, match=message):
            prepare(table_manifest(tmp_path, columns, coordinates={"column": column}), data=given)
    manifest = table_manifest(tmp_path, columns, coordinates={"column": "lists", "atomic_numbers": "lists"})
    with pytest.raises(MolfoundError, match=r"'lists' holds list<.*>, no lists of atomic numbers"):
        prepare(manifest, data=given)


@pytest.mark.parametrize(
    ("numbers", "kind"), [([6, 200], pa.int64()), ([6, -1], pa.int64()), ([6, None], pa.int64()), ([6, 8], pa.int16())]
)
@pytest.mark.parametrize("cell", [[0.0, 0, 0, 1.4, 0, 0], [None, [1.4, 0.0, 0.0]], [[0.0, 0, 0], [1.4, 0]]])
def test_no_cell_of_coordinates_stops_the_preparation(
    tmp_path: Path, prepare: Prepare, numbers: list[int | None], kind: pa.DataType, cell: list[Any]
) -> None:
    sound = [[0.0, 0, 0], [1.4, 0, 0]] if len(cell) == 2 else [0.0, 0, 0, 1.4, 0, 0]
    columns = {"smiles": ["CO", "CO"], "xyz": [sound, cell], "z": pa.array([[6, 8], numbers], pa.list_(kind))}
    manifest = table_manifest(tmp_path, columns, coordinates={"column": "xyz", "atomic_numbers": "z"})
    report = prepare(manifest, data=data_config(conformers={"source": "given"}))
    assert loaded(report).batch([0, 1]).with_coordinates.tolist() == [True, cell == sound and numbers == [6, 8]]
    assert not report.rejected


def test_text_holds_lists_as_json_beside_atomic_numbers(tmp_path: Path, prepare: Prepare) -> None:
    whole, numbers, flat = embedded("CCO")
    triples = np.reshape(flat, (-1, 3)).tolist()
    columns = {
        "smiles": ["CCO"] * 7,
        "xyz": [json.dumps(flat), json.dumps(triples), "", "[1, 2", "5", json.dumps([*triples[:-1], None]), "NaN"],
        "z": [json.dumps(numbers)] * 7,
    }
    pd.DataFrame(columns | {"a": 1, "b": 2}).to_csv(tmp_path / "t.csv", index=False)
    manifest = manifest_of(["t.csv"], coordinates={"column": "xyz", "atomic_numbers": "z"})
    report = prepare(manifest, data=data_config(conformers={"source": "given"}))
    batch = loaded(report).batch(range(7))
    assert batch.with_coordinates.tolist() == [True, True, *[False] * 5]
    expected = whole.GetConformer().GetPositions()[:3].astype(np.float32)
    np.testing.assert_array_equal(batch.coordinates[:6], np.concatenate([expected, expected]))
    assert report.flat == {"coordinates_missing": 2, "coordinates_unreadable": 2, "coordinates_count": 1}


def test_coordinates_that_no_molecule_has_stop_the_preparation(tmp_path: Path, prepare: Prepare) -> None:
    given = data_config(conformers={"source": "given"})
    columns = {"smiles": ["no molecule", "CO"], "xyz": [None, "[0, 0, 0, 1.4, 0, 0]"]}
    message = (
        r"dataset 'small': .* none of 1 molecules has coordinates; the first is row 1 \('CO', coordinates_unreadable: "
        r"no Molfile\); .*names coordinates\.atomic_numbers as JSON lists; see .*without_coordinates\.parquet"
    )
    for _ in range(2):
        with pytest.raises(MolfoundError, match=message):
            prepare(table_manifest(tmp_path, columns, coordinates={"column": "xyz"}), data=given)
    assert prepare(table_manifest(tmp_path, columns)).flat == {}
    molfiles = table_manifest(
        tmp_path,
        {"smiles": ["CO"], "z": ["[6, 8]"], "xyz": [Chem.MolToMolBlock(embedded("CO")[0])]},
        coordinates={"column": "xyz", "atomic_numbers": "z"},
    )
    with pytest.raises(MolfoundError, match=r"none of 1 molecules has coordinates; .*'CO', coordinates_unreadable"):
        prepare(molfiles, data=given)


def test_atomic_numbers_beside_the_molfiles_of_an_sdf_are_refused(tmp_path: Path, prepare: Prepare) -> None:
    block = Chem.MolToMolBlock(embedded("CO")[0])
    (tmp_path / "m.sdf").write_text(f"{block}> <a>\n1\n\n> <b>\n1\n\n> <z>\n[6, 8]\n\n$$$$\n")
    for named, refused in (({"atomic_numbers": "z"}, True), ({}, False)):
        manifest = manifest_of(["m.sdf"], coordinates={"column": "molfile", **named})
        with pytest.raises(MolfoundError, match="leave out coordinates") if refused else nullcontext():
            prepare(manifest, data=data_config(conformers={"source": "given"}))


def test_rows_without_coordinates_are_read_block_by_block(
    tmp_path: Path, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[int, list[str]]] = []
    one_table = GraphStore._table

    def noted(store: GraphStore, *arguments: Any, **options: Any) -> pa.Table:
        table = one_table(store, *arguments, **options)
        read.append((table.num_rows, table.column_names))
        return table

    manifest = table_manifest(tmp_path, {"smiles": ["*C" if row == 17 else "CC" for row in range(40)]})
    report = prepare(manifest, data=data_config(conformers={"count": 1, "hang_seconds": None}))
    monkeypatch.setattr(GraphStore, "_table", noted)
    flat = GraphStore.open(report.folder, report.families).without_coordinates()
    assert [(row.row, row.input, row.reason) for row in flat] == [(17, "*C", "no_force_field")]
    assert sorted(read) == [(1, ["row", "smiles"]), *[(4, ["row", "problem", "detail"])] * 10]


def test_a_dataset_without_stands_beside_one_with(tmp_path: Path, prepare: Prepare) -> None:
    manifest = table_manifest(tmp_path, {"smiles": SMILES})
    with_some = prepare(manifest, data=data_config(conformers=GENERATED))
    plain = prepare(manifest, store="plain")
    arrays = [GraphStore.open(report.folder, report.families).load() for report in (plain, with_some)]
    batch = GraphCollection(dict(zip(("plain", "with"), arrays, strict=True))).batch(range(10))
    assert batch.with_coordinates.tolist() == [*[False] * 5, True, False, True, True, True]
    alone = loaded(with_some).batch(range(5))
    assert batch.coordinates is not None
    np.testing.assert_array_equal(batch.coordinates[len(batch.coordinates) // 2 :], alone.coordinates)
