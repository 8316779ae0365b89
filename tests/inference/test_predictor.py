"""Predictions: one row per SMILES, in the order of label tables, whatever the batch."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from rdkit import Chem
from torch import Tensor

import molfound as mf
from molfound.chem.similarity import KnownMolecules
from molfound.config.component import Component
from molfound.data.arrays import GraphArrays
from molfound.data.batch import GraphBatch
from molfound.data.collection import GraphCollection
from molfound.data.mixture import Mixture
from molfound.data.store import GraphStore
from molfound.errors import MolfoundError
from molfound.inference import Predictor
from molfound.model import MolecularModel, specify
from molfound.tasks.resolve import make_task
from molfound.training.labelled_predictions import LabelledPredictions
from molfound.training.mixture import TaskMixture
from tests.data.conftest import Prepare, manifest_of
from tests.test_model import experiment

MANY = ["C", "CCO", "[Na+].[Cl-]", "c1ccccc1C(=O)N", "OC[C@H](N)C(=O)O", "C1CC2CCC1CC2", "[NH4+].[O-]C(=O)C"]
LISTED = ["C1CC1", "CCO", "C", "[Na+].[Cl-]", "[CH3:3][CH2:1][OH:2]", "[OH:1][CH:3]=[O:2]", "OC1CC1N"]
TASKS = {"charges": "node", "orders": "edge", "distances": "node_pair"}


def says(model: Predictor, monkeypatch: pytest.MonkeyPatch, predict: Callable[[GraphBatch], dict[str, Tensor]]) -> None:
    monkeypatch.setattr(model.model, "predict", lambda batch, *_, **__: predict(batch))


def test_a_molecule_alone_is_predicted_as_among_many(model: Predictor) -> None:
    together = model.predict(MANY * 3, batch_size=5)
    assert together["smiles"].tolist() == MANY * 3
    assert together["rejected"].isna().all()
    alone = [model.predict(text) for text in MANY]
    for name in together.columns.drop(["smiles", "rejected"]):
        for place, text in enumerate(MANY * 3):
            expected = alone[place % len(MANY)][name][0]
            assert together["smiles"][place] == text
            np.testing.assert_allclose(together[name][place], expected, atol=1e-6, err_msg=f"{name} of {text}")


def test_cells_have_a_value_for_each_item(model: Predictor) -> None:
    table = model.predict(MANY)
    for place, text in enumerate(MANY):
        molecule = Chem.MolFromSmiles(text)
        atoms, bonds = molecule.GetNumAtoms(), molecule.GetNumBonds()
        assert np.shape(table["charges.q"][place]) == (atoms,)
        assert np.shape(table["orders.order"][place]) == (2 * bonds,)
        assert np.shape(table["distances.bin"][place]) == (atoms**2, 4)
        assert np.sum(table["bins.size"][place]) == pytest.approx(1)
        assert 0 < table["toxic.a"][place] < 1


def test_what_is_no_molecule_keeps_its_row(model: Predictor) -> None:
    given = ["CCO", "no smiles", "", "C", "C(C)(C)(C)(C)C"]
    table = model.predict(given)
    assert table["smiles"].tolist() == given
    assert (
        table["rejected"].isna().tolist() == table["energy.gap"].notna().tolist() == [True, False, False, True, False]
    )
    assert table["rejected"][2] == "empty_smiles"
    assert "valence" in table["rejected"][4]
    assert model.predict([]).shape == (0, table.shape[1])
    assert model.predict(["?"])["energy.gap"].isna().all()


def test_blocks_change_nothing(model: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["?", *MANY, "??", *LISTED]
    whole = model.predict(given)
    monkeypatch.setattr("molfound.inference.molecules.BLOCK_ROWS", 3)
    cut = model.predict(given)
    assert cut["rejected"].isna().tolist() == whole["rejected"].isna().tolist()
    np.testing.assert_allclose(cut["energy.mu"], whole["energy.mu"], atol=1e-6)


def test_tasks_are_chosen_once_each_and_unknown_ones_named(model: Predictor) -> None:
    table = model.predict(["CCO"], tasks=["toxic", "energy", "toxic"])
    assert list(table.columns) == ["smiles", "toxic.a", "toxic.b", "toxic.c", "energy.gap", "energy.mu", "rejected"]
    with pytest.raises(MolfoundError, match="the model has no task 'energi'; did you mean 'energy'"):
        model.predict(["CCO"], tasks=["energi"])


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(MolfoundError, match=r"holds no model: it has no model\.json"):
        mf.load(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b'{"intervals": {', b"[]", b'{"intervals": {}, "probabilities": {}, "later": 1}', b'{"intervals": "\xff"}'],
)
def test_a_calibration_that_is_damaged_or_newer_is_named(run: Path, content: bytes) -> None:
    (run / "calibration.json").write_bytes(content)
    with pytest.raises(MolfoundError, match=r"calibration\.json is damaged, or was made by a newer mol.*: .") as error:
        mf.load(run)
    assert "\n" not in str(error.value)


def test_columns_of_one_name_are_refused() -> None:
    labels = ["a", "a.deviation"]
    noisy = make_task("noisy", "one", "graph", "regression", labels, loss=Component("gaussian_nll"))
    model = Predictor(MolecularModel(specify(experiment(), {"noisy": noisy})).eval())
    assert list(model.predict(["C"]).columns[1:3]) == ["noisy.a", "noisy.a.deviation"]
    with pytest.raises(MolfoundError, match=r"two columns of the result would be called 'noisy\.a\.deviation'"):
        model.predict(["C"], deviation=True)


def test_molecules_of_any_size_that_the_model_takes_are_compared(run: Path) -> None:
    model = mf.load(run)
    model.specification = model.specification.model_copy(update={"max_heavy_atoms": 2000})
    model.known = KnownMolecules.of(["C" * 1200, "CCO"], threshold=0.5)
    table = model.predict(["C" * 1100], tasks=["energy"], applicability=True)
    assert table["rejected"].isna().all()
    assert table["applicable"].tolist() == [True]


def test_edges_come_bond_by_bond_there_and_back(model: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(batch: GraphBatch) -> dict[str, Tensor]:
        source, target = batch.edge_index - batch.node_ptr[batch.node_graph[batch.edge_index[0]]]
        return {"orders": (10.0 * source + target)[:, None]}

    says(model, monkeypatch, ends)
    cells = model.predict(["CCO", *LISTED], tasks=["orders"])["orders.order"]
    assert cells[1].tolist() == [1, 10, 12, 21, 20, 2]
    for cell, text in zip(cells, ["CCO", *LISTED], strict=True):
        bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in Chem.MolFromSmiles(text).GetBonds()]
        assert cell.tolist() == [number for begin, end in bonds for number in (10 * begin + end, 10 * end + begin)]


def test_atoms_and_pairs_follow_their_map_numbers(model: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    def numbers(batch: GraphBatch) -> dict[str, Tensor]:
        local = torch.arange(batch.num_nodes) - batch.node_ptr[batch.node_graph]
        counts = batch.node_ptr.diff().tolist()
        pairs = [10 * i + j for n in counts for i in range(n) for j in range(n)]
        return {"charges": local[:, None].float(), "distances": torch.tensor(pairs)[:, None].float()}

    says(model, monkeypatch, numbers)
    given = ["CCO", "[CH3:3][CH2:1][OH:2]", "[CH3:0][OH:1]", "[CH3:5][OH:1]"]
    table = model.predict(given, tasks=["charges", "distances"])
    assert [cell.tolist() for cell in table["charges.q"]] == [[0, 1, 2], [1, 2, 0], [0, 1], [0, 1]]
    assert table["distances.bin"][1].tolist() == [11, 12, 10, 21, 22, 20, 1, 2, 0]
    assert table["distances.bin"][3].tolist() == [0, 1, 10, 11]


@pytest.fixture
def listed(tmp_path: Path, prepare: Prepare) -> GraphArrays:
    """Molecules whose labels at each level are the places in their own lists."""
    molecules = [Chem.MolFromSmiles(text) for text in LISTED]
    counts = {
        "charges": [molecule.GetNumAtoms() for molecule in molecules],
        "orders": [2 * molecule.GetNumBonds() for molecule in molecules],
        "distances": [molecule.GetNumAtoms() ** 2 for molecule in molecules],
    }
    lists = {name: [[float(place) for place in range(count)] for count in counts[name]] for name in TASKS}
    pq.write_table(pa.table({"smiles": LISTED, **lists}), tmp_path / "listed.parquet")
    tasks = {name: {"level": level, "kind": "regression", "labels": [name]} for name, level in TASKS.items()}
    manifest = manifest_of(["listed.parquet"], tasks=tasks)
    report = prepare(manifest)
    return GraphStore.open(report.folder, report.families).load()


def test_cells_line_up_with_the_lists_of_labels(
    model: Predictor, listed: GraphArrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = GraphCollection({"input": listed}, dict.fromkeys(TASKS, "input"))
    assert len(listed) == len(LISTED)
    says(model, monkeypatch, lambda batch: collection.batch(batch.rows).labels)
    table = model.predict(LISTED, tasks=list(TASKS), batch_size=3)
    for name in table.columns.drop(["smiles", "rejected"]):
        for cell in table[name]:
            assert cell.tolist() == list(range(len(cell))), name


def test_kept_predictions_number_items_as_the_lists_do(
    model: Predictor, listed: GraphArrays, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = GraphCollection({"other": listed, "input": listed}, dict.fromkeys(TASKS, "input"))
    graphs = Mixture(other, {}, {"other": listed.smiles, "input": listed.smiles})
    tasks = {name: make_task(name, "input", level, "regression", [name]) for name, level in TASKS.items()}

    monkeypatch.setattr(model.model, "finished", lambda name, values: values)
    predictions = LabelledPredictions(model.model, TaskMixture(graphs, tasks))
    for rows in ([0, 2, 4, 7, 8, 11], [9, 10, 12, 13]):
        batch = other.batch(rows)
        predictions.add(batch.labels, batch)
    predictions.write(tmp_path / "predictions", "test")
    for name in TASKS:
        kept = pq.read_table(tmp_path / "predictions" / f"test.{name}.parquet").to_pandas()
        assert set(kept["row"]) >= {0, 1, 4, 5, 6}
        assert kept["item"].tolist() == kept["target"].tolist() == kept["prediction"].tolist()
        assert all(items.tolist() == list(range(len(items))) for _, items in kept.groupby("row")["item"])
    assert not list((tmp_path / "predictions").glob(".*"))


def test_predicting_loads_no_library_that_it_does_not_need():
    program = "import sys, molfound.inference, molfound.inference.files; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"lightning", "omegaconf", "sklearn", "datamol", "matplotlib", "scipy.spatial", "torch._dynamo"}
    assert heavy & set(loaded) == set()
