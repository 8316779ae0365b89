import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from molfound.chem.edges import offsets
from molfound.chem.graphs import GraphBlock, featurize
from molfound.data.item_order import ItemLevel, item_order
from molfound.data.label_shards import Pairs, graph_labels, item_labels

MOLECULES = ["CCO", "c1ccccc1O", "C", "C1CC2CCC1CC2", "[Na+].[Cl-]", "CC(=O)Nc1ccc(O)cc1", "OC1CC1N"]


def parsed(smiles: list[str | None]) -> tuple[np.ndarray, list[Chem.Mol], GraphBlock]:
    molecules = [None if text is None else Chem.MolFromSmiles(text) for text in smiles]
    kept = np.array([position for position, molecule in enumerate(molecules) if molecule is not None], np.int64)
    present = [molecule for molecule in molecules if molecule is not None]
    return kept, present, featurize(present, [], [])


def labels_of(
    level: ItemLevel, smiles: list[str | None], cells: dict[str, list[Any]], kind: str = "regression"
) -> Pairs:
    kept, molecules, graphs = parsed(smiles)
    order = item_order(level, len(smiles), kept, molecules, [smiles[i] or "" for i in kept.tolist()], graphs)
    columns = {name: pa.array(column, pa.list_(pa.float64())) for name, column in cells.items()}
    return item_labels(columns, kind, 3 if kind == "multiclass" else None, order)  # type: ignore[arg-type]


def dense(pairs: Pairs, row: int, items: int, width: int) -> np.ndarray:
    ptr = offsets(pairs.counts)
    table = np.full(items * width, np.nan, np.float32)
    mine = slice(ptr[row], ptr[row + 1])
    assert np.all(np.diff(pairs.index[mine]) > 0)
    table[pairs.index[mine]] = pairs.values[mine]
    return table.reshape(items, width)


def atom_name(atom: Chem.Atom) -> float:
    """Return a number that tells an atom from its surroundings alone, whatever its place in the SMILES."""
    return atom.GetAtomicNum() + 100 * atom.GetDegree() + 1000 * atom.GetTotalNumHs()


def test_node_labels_follow_the_smiles() -> None:
    values = [[atom_name(atom) for atom in Chem.MolFromSmiles(text).GetAtoms()] for text in MOLECULES]
    second = [[-value for value in row] for row in values]
    second[1] = [None] * 7
    pairs = labels_of("node", [*MOLECULES, None], {"x": [*values, [1.0]], "y": [*second, None]})
    assert not pairs.problems
    for row, value in enumerate(values):
        np.testing.assert_array_equal(dense(pairs, row, len(value), 2)[:, 0], value)
    assert np.isnan(dense(pairs, 1, 7, 2)[:, 1]).all()
    assert pairs.counts.tolist() == [6, 7, 2, 16, 4, 22, 10, 0]


@given(st.sampled_from(MOLECULES), st.randoms(use_true_random=False), st.sampled_from([0, 1]))
def test_labels_follow_atom_map_numbers_to_the_same_atoms(text: str, chance: Any, first: int) -> None:
    molecule = Chem.MolFromSmiles(text)
    count = molecule.GetNumAtoms()
    numbers = list(range(count))
    chance.shuffle(numbers)
    labels = [0.0] * count
    for atom, number in zip(molecule.GetAtoms(), numbers, strict=True):
        labels[number] = atom_name(atom)
    start = Chem.MolFromSmiles(text).GetAtomWithIdx(chance.randrange(count)).GetIdx()
    for atom, number in zip(molecule.GetAtoms(), numbers, strict=True):
        atom.SetAtomMapNum(number + first)
        if first == 0 and number == 0:
            atom.SetAtomMapNum(10_000)
    mapped = Chem.MolToSmiles(molecule, canonical=False, rootedAtAtom=start).replace(":10000]", ":0]")
    pair_labels = [labels[i] * 1e4 + labels[j] for i in range(count) for j in range(count)]
    for level, cells in (("node", labels), ("node_pair", pair_labels)):
        pairs = labels_of(level, [mapped], {"x": [cells]})  # type: ignore[arg-type]
        assert not pairs.problems
        names = [atom_name(atom) for atom in Chem.MolFromSmiles(mapped).GetAtoms()]
        expected = names if level == "node" else [a * 1e4 + b for a in names for b in names]
        np.testing.assert_array_equal(dense(pairs, 0, len(expected), 1)[:, 0], np.float32(expected))


def test_pair_labels_follow_the_smiles() -> None:
    cells = [[i * 10.0 + j for i in range(3) for j in range(3)]]
    np.testing.assert_array_equal(dense(labels_of("node_pair", ["CCO"], {"x": cells}), 0, 9, 1)[:, 0], cells[0])


def test_edge_labels_are_two_per_bond_from_begin_to_end_and_back() -> None:
    cells = []
    for text in MOLECULES:
        ends = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in Chem.MolFromSmiles(text).GetBonds()]
        cells.append([source * 100.0 + target for a, b in ends for source, target in ((a, b), (b, a))])
    pairs = labels_of("edge", [None, *MOLECULES], {"x": [None, *cells]})
    _, _, graphs = parsed([None, *MOLECULES])
    for row in range(len(MOLECULES)):
        mine = slice(graphs.edge_ptr[row], graphs.edge_ptr[row + 1])
        expected = graphs.edge_source[mine].astype(float) * 100 + graphs.edge_target[mine]
        np.testing.assert_array_equal(dense(pairs, row + 1, len(expected), 1)[:, 0], expected)
    assert not pairs.problems


@pytest.mark.parametrize(
    ("level", "smiles", "cell", "problem"),
    [
        ("node", "CCO", [1.0, 2.0], ("label_length", "column 'x': 2 values for 3 atoms")),
        ("node", "CCO", [], ("label_length", "column 'x': 0 values for 3 atoms")),
        ("edge", "CCO", [1.0, 2.0], ("label_length", "column 'x': 2 values for 4 edges")),
        ("edge", "C", [], None),
        ("node_pair", "CCO", [1.0] * 3, ("label_length", "column 'x': 3 values for 9 pairs of atoms")),
        ("node", "CCO", [1.0, float("inf"), 2.0], ("label_not_finite", "column 'x': 'inf'")),
        (
            "node",
            "[CH3:1]CO",
            [1.0] * 3,
            ("label_order", "column 'x': atom-map numbers are not 1 to the number of atoms"),
        ),
        ("node", "[CH3:2][CH2:2][OH:1]", [1.0] * 3, ("label_order", None)),
        ("node", "[CH3:3][CH2:2][OH:4]", [1.0] * 3, ("label_order", None)),
        ("node", "[CH3:1]CO", None, None),
    ],
)
def test_a_list_that_does_not_fit_rejects_its_row_alone(
    level: ItemLevel, smiles: str, cell: list[float] | None, problem: tuple[str, str | None] | None
) -> None:
    counts = {"node": 1, "edge": 0, "node_pair": 1}[level]
    pairs = labels_of(level, ["C", smiles, "N"], {"x": [[5.0] * counts, cell, [6.0] * counts]})
    assert pairs.counts.tolist() == [counts, 0, counts]
    if problem is None:
        assert not pairs.problems
    else:
        reason, detail = pairs.problems[1]
        assert (reason, detail if problem[1] else None) == problem


def test_text_cells_hold_lists_as_json() -> None:
    kept, molecules, graphs = parsed(["CCO", "C"])
    order = item_order("node", 2, kept, molecules, ["CCO", "C"], graphs)
    pairs = item_labels({"x": pa.array([json.dumps([1, None, 3]), "[2]"])}, "regression", None, order)
    assert (pairs.index.tolist(), pairs.values.tolist(), pairs.counts.tolist()) == ([0, 2, 0], [1, 3, 2], [2, 1])


@given(st.lists(st.tuples(*[st.sampled_from(["", "0", "1", "2", "0.5", "x", "inf"])] * 3), min_size=1))
@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_graph_labels_keep_every_number_and_tell_every_other_cell(kind: Any, rows: list[tuple[str, ...]]) -> None:
    columns = {name: pa.array([row[i] for row in rows]) for i, name in enumerate("abc")}
    pairs = graph_labels(columns, kind, 3 if kind == "multiclass" else None)
    allowed = {"regression": {"0", "1", "2", "0.5"}, "binary": {"0", "1"}, "multiclass": {"0", "1", "2"}}[kind]
    special = {"x": "label_not_a_number", "inf": "label_not_finite"}
    other = {"binary": "label_not_binary", "multiclass": "label_not_a_class"}
    for position, row in enumerate(rows):
        wrong = [(name, cell) for name, cell in zip("abc", row, strict=True) if cell and cell not in allowed]
        if wrong:
            name, cell = wrong[0]
            reason = special.get(cell) or other[kind]
            assert pairs.problems[position] == (reason, f"column '{name}': '{cell}'")
            assert pairs.counts[position] == 0
        else:
            expected = [np.nan if cell == "" else float(cell) for cell in row]
            np.testing.assert_array_equal(dense(pairs, position, 1, 3)[0], expected)
    assert set(pairs.problems) <= set(range(len(rows)))
