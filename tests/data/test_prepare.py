import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from molfound.chem.graphs import GraphBlock, featurize_smiles
from molfound.chem.scaffolds import murcko_scaffold
from molfound.config.component import Component
from molfound.config.schema import FeaturesConfig, ScaffoldSplit
from molfound.data import workers
from molfound.data.collection import GraphCollection
from molfound.data.manifest import Manifest
from molfound.data.splits import make_split
from molfound.data.store import GraphStore
from molfound.data.workers import ShardBuilders
from molfound.encodings import compute_encoding, encoding
from molfound.errors import MolfoundError
from molfound.plugins import load_plugin
from tests.data.conftest import ENCODINGS, FEATURES, SMILES, Prepare, contents, data_config, manifest_of, write_csv

MIXED = [*SMILES, "C1CC", "", "restricted", "CCCCC", "[H][H]", "OO"]


def test_what_is_loaded_is_what_the_molecules_yield(tmp_path: Path, prepare: Prepare) -> None:
    a = [None if i % 3 == 2 else i / 2 for i in range(len(MIXED))]
    b = [None] * len(MIXED)
    weights = [0.5 + i for i in range(len(MIXED))]
    write_csv(tmp_path / "t.csv.gz", {"smiles": MIXED, "a": a, "b": b, "w": weights})
    report = prepare(manifest_of(["t.csv.gz"], weight="w"))
    store = GraphStore.open(report.folder, report.families)
    arrays = store.load()

    graphs, kept, rejections = featurize_smiles(MIXED, FEATURES.atoms, FEATURES.bonds)
    assert (store.rows, len(arrays)) == (len(MIXED), len(kept))
    np.testing.assert_array_equal(arrays.rows, kept)
    for name, expected in vars(graphs).items():
        loaded = getattr(arrays.graphs, name)
        assert loaded.dtype == expected.dtype
        np.testing.assert_array_equal(loaded, expected, err_msg=name)
    assert arrays.smiles.to_pylist() == [MIXED[row] for row in kept]
    for name, options in ENCODINGS.items():
        for part, values in compute_encoding(name, graphs, options).items():
            assert arrays.encodings[part].dtype == np.float16
            np.testing.assert_array_equal(arrays.encodings[part], values)
    labels = arrays.labels["task"]
    assert (labels.level, labels.names) == ("graph", ("a", "b"))
    assert (labels.ptr.dtype, labels.index.dtype, labels.values.dtype) == (np.int64, np.int32, np.float32)
    for position, row in enumerate(kept):
        mine = slice(labels.ptr[position], labels.ptr[position + 1])
        assert (labels.index[mine].tolist(), labels.values[mine].tolist()) == (
            ([], []) if a[row] is None else ([0], [a[row]])
        )
    assert arrays.weights is not None
    assert arrays.weights.tolist() == [weights[row] for row in kept]
    assert [(row.row, row.reason, row.detail) for row in store.rejected()] == [
        (position, rejection.reason, rejection.detail) for position, rejection in rejections
    ]


def test_every_rejected_row_is_listed_with_its_reason(tmp_path: Path, prepare: Prepare) -> None:
    rows = [
        ("CCO", "1", "0"),
        ("C1CC", "1", "0"),
        ("CC", "abc", "0"),
        ("CCC", "1e39", "1"),
        ("", "x", "2"),
        ("CN", "1", "2"),
        ("CCN", "", ""),
        ("C" * 30, "1", "1"),
    ]
    columns = dict(zip(("smiles", "mu", "hit"), map(list, zip(*rows, strict=True)), strict=True))
    write_csv(tmp_path / "t.csv", columns)
    tasks = {"mu": {"kind": "regression", "labels": ["mu"]}, "hit": {"kind": "binary", "labels": ["hit"]}}
    report = prepare(manifest_of(["t.csv"], tasks=tasks), data=data_config(max_heavy_atoms=20))
    expected = [
        (1, "C1CC", "invalid_smiles", None),
        (2, "CC", "label_not_a_number", "column 'mu': 'abc'"),
        (3, "CCC", "label_not_finite", "column 'mu': '1e39'"),
        (4, "", "empty_smiles", ""),
        (5, "CN", "label_not_binary", "column 'hit': '2'"),
        (7, "C" * 30, "too_many_atoms", "30 heavy atoms, the limit is 20"),
    ]
    table = pq.read_table(report.folder / "rejected.parquet")
    assert table.column_names == ["dataset", "row", "input", "reason", "detail"]
    found = [tuple(row.values()) for row in table.to_pylist()]
    assert [(dataset, *row[:3]) for dataset, *row in found] == [("small", *row[:3]) for row in expected]
    assert all(detail in (None, row[4]) for (*_, detail), row in zip(expected, found, strict=True))
    assert report.rejected == {reason: 1 for _, _, reason, _ in expected}
    assert str(report).startswith("small: 8 rows, 2 molecules, 6 rejected (")
    arrays = GraphStore.open(report.folder, report.families).load()
    assert arrays.rows.tolist() == [0, 6]
    assert arrays.labels["mu"].values.tolist() == [1]
    assert arrays.labels["hit"].ptr.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ({"kind": "regression"}, None),
        ({"kind": "binary"}, "label_not_binary"),
        ({"kind": "multiclass", "classes": 3}, "label_not_a_class"),
        ({"kind": "regression", "level": "node"}, None),
        ({"kind": "multiclass", "classes": 3, "level": "node"}, "label_not_a_class"),
    ],
)
def test_a_billion_is_a_number_and_no_class(
    tmp_path: Path, prepare: Prepare, task: dict[str, object], reason: str | None
) -> None:
    cells = ["[1000000000]", "[1]"] if "level" in task else ["1000000000", "1"]
    write_csv(tmp_path / "t.csv", {"smiles": ["C", "N"], "y": cells})
    report = prepare(manifest_of(["t.csv"], tasks={"task": {"labels": ["y"], **task}}))
    assert report.rejected == ({} if reason is None else {reason: 1})
    values = GraphStore.open(report.folder, report.families).load().labels["task"].values.tolist()
    assert values == ([1e9, 1] if reason is None else [1])


def test_a_parquet_file_among_many_may_be_of_another_schema(tmp_path: Path, prepare: Prepare) -> None:
    tables = [{"y": pa.nulls(3, pa.null())}, {"y": pa.array([1, 2, 3])}, {"y": pa.array(["0.5", "?", "nan"])}]
    for number, table in enumerate(tables):
        pq.write_table(pa.table({"smiles": ["C", "CC", "CCC"], **table}), tmp_path / f"{number}.parquet")
    manifest = manifest_of(["*.parquet"], tasks={"task": {"kind": "regression", "labels": ["y"]}})
    report = prepare(manifest)
    assert report.rejected == {"label_not_a_number": 1}
    labels = GraphStore.open(report.folder, report.families).load().labels["task"]
    assert (labels.values.tolist(), np.diff(labels.ptr).tolist()) == ([1, 2, 3, 0.5], [0, 0, 0, 1, 1, 1, 1, 0])
    pq.write_table(pa.table({"smiles": ["C"], "y": [[1.0]]}), tmp_path / "3.parquet")
    with pytest.raises(MolfoundError, match=r"column 'y' holds list<.*> in .*3\.parquet, and string in the files"):
        prepare(manifest)


def test_too_many_rejected_rows_stop_with_the_count_per_reason(tmp_path: Path, prepare: Prepare) -> None:
    write_csv(tmp_path / "t.csv", {"smiles": ["C", "CC", "X", "", "CCC"], "a": [1] * 5, "b": [1] * 5})
    manifest = manifest_of(["t.csv"])
    with pytest.raises(
        MolfoundError, match=r"2 of 5 rows are rejected, more than .* 0\.3 allows: .*invalid_smiles 1"
    ) as error:
        prepare(manifest, data=data_config(max_rejected=0.3))
    assert "empty_smiles 1" in str(error.value)
    assert pq.read_table(tmp_path / "stores/small/rejected.parquet")["row"].to_pylist() == [2, 3]
    assert prepare(manifest, data=data_config(max_rejected=0.4)).built == 0


def test_a_table_of_which_every_row_is_rejected_loads_empty(tmp_path: Path, prepare: Prepare) -> None:
    write_csv(tmp_path / "t.csv", {"smiles": ["X", "", "Y"], "a": [1] * 3, "b": [1] * 3})
    report = prepare(manifest_of(["t.csv"]), scaffolds=True)
    store = GraphStore.open(report.folder, report.families)
    arrays = store.load()
    assert len(arrays) == len(arrays.smiles) == arrays.graphs.graph_count == 0
    assert arrays.encodings["laplacian.magnitudes"].shape == (0, 3)
    assert store.scaffolds()[1] == []


@pytest.mark.parametrize(
    ("weight", "reason"),
    [("", "weight_missing"), ("x", "weight_not_a_number"), ("inf", "weight_not_finite"), ("-1", "weight_negative")],
)
def test_a_weight_that_is_none_rejects_its_row(tmp_path: Path, prepare: Prepare, weight: str, reason: str) -> None:
    write_csv(tmp_path / "t.csv", {"smiles": ["C", "CC", "CCC"], "a": [1] * 3, "b": [1] * 3, "w": [1, weight, 0]})
    report = prepare(manifest_of(["t.csv"], weight="w"))
    assert report.rejected == {reason: 1}
    arrays = GraphStore.open(report.folder, report.families).load()
    assert arrays.weights is not None
    assert (arrays.rows.tolist(), arrays.weights.tolist()) == ([0, 2], [1, 0])


@pytest.mark.parametrize("kind", [pa.timestamp("s"), pa.list_(pa.float64())])
def test_a_weight_column_of_no_numbers_is_refused(tmp_path: Path, prepare: Prepare, kind: pa.DataType) -> None:
    columns = {"smiles": ["C", "CC"], "a": [1, 2], "b": [1, 2], "w": pa.nulls(2, kind)}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pytest.raises(MolfoundError, match=r"column 'w' holds (timestamp|list).*, and weights are numbers"):
        prepare(manifest_of(["t.parquet"], weight="w"))


def test_labels_of_atoms_bonds_and_pairs_come_from_a_parquet_table(tmp_path: Path, prepare: Prepare) -> None:
    smiles = ["CCO", "[OH:1][CH2:3][CH3:2]", "C=O", "CN"]
    frame = pd.DataFrame(
        {
            "smiles": smiles,
            "node_q": [np.array([1.0, 2, 3]), np.array([3.0, 1, 2]), np.array([1.0, np.nan]), np.array([1.0, 2, 3])],
            "edge_o": [[1.0, 1, 1, 1], [2.0, 2, 1, 1], [2.0, 2], [1.0, 1]],
            "pair_d": [list(range(9)), None, [0.0, 1, 1, 0], [0.0, 1, 1, 0]],
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    tasks = {
        level: {"level": level, "kind": "regression", "labels": [f"{prefix}_*"]}
        for level, prefix in (("node", "node"), ("edge", "edge"), ("node_pair", "pair"))
    }
    report = prepare(manifest_of(["t.parquet"], tasks=tasks))
    assert report.rejected == {"label_length": 1}
    labels = GraphStore.open(report.folder, report.families).load().labels
    assert labels["node"].values.tolist() == [1, 2, 3, 3, 2, 1, 1]
    assert labels["node"].index.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert labels["edge"].ptr.tolist() == [0, 4, 8, 10]
    assert labels["node_pair"].ptr.tolist() == [0, 9, 9, 13]


def test_a_second_preparation_builds_nothing_and_changes_no_byte(small: Manifest, prepare: Prepare) -> None:
    report = prepare(small)
    before = contents(report.folder)
    assert (report.built, report.reused) == (12, 0)
    again = prepare(small)
    assert (again.built, again.reused) == (0, 12)
    assert contents(report.folder) == before


def test_a_new_encoding_or_task_builds_its_own_family_only(small: Manifest, prepare: Prepare) -> None:
    prepare(small, encodings={"laplacian": {"pairs": 3}})
    assert prepare(small).built == 3  # random_walk's
    assert prepare(small, encodings={"laplacian": {"pairs": 2}}).built == 3
    assert prepare(small, encodings={"laplacian": {"pairs": 3}, "random_walk": {"steps": 4}}).built == 0  # both stayed
    more = manifest_of(["small.csv"], tasks={"task": small.tasks["task"], "other": small.tasks["task"]})
    assert prepare(more).built == 3
    assert prepare(small, features=FeaturesConfig(atoms=("charge",), bonds=())).built == 3
    assert prepare(small, data=data_config(max_heavy_atoms=50)).built == 9  # labels of whole molecules stay


def test_blocks_that_have_not_changed_stay_for_every_experiment(tmp_path: Path, prepare: Prepare) -> None:
    def write(smiles: list[str]) -> Manifest:
        write_csv(tmp_path / "t.csv", {"smiles": smiles, "a": range(len(smiles)), "b": range(len(smiles))})
        return manifest_of(["t.csv"])

    one, other = ({"laplacian": {"pairs": pairs}} for pairs in (2, 3))
    for chosen in (one, other):
        report = prepare(write(SMILES[:9]), encodings=chosen)
    folder = report.folder
    manifest = write(SMILES)  # a row more in the last of three blocks
    assert prepare(manifest, encodings=one).built == 3
    assert prepare(manifest, encodings=one).built == 0  # and another time, when the other's index is incomplete
    with pytest.raises(MolfoundError, match="it has no encodings/laplacian as asked for"):
        GraphStore.open(folder, report.families)
    damaged = next(path for path in folder.glob(f"{report.families[1].folder}/00001*"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert len(list(damaged.parent.iterdir())) == 2
    again = prepare(manifest, encodings=other)
    assert (again.built, again.reused) == (2, 7)
    assert prepare(manifest, encodings=one).built == 0
    write_csv(tmp_path / "t.csv", {"smiles": SMILES[::-1], "a": range(10), "b": range(10)})
    fresh = prepare(manifest, store="fresh", encodings=one)
    prepare(manifest, encodings=one)
    assert contents(folder) == contents(fresh.folder)  # of the other, none is of the present rows


def test_default_options_said_or_not_are_one_content(small: Manifest, prepare: Prepare) -> None:
    assert prepare(small, encodings={"laplacian": {}}).built == 9
    assert prepare(small, encodings={"laplacian": {"pairs": 8}}).built == 0


def test_appended_rows_build_new_blocks_and_changed_rows_rebuild_theirs(tmp_path: Path, prepare: Prepare) -> None:
    def write(smiles: list[str], a: list[float]) -> Manifest:
        write_csv(tmp_path / "t.csv", {"smiles": smiles, "a": a, "b": a})
        return manifest_of(["t.csv"])

    a = list(range(8))
    report = prepare(write(SMILES[:8], a))
    assert report.built == 8
    assert prepare(write(SMILES[:10], [*a, 8, 9])).built == 4
    assert prepare(write(SMILES[:10], [*a[:7], -1, 8, 9])).built == 1  # one block of labels
    assert prepare(write(["CCCC", *SMILES[1:10]], [*a[:7], -1, 8, 9])).built == 4
    final = contents(report.folder)
    fresh = prepare(manifest_of(["t.csv"]), store="fresh")
    assert final == contents(fresh.folder)  # nothing stale is left, and history leaves no trace


def test_a_table_that_has_grown_is_prepared_by_as_many_processes_as_it_needs(
    tmp_path: Path, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    class Counted(ShardBuilders):
        def __init__(self, processes: int, plugins: Sequence[Path]) -> None:
            counts.append(processes)
            super().__init__(1, plugins)

    monkeypatch.setattr(workers, "ShardBuilders", Counted)
    for rows in (3, 10, 6):
        write_csv(tmp_path / "t.csv", {"smiles": SMILES[:rows], "a": range(rows), "b": range(rows)})
        prepare(manifest_of(["t.csv"]), data=data_config(processes=8))
    assert counts == [1, 3, 2]


@pytest.mark.parametrize("change", ["columns", "files"])
def test_the_same_rows_give_the_same_shards_whatever_holds_them(tmp_path: Path, prepare: Prepare, change: str) -> None:
    a = [str(i) for i in range(10)]
    write_csv(tmp_path / "t.csv", {"smiles": SMILES, "a": a, "b": a})
    expected = contents(prepare(manifest_of(["t.csv"])).folder)
    if change == "columns":
        write_csv(tmp_path / "u.csv.gz", {"b": a, "note": ["x"] * 10, "a": a, "smiles": SMILES})
        names = ["u.csv.gz"]
    else:
        for name, part in (("u.csv", slice(0, 3)), ("v.csv", slice(3, 10))):
            write_csv(tmp_path / name, {"smiles": SMILES[part], "a": a[part], "b": a[part]})
        names = ["u.csv", "v.csv"]
    assert contents(prepare(manifest_of(names), store="other").folder) == expected


def test_processes_and_plugins_change_no_byte(tmp_path: Path, small: Manifest, prepare: Prepare) -> None:
    (tmp_path / "plugin.py").write_text(
        "from molfound.encodings import encoding\n"
        "import numpy as np\n"
        "@encoding('size_of_graph', parts={'atoms': 'graph'})\n"
        "def size(block):\n"
        "    return {'atoms': np.diff(block.node_ptr).astype(float)[:, None]}\n"
    )
    load_plugin(tmp_path / "plugin.py")
    chosen = {**ENCODINGS, "size_of_graph": {}}
    alone = prepare(small, encodings=chosen)
    two = prepare(small, store="two", encodings=chosen, data=data_config(processes=2), plugins=[tmp_path / "plugin.py"])
    assert two.built == alone.built == 15
    assert contents(two.folder) == contents(alone.folder)
    sizes = GraphStore.open(two.folder).load(encodings=["size_of_graph"]).encodings["size_of_graph.atoms"]
    assert sizes.ravel().tolist() == [Chem.MolFromSmiles(text).GetNumAtoms() for text in SMILES]


PLUGIN = """
import numpy as np
from molfound.chem.features import atom_feature
from molfound.chem.vocabulary import Vocabulary
from molfound.encodings import encoding

@atom_feature(Vocabulary("{name}", (0, 1, 2, 3, 4, 5)))
def feature(block):
    return np.full(block.atom_count, {value})

@encoding("{name}", parts={{"x": "graph"}})
def encode(block):
    return {{"x": np.full((block.graph_count, 1), {value}.0)}}
"""


def test_an_edited_plugin_is_not_read_from_the_shards_of_the_older(
    tmp_path: Path, small: Manifest, prepare: Prepare
) -> None:
    name = "edited_in_test"
    chosen = {"features": FeaturesConfig(atoms=("charge", name)), "encodings": {"laplacian": {}, name: {}}}
    for value, built in ((2, 12), (3, 6)):  # the second time graphs and the plugin's encoding only
        (tmp_path / "plugin.py").write_text(PLUGIN.format(name=name, value=value))
        load_plugin(tmp_path / "plugin.py")
        report = prepare(small, **chosen)
        assert report.built == built
        arrays = GraphStore.open(report.folder, report.families).load()
        assert set(arrays.graphs.node_codes[:, 1].tolist()) == {value}
        assert set(arrays.encodings[f"{name}.x"].ravel().tolist()) == {value}
        assert prepare(small, **chosen).built == 0


def test_an_encoding_of_the_wrong_level_is_told_and_not_stored(
    tmp_path: Path, small: Manifest, prepare: Prepare
) -> None:
    @encoding("wrong_level_in_test", parts={"x": "graph"})
    def rows_of_nodes(block: GraphBlock) -> dict[str, np.ndarray]:
        return {"x": np.zeros((block.node_count, 1))}

    with pytest.raises(MolfoundError, match=r"'wrong_level_in_test': part 'x' should be of shape \[4, k\]"):
        prepare(small, encodings={"wrong_level_in_test": {}})


def test_an_encoding_that_reads_codes_is_told_whatever_is_built(small: Manifest, prepare: Prepare) -> None:
    @encoding("reads_codes_in_prepare_test", parts={"x": "node"})
    def codes(block: GraphBlock) -> dict[str, np.ndarray]:
        return {"x": block.node_codes.sum(1, dtype=float)[:, None]}

    for _ in range(2):
        with pytest.raises(MolfoundError, match="encoding 'reads_codes_in_prepare_test' reads node_codes"):
            prepare(small, encodings={"reads_codes_in_prepare_test": {}})
        prepare(small)


def test_atoms_alone_can_have_features(small: Manifest, prepare: Prepare) -> None:
    report = prepare(small, features=FeaturesConfig(atoms=("charge",), bonds=()))
    arrays = GraphStore.open(report.folder, report.families).load()
    bonds = [Chem.MolFromSmiles(text).GetNumBonds() for text in SMILES]
    assert np.diff(arrays.graphs.bond_ptr).tolist() == bonds
    assert arrays.graphs.bond_codes.shape == (sum(bonds), 0)
    batch = GraphCollection({"small": arrays}, {}).batch(np.array([1, 3, 6]))
    assert batch.bond_codes.shape == (bonds[1] + bonds[3] + bonds[6], 0)
    assert batch.node_codes.shape[1] == 1


def test_scaffolds_are_there_when_asked_for(small: Manifest, prepare: Prepare) -> None:
    report = prepare(small)
    with pytest.raises(MolfoundError, match="has no scaffolds"):
        GraphStore.open(report.folder, report.families).scaffolds()
    report = prepare(small, scaffolds=True)
    assert report.built == 3
    rows, scaffolds = GraphStore.open(report.folder, report.families).scaffolds()
    assert scaffolds == [murcko_scaffold(Chem.MolFromSmiles(text)) for text in SMILES]
    split = make_split(ScaffoldSplit(kind="scaffold"), report.rows, scaffolds=(rows, scaffolds))
    assert sum(map(len, split.values())) == len(SMILES)


def test_scaffolds_do_not_depend_on_what_labels_and_weights_reject(tmp_path: Path, prepare: Prepare) -> None:
    columns = {"smiles": ["C", "C1CC", "c1ccccc1", "CC"], "a": ["?", 1, 2, 3], "b": [0, 1, 2, 3], "w": [1, 1, 1, -1]}
    write_csv(tmp_path / "t.csv", columns)
    tasks = {name: {"kind": "regression", "labels": [name]} for name in "ab"}
    for chosen in (tasks, {"a": tasks["a"]}, {"b": tasks["b"]}):
        report = prepare(manifest_of(["t.csv"], tasks=chosen, weight="w"), scaffolds=True)
        rows, scaffolds = GraphStore.open(report.folder, report.families).scaffolds()
        assert (rows.tolist(), scaffolds) == ([0, 2, 3], ["", "c1ccccc1", ""])


def test_a_scaffold_does_not_depend_on_atom_map_numbers(tmp_path: Path, prepare: Prepare) -> None:
    smiles = ["c1ccccc1C", "[cH:1]1[cH:2][cH:3][cH:4][cH:5][c:6]1[CH3:7]"]
    write_csv(tmp_path / "t.csv", {"smiles": smiles, "a": [1, 2], "b": [1, 2]})
    report = prepare(manifest_of(["t.csv"]), scaffolds=True)
    assert GraphStore.open(report.folder).scaffolds()[1] == ["c1ccccc1"] * 2


def test_a_generated_table_is_made_once_and_prepared(tmp_path: Path, prepare: Prepare) -> None:
    manifest = manifest_of(
        [],
        generator=Component("embedded", {"molecules": 30}),
        tasks={"task": {"kind": "regression", "labels": ["logp"]}},
    )
    report = prepare(manifest, data=data_config(block_rows=16))
    assert (report.rows, report.rejected) == (30, {})
    (source,) = (report.folder / "source").iterdir()
    made = source.stat().st_mtime_ns
    assert prepare(manifest, data=data_config(block_rows=16)).built == 0
    assert source.stat().st_mtime_ns == made
    unknown = manifest_of([], generator=Component("embeded"))
    with pytest.raises(MolfoundError, match="unknown generator 'embeded'; did you mean 'embedded'"):
        prepare(unknown)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"smiles": "smile"}, "no column 'smile'; did you mean 'smiles'"),
        ({"weight": "wieght"}, "no column 'wieght'"),
        ({"tasks": {"t": {"kind": "regression", "labels": ["c_*"]}}}, r"wildcard 'c_\*' matches no column"),
        (
            {"tasks": {"t": {"kind": "regression", "labels": ["list"]}}},
            "graph level, whose labels are numbers; column 'list'",
        ),
        (
            {"tasks": {"t": {"level": "node", "kind": "regression", "labels": ["a"]}}},
            "node level, whose labels are lists",
        ),
        ({"smiles": "a"}, "column 'a' holds double, not SMILES"),
    ],
)
def test_a_table_that_does_not_fit_the_manifest(
    tmp_path: Path, prepare: Prepare, changes: dict[str, object], message: str
) -> None:
    pd.DataFrame({"smiles": ["C"], "a": [1.0], "b": [1.0], "list": [[1.0]]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(MolfoundError, match=message):
        prepare(manifest_of(["t.parquet"], **changes))
    with pytest.raises(MolfoundError, match=r"file 'other\.parquet' is not in"):
        prepare(manifest_of(["other.parquet"]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": FeaturesConfig(atoms=("charg",))}, "unknown atom feature 'charg'; did you mean 'charge'"),
        ({"encodings": {"laplacan": {}}}, "unknown encoding 'laplacan'; did you mean 'laplacian'"),
        ({"encodings": {"laplacian": {"pair": 3}}}, "encoding 'laplacian' has no option 'pair'; did you mean 'pairs'"),
    ],
)
def test_an_unknown_feature_or_encoding_is_named(
    small: Manifest, prepare: Prepare, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(MolfoundError, match=message):
        prepare(small, **changes)


def test_ray_that_is_not_installed_is_asked_for_only_where_there_is_work(
    small: Manifest, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "molfound.data.ray_workers", raising=False)
    with pytest.raises(MolfoundError, match=r"data\.engine = ray needs Ray: pip install 'molfound\[ray\]'$"):
        prepare(small, data=data_config(engine="ray"))
    assert prepare(small).built == 12
    assert prepare(small, data=data_config(engine="ray")).reused == 12


def test_no_torch_is_imported_to_prepare_or_load() -> None:
    code = (
        "import sys, molfound.data.prepare, molfound.data.store, molfound.data.workers; print('torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
