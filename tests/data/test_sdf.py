"""SDF as the table of a dataset: its columns, and labels of atoms and bonds in the order of its Molfiles."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem

from molfound.chem.graphs import GraphBlock, featurize_smiles
from molfound.chem.parsing import Rejection, parse
from molfound.chem.sdf import mapped_smiles, molfile_bonds, molfile_smiles, read_molfile
from molfound.config.schema import FeaturesConfig
from molfound.data.arrays import GraphArrays
from molfound.data.manifest import Manifest
from molfound.data.store import GraphStore
from molfound.data.table_order import table_order
from molfound.data.tables import Table
from molfound.errors import MolfoundError
from tests.data.conftest import Prepare, manifest_of

FEATURES = FeaturesConfig()
SMILES = [
    "OCC",
    "C",
    "CC(=O)Nc1ccc(O)cc1",
    "OC[C@H](N)C(=O)O",
    "F/C=C(/Cl)[C@@H](C)O",
    "C/C=C\\C=C\\C",
    "[Na+].[O-]C(=O)C",
    "[2H]OC([2H])C",
    "C[N+](C)(C)CC#N",
    "C1C[C@H]2CC[C@@H](C1)N2",
    "[13CH3]c1cc[nH]c1",
    "O=[S@](C)c1ccccc1",
    "[H][H]",
    "N/C=N/[H]",
]


def shuffled(smiles: str, seed: int) -> str:
    """Return a Molfile with all hydrogens, the atoms in an order of their own."""
    whole = Chem.AddHs(Chem.MolFromSmiles(smiles))
    order = np.random.default_rng(seed).permutation(whole.GetNumAtoms())
    return str(Chem.MolToMolBlock(Chem.RenumberAtoms(whole, order.tolist())))


def write_sdf(path: Path, molfiles: Sequence[str], **properties: Sequence[object]) -> Path:
    records = []
    for number, molfile in enumerate(molfiles):
        lines = [f"> <{name}>\n{json.dumps(values[number])}\n\n" for name, values in properties.items()]
        records.append("".join([molfile, *lines, "$$$$\n"]))
    path.write_text("".join(records))
    return path


def item_manifest(level: str, **changes: object) -> Manifest:
    task = {"level": level, "kind": "regression", "labels": ["y"]}
    return manifest_of(["m.sdf"], tasks={"t": task}, **{"smiles": "mapped_smiles", **changes})


def predicted(molfiles: Sequence[str]) -> GraphBlock:
    """Return the graphs that a prediction makes of the records of an SDF."""
    graphs, kept, _ = featurize_smiles(map(read_molfile, molfiles), FEATURES.atoms, FEATURES.bonds)
    assert len(kept) == len(molfiles)
    return graphs


def labels_of(arrays: GraphArrays, g: int) -> np.ndarray:
    labels = arrays.labels["t"]
    mine = slice(labels.ptr[g], labels.ptr[g + 1])
    assert labels.index[mine].tolist() == list(range(labels.ptr[g + 1] - labels.ptr[g]))
    return labels.values[mine].astype(int)


def listed(level: str, molfiles: Sequence[str], values: np.ndarray, ptr: np.ndarray) -> list[list[int]]:
    """Return the lists in which a prediction tells values of the items of its graphs."""
    order = table_order(level, list(map(read_molfile, molfiles)), torch.from_numpy(ptr)).numpy()
    return [part.tolist() for part in np.split(values[order], ptr[1:-1])]


def ends(graphs: GraphBlock, g: int) -> np.ndarray:
    """Return source and target of each edge of a graph."""
    edges = slice(graphs.edge_ptr[g], graphs.edge_ptr[g + 1])
    return np.stack([graphs.edge_source[edges], graphs.edge_target[edges]], axis=1).astype(int)


@pytest.mark.parametrize("seed", range(3))
def test_labels_lie_on_the_atoms_and_bonds_that_predictions_tell_them_of(
    tmp_path: Path, prepare: Prepare, seed: int
) -> None:
    molfiles = [shuffled(smiles, seed) for smiles in SMILES]
    graphs = predicted(molfiles)
    nodes, edges = np.diff(graphs.node_ptr).tolist(), np.diff(graphs.edge_ptr).tolist()
    places = {"node": [list(range(n)) for n in nodes], "edge": [list(range(e)) for e in edges]}
    places["node_pair"] = [list(range(n * n)) for n in nodes]
    stored = {}
    for level, lists in places.items():
        write_sdf(tmp_path / "m.sdf", molfiles, y=lists)
        report = prepare(item_manifest(level), store=level, features=FEATURES)
        assert not report.rejected
        stored[level] = GraphStore.open(report.folder, report.families).load()
    arrays = stored["node"]
    edge_lists = listed("edge", molfiles, np.arange(graphs.edge_count), graphs.edge_ptr)
    for g, molfile in enumerate(molfiles):
        atom = labels_of(arrays, g)  # of the prediction's graph, for each of the training's
        mine, theirs = (slice(block.node_ptr[g], block.node_ptr[g + 1]) for block in (arrays.graphs, graphs))
        np.testing.assert_array_equal(arrays.graphs.node_codes[mine], graphs.node_codes[theirs][atom])
        pair = np.add.outer(atom * len(atom), atom).reshape(-1)
        np.testing.assert_array_equal(labels_of(stored["node_pair"], g), pair)
        edge = np.array(edge_lists[g], int) - graphs.edge_ptr[g]
        edge_of_label = edge[labels_of(stored["edge"], g)] if len(edge) else edge
        np.testing.assert_array_equal(atom[ends(arrays.graphs, g)], ends(graphs, g)[edge_of_label])
        written = Chem.MolFromMolBlock(molfile, removeHs=False)
        heavy = [a.GetAtomicNum() for a in written.GetAtoms() if a.GetAtomicNum() > 1]
        kept = parse(read_molfile(molfile))
        assert [a.GetAtomicNum() for a in kept.GetAtoms() if a.GetAtomicNum() > 1] == heavy
        assert len(molfile_bonds(molfile)) == len(edge) // 2


def test_labels_of_an_sdf_are_refused_in_the_order_of_its_canonical_smiles(tmp_path: Path, prepare: Prepare) -> None:
    molfile = Chem.MolToMolBlock(Chem.MolFromSmiles("OCC"))
    write_sdf(tmp_path / "m.sdf", [molfile], y=[[8, 6, 6]], z=[1])
    for level in ("node", "edge", "node_pair"):
        with pytest.raises(MolfoundError, match=rf"task 't' is at {level} level, .*write smiles: mapped_smiles in the"):
            prepare(item_manifest(level, smiles="smiles"))
    report = prepare(item_manifest("node"), features=FEATURES)
    arrays = GraphStore.open(report.folder, report.families).load()
    assert labels_of(arrays, 0).tolist() == [8, 6, 6]
    graph_level = manifest_of(["m.sdf"], tasks={"t": {"kind": "regression", "labels": ["z"]}})
    report = prepare(graph_level, store="graphs")
    assert GraphStore.open(report.folder, report.families).load().smiles.to_pylist() == ["CCO"]


def test_a_record_that_is_no_molecule_is_rejected_whichever_smiles_are_read(tmp_path: Path, prepare: Prepare) -> None:
    carbon = Chem.MolToMolBlock(Chem.MolFromSmiles("CC(C)(C)C"))
    five = carbon.replace("  5  4", "  6  5").replace("M  END", "  2  6  1  0\nM  END")
    five = five.replace("  1  2  1  0", "    0.0000    0.0000    0.0000 C   0  0\n  1  2  1  0", 1)
    assert mapped_smiles(five) == molfile_smiles(five)
    assert mapped_smiles("nothing") is None
    assert molfile_bonds(five) == molfile_bonds("nothing") == []
    write_sdf(tmp_path / "m.sdf", ["nothing\n", five, carbon], y=[[1], [1], list(range(8))], z=[1, 1, 1])
    task = {"kind": "regression", "labels": ["z"]}
    for manifest in (item_manifest("edge"), manifest_of(["m.sdf"], tasks={"t": task})):
        report = prepare(manifest, store=manifest.smiles)
        assert report.rejected == {"invalid_molfile": 1, "invalid_smiles": 1}
    report = prepare(item_manifest("edge"), store="mapped_smiles")
    assert sorted(labels_of(GraphStore.open(report.folder, report.families).load(), 0)) == list(range(8))


@pytest.mark.parametrize("smiles", SMILES)
def test_the_map_numbers_are_the_order_of_the_atoms(smiles: str) -> None:
    molfile = shuffled(smiles, 7)
    text = mapped_smiles(molfile)
    molecule, kept = parse(text), parse(read_molfile(molfile))
    assert not isinstance(molecule, Rejection)
    by_number = {atom.GetAtomMapNum(): atom for atom in molecule.GetAtoms()}
    assert [by_number[n + 1].GetAtomicNum() for n in range(len(by_number))] == [
        atom.GetAtomicNum() for atom in kept.GetAtoms()
    ]


def test_a_property_of_the_name_of_a_structure_s_column_has_another(tmp_path: Path) -> None:
    molfile = Chem.MolToMolBlock(Chem.MolFromSmiles("OCC"))
    path = write_sdf(tmp_path / "m.sdf", [molfile], smiles=["mine"], y=[1], molfile=["none"], mapped_smiles=["m"])
    table = Table([path])
    assert table.columns == (
        *("smiles", "mapped_smiles", "molfile", "_Name"),
        *("property_smiles", "y", "property_molfile", "property_mapped_smiles"),
    )
    row = {name: table.column(name)[0].as_py() for name in table.columns}
    assert [json.loads(row[f"property_{name}"]) for name in ("smiles", "molfile", "mapped_smiles")] == [
        *("mine", "none", "m"),
    ]
    assert (row["smiles"], row["mapped_smiles"], row["molfile"]) == ("CCO", "[OH:1][CH2:2][CH3:3]", molfile)
    write_sdf(path, [molfile], smiles=["mine"], property_smiles=["mine"])
    with pytest.raises(MolfoundError, match="two columns named 'property_smiles'"):
        Table([path])
