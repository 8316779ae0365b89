import hashlib
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.model_selection import GroupKFold, KFold

from molfound.config.schema import ColumnSplit, FileSplit, FoldSplit, RandomSplit, TablesSplit
from molfound.data.manifest import list_manifests, load_manifest, locate_files
from molfound.data.split_files import read_split_file
from molfound.data.splits import Split, column_split, make_split, random_split, scaffold_folds, scaffold_split
from molfound.data.splits import tables_split as make_tables_split
from molfound.data.tables import Table
from molfound.errors import MolfoundError
from tests.data.real_data import DATA, needs_data

FRACTIONS = st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.25, 0.25), (1.0, 0.0, 0.0), (0.6, 0.0, 0.4), (0.2, 0.1, 0.1)])


def assert_disjoint(split: Split, rows: int) -> None:
    joined = np.concatenate(list(split.values()))
    assert len(np.unique(joined)) == len(joined)
    assert all(np.array_equal(members, np.sort(members)) and members.dtype == np.int64 for members in split.values())
    assert len(joined) == 0 or 0 <= joined.min() <= joined.max() < rows


@given(st.integers(0, 300), FRACTIONS, st.integers(0, 2**63 - 1))
def test_a_random_split_has_the_fractions_and_no_row_twice(
    rows: int, fractions: tuple[float, float, float], seed: int
) -> None:
    split = random_split(rows, fractions, seed)
    assert_disjoint(split, rows)
    for part, fraction in zip(("train", "val", "test"), fractions, strict=True):
        assert abs(len(split.get(part, ())) - fraction * rows) <= 1
    again = random_split(rows, fractions, seed)
    assert all(np.array_equal(split[part], again[part]) for part in split)


PINNED = {"train": [1, 3, 4, 5, 6, 7], "val": [0, 9], "test": [2, 8]}


def test_a_random_split_is_random_and_never_changes() -> None:
    assert {part: rows.tolist() for part, rows in random_split(10, (0.6, 0.2, 0.2), 42).items()} == PINNED
    assert random_split(10, (0.6, 0.2, 0.2), 43)["test"].tolist() != PINNED["test"]
    often = Counter(row for seed in range(2000) for row in random_split(10, (0.8, 0.1, 0.1), seed)["test"].tolist())
    assert all(abs(often[row] - 200) < 70 for row in range(10))  # five standard deviations


SCAFFOLDS = st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=1, max_size=200)


@given(SCAFFOLDS, FRACTIONS, st.integers(0, 100))
def test_no_scaffold_stands_in_two_parts(
    scaffolds: list[str], fractions: tuple[float, float, float], seed: int
) -> None:
    rows = np.arange(0, 3 * len(scaffolds), 3)
    split = scaffold_split(rows, scaffolds, fractions, seed)
    assert_disjoint(split, 3 * len(scaffolds))
    homes: dict[str, set[str]] = {}
    for part, members in split.items():
        for row in members.tolist():
            homes.setdefault(scaffolds[row // 3], set()).add(part)
    assert all(len(parts) == 1 for parts in homes.values())
    if sum(fractions) == 1:
        assert sum(map(len, split.values())) == len(rows)
    again = scaffold_split(rows, scaffolds, fractions, seed)
    assert all(np.array_equal(split[part], again[part]) for part in split)


def test_large_scaffolds_train_and_small_ones_are_balanced() -> None:
    scaffolds = ["huge"] * 60 + ["large"] * 15 + [f"small{i}" for i in range(25)]
    split = scaffold_split(np.arange(100), scaffolds, (0.8, 0.1, 0.1), 0)
    assert set(range(75)) <= set(split["train"].tolist())
    assert {part: len(rows) for part, rows in split.items()} == {"train": 80, "val": 10, "test": 10}
    other = scaffold_split(np.arange(100), scaffolds, (0.8, 0.1, 0.1), 1)
    assert not np.array_equal(split["test"], other["test"])


def fold_parts(spec: dict[str, object], rows: int, scaffolds: list[str] | None = None) -> list[Split]:
    grouped = None if scaffolds is None else (np.arange(rows), scaffolds)
    folds = int(str(spec["folds"]))
    specs = [FoldSplit.model_validate({"kind": "folds", **spec, "fold": fold}) for fold in range(1, folds + 1)]
    return [make_split(spec, rows, scaffolds=grouped) for spec in specs]


@given(st.integers(3, 8), st.integers(0, 100), st.integers(0, 50))
def test_folds_test_each_row_once_and_are_of_scikit_learns_sizes(folds: int, more: int, seed: int) -> None:
    rows = folds + more
    splits = fold_parts({"folds": folds, "seed": seed}, rows)
    for split in splits:
        assert_disjoint(split, rows)
        assert sum(map(len, split.values())) == rows
    for part in ("val", "test"):
        np.testing.assert_array_equal(np.sort(np.concatenate([split[part] for split in splits])), np.arange(rows))
    assert all(np.array_equal(splits[fold - 1]["val"], splits[fold]["test"]) for fold in range(folds))
    expected = [len(test) for _, test in KFold(folds).split(np.zeros(rows))]
    assert sorted(len(split["test"]) for split in splits) == sorted(expected)
    other = fold_parts({"folds": folds, "seed": seed + 1}, rows)
    assert rows < 20 or any(not np.array_equal(a["test"], b["test"]) for a, b in zip(splits, other, strict=True))


@given(SCAFFOLDS, st.integers(3, 6), st.integers(0, 50))
def test_folds_of_scaffolds_are_as_equal_as_scikit_learns(scaffolds: list[str], folds: int, seed: int) -> None:
    if len(set(scaffolds)) < folds:
        with pytest.raises(MolfoundError, match=f"{folds} folds of scaffolds need as many scaffolds"):
            scaffold_folds(scaffolds, folds, seed)
        return
    splits = fold_parts({"folds": folds, "seed": seed, "scaffolds": True}, len(scaffolds), scaffolds)
    tests = [split["test"].tolist() for split in splits]
    assert sorted(row for test in tests for row in test) == list(range(len(scaffolds)))
    homes = [{scaffolds[row] for row in test} for test in tests]
    assert sum(map(len, homes)) == len(set(scaffolds))
    expected = [len(test) for _, test in GroupKFold(folds).split(scaffolds, groups=scaffolds)]
    assert sorted(map(len, tests)) == sorted(expected)


def test_a_fold_that_is_not_there_is_named() -> None:
    with pytest.raises(ValidationError, match="should be a fold from 1 to 5, not 6"):
        FoldSplit(kind="folds", fold=6)
    with pytest.raises(MolfoundError, match="5 folds need as many rows, and there are 4"):
        make_split(FoldSplit(kind="folds"), 4)


def test_a_column_names_the_parts_under_any_usual_name() -> None:
    cells = pa.array(["train", "Valid", None, " test ", "", "train", "test_seen"])
    split = column_split(cells, "split")
    expected = {"train": [0, 5], "val": [1], "test": [3], "test_seen": [6]}
    assert {part: rows.tolist() for part, rows in split.items()} == expected
    with pytest.raises(MolfoundError, match="column 'split' holds int64"):
        column_split(pa.array([1, 2]), "split")
    with pytest.raises(MolfoundError, match="has no part"):
        column_split(pa.array(["", None], pa.string()), "split")


def test_parts_known_to_us_have_our_names_in_whatever_case(tmp_path: Path) -> None:
    cells = pa.array(["Train", "TRAIN", "Valid", "Test", "dev", "Seen"])
    expected = {"train": [0, 1], "val": [2, 4], "test": [3], "Seen": [5]}
    assert {part: rows.tolist() for part, rows in column_split(cells, "split").items()} == expected
    (tmp_path / "s.csv").write_text("TRAIN,Validation,Test\n0,1,2\n")
    split = make_split(FileSplit(kind="file", file="s.csv"), 3, folders=[tmp_path])
    assert {part: rows.tolist() for part, rows in split.items()} == {"train": [0], "val": [1], "test": [2]}


def test_a_column_of_other_texts_is_no_split(tmp_path: Path) -> None:
    most = [f"fold {number}" for number in range(100)]
    assert len(column_split(pa.array(most), "fold")) == 100
    with pytest.raises(MolfoundError, match="split column 'name' names 101 different parts, more than 100"):
        column_split(pa.array([*most, "more"]), "name")
    (tmp_path / "s.csv").write_text("row,part\n" + "".join(f"{row},part {row}\n" for row in range(101)))
    with pytest.raises(MolfoundError, match=r"split file .*s\.csv names 101 different parts"):
        make_split(FileSplit(kind="file", file="s.csv"), 101, folders=[tmp_path])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("row,part\n0,train\n1\n2,test\n", "line 3: 1 cells under 2 column names"),
        ("row,part\n\n0,train\n1,test,x\n", "line 4: 3 cells under 2 column names"),
        ("train,test\n0,1\n2,3,4\n", "line 3: 3 cells under 2 column names"),
        ("train,test\n0,1\n2\n", "line 3: 1 cells under 2 column names"),
        ("train,train,test\n0,1,2\n", "line 1: two columns named 'train'"),
        ("row,part,row\n0,train,1\n", "line 1: two columns named 'row'"),
    ],
)
def test_a_line_of_another_width_is_named_and_no_row_lost(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "s.csv").write_text(content)
    with pytest.raises(MolfoundError, match=rf"s\.csv, {message}"):
        make_split(FileSplit(kind="file", file="s.csv"), 9, folders=[tmp_path])


def test_empty_lines_of_a_split_file_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("\nrow,part\n\n0,train\n\n1,test\n\n")
    split = make_split(FileSplit(kind="file", file="s.csv"), 2, folders=[tmp_path])
    assert {part: rows.tolist() for part, rows in split.items()} == {"train": [0], "test": [1]}


def test_a_column_split_reads_its_table(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("smiles,fold\nC,train\nN,test\nO,train\n")
    table = Table([tmp_path / "t.csv"])
    split = make_split(ColumnSplit(kind="column", column="fold"), 3, table=table)
    assert {part: rows.tolist() for part, rows in split.items()} == {"train": [0, 2], "test": [1]}
    with pytest.raises(MolfoundError, match="no column 'flod'; did you mean 'fold'"):
        make_split(ColumnSplit(kind="column", column="flod"), 3, table=table)


def tables_spec(*parts: str, val: float = 0.0) -> TablesSplit:
    return TablesSplit(kind="tables", parts=parts, val=val)


def test_a_tables_split_knows_which_file_a_row_is_from(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("smiles\n" + "C\n" * 40)
    (tmp_path / "b.csv").write_text("smiles\nN\nO\n")
    pd.DataFrame({"smiles": ["S", "P", "F"]}).to_parquet(tmp_path / "c.parquet")
    table = Table([tmp_path / name for name in ("a.csv", "b.csv", "c.parquet")])
    assert table.rows_of_files() == [40, 2, 3]
    split = make_split(tables_spec("train", "test", "train"), 45, table=table)
    assert split["test"].tolist() == [40, 41]
    assert split["train"].tolist() == [*range(40), 42, 43, 44]
    drawn = make_split(tables_spec("train", "Valid", "test"), 45, table=table)
    assert drawn["val"].tolist() == [40, 41]


def test_a_tables_split_draws_val_from_train_alone() -> None:
    split = make_tables_split([80, 20], tables_spec("train", "test", val=0.25))
    assert_disjoint(split, 100)
    assert {part: len(rows) for part, rows in split.items()} == {"train": 60, "val": 20, "test": 20}
    assert list(split) == ["train", "val", "test"]
    assert split["test"].tolist() == list(range(80, 100))
    other = make_tables_split([80, 20], TablesSplit(kind="tables", parts=("train", "test"), val=0.25, seed=7))
    assert split["val"].tolist() != other["val"].tolist()


@pytest.mark.parametrize(
    ("sizes", "spec", "message"),
    [
        ([3, 2], tables_spec("train"), "a part for 1 files, and the table has 2 files"),
        ([3, 2], tables_spec("train", "val", val=0.5), "a part train and none named val"),
        ([3, 2], tables_spec("test", "other", val=0.5), "a part train and none named val"),
    ],
)
def test_a_tables_split_that_does_not_fit_is_told(sizes: list[int], spec: TablesSplit, message: str) -> None:
    with pytest.raises(MolfoundError, match=message):
        make_tables_split(sizes, spec)


PARTS = {"train": [5, 1, 2], "val": [0], "test": [3, 4]}


def write_split(path: Path, form: str) -> Path:
    if form == "ragged.csv":
        pd.DataFrame({part: pd.Series(rows) for part, rows in PARTS.items()}).to_csv(path)
    elif form == "long.csv":
        path.write_text("row,part\n" + "".join(f"{row},{part}\n" for part, rows in PARTS.items() for row in rows))
    elif form == "npz":
        np.savez(path, **PARTS)
    else:
        convert = {"lists.pt": list, "tensors.pt": torch.tensor, "arrays.pt": np.array, "int32.pt": np.int32}[form]
        torch.save({part: convert(rows) for part, rows in PARTS.items()}, path)
    return path


@pytest.mark.parametrize("form", ["lists.pt", "tensors.pt", "arrays.pt", "int32.pt", "npz", "ragged.csv", "long.csv"])
def test_split_files_of_every_form_say_the_same(tmp_path: Path, form: str) -> None:
    name = f"split.{form.rpartition('.')[2]}"
    (tmp_path / "folder").mkdir()
    write_split(tmp_path / "folder" / name, form)
    split = make_split(FileSplit(kind="file", file=name), 6, folders=[tmp_path, tmp_path / "folder"])
    assert {part: rows.tolist() for part, rows in split.items()} == {part: sorted(PARTS[part]) for part in PARTS}
    assert all(rows.dtype == np.int64 for rows in split.values())


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("executed",)


BAD_SPLITS = {
    "overlap": ({"train": [0, 1], "test": [1]}, "row 1 is in part 'train' and in part 'test'"),
    "twice": ({"train": [0, 1, 1]}, "row 1 stands twice in part 'train'"),
    "too large": ({"train": [0, 6]}, "part 'train' has row 6, and the table has rows 0 to 5"),
    "negative": ({"train": [0, -1]}, "part 'train' has row -1"),
    "fractional": ({"train": [0.5]}, "part 'train' holds something other than row numbers"),
    "text": ({"train": ["a"]}, "part 'train' holds something other than row numbers"),
    "nested": ({"train": [[0], [1]]}, "part 'train' holds something other than row numbers"),
    "none": ({}, "has no part"),
    "same part": ({"val": [0], "valid": [1]}, "two parts for 'val'"),
    "a list": ([1, 2], "holds a list, not a mapping"),
    "code": ({"train": Harmful()}, "is not a .pt file of plain lists, tensors or arrays"),
}


@pytest.mark.parametrize("name", BAD_SPLITS)
def test_a_bad_split_file_is_told_in_one_line(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    content, message = BAD_SPLITS[name]
    torch.save(content, tmp_path / "split.pt")
    with pytest.raises(MolfoundError, match=message) as caught:
        make_split(FileSplit(kind="file", file="split.pt"), 6, folders=[tmp_path])
    assert "split.pt" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["pt", "npz"])
def test_a_split_file_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"s.{ending}"
    torch.save({"train": torch.zeros(1_000_000, dtype=torch.int64)}, path)
    if ending == "npz":
        np.savez(path, train=np.zeros(1_000_000, np.int64))
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    with pytest.raises(MolfoundError, match=r"would unpack to 8,00\d,\d+ bytes, over 100 times its size"):
        read_split_file(path)


def test_row_numbers_in_order_may_be_compressed(tmp_path: Path) -> None:
    rows = np.arange(200_000)
    np.savez_compressed(tmp_path / "s.npz", train=rows)
    np.testing.assert_array_equal(read_split_file(tmp_path / "s.npz")["train"], rows)


@pytest.mark.parametrize("ending", ["pt", "npz", "csv"])
@pytest.mark.parametrize("content", [b"", b"\x80\x04broken", b"\xff\xfe\x00\x01"])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_file_that_is_no_split_is_told(tmp_path: Path, ending: str, content: bytes) -> None:
    (tmp_path / f"split.{ending}").write_bytes(content)
    with pytest.raises(MolfoundError, match="split file"):
        make_split(FileSplit(kind="file", file=f"split.{ending}"), 6, folders=[tmp_path])


def test_a_missing_split_file_names_its_address(tmp_path: Path) -> None:
    with pytest.raises(MolfoundError, match=r"'s\.pt' is not in .*; fetch it from https://example.org/s\.pt"):
        make_split(FileSplit(kind="file", file="s.pt", url="https://example.org/s.pt"), 6, folders=[tmp_path])
    (tmp_path / "s.txt").touch()
    with pytest.raises(MolfoundError, match=r"should end in \.pt, \.npz or \.csv"):
        make_split(FileSplit(kind="file", file="s.txt"), 6, folders=[tmp_path])


def test_a_split_file_of_another_checksum_is_told(tmp_path: Path) -> None:
    path = write_split(tmp_path / "s.pt", "lists.pt")
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert make_split(FileSplit(kind="file", file="s.pt", sha256=right), 6, folders=[tmp_path])
    with pytest.raises(MolfoundError, match=rf"s\.pt is another file .* is {right}, not {'0' * 64}"):
        make_split(FileSplit(kind="file", file="s.pt", sha256="0" * 64), 6, folders=[tmp_path])


@needs_data
@pytest.mark.parametrize("name", [name for name in list_manifests() if name.startswith("toymix/")])
def test_published_splits_cover_the_real_tables(name: str) -> None:
    manifest = load_manifest(name)
    rows = len(Table(locate_files(manifest, DATA)).column(manifest.smiles))
    split = make_split(manifest.split("published"), rows, folders=manifest.folders(DATA))
    assert_disjoint(split, rows)
    assert {part: round(len(members) / rows, 1) for part, members in split.items()} == {
        "train": 0.8,
        "val": 0.1,
        "test": 0.1,
    }
    assert sum(map(len, split.values())) == rows
    random = make_split(RandomSplit(kind="random"), rows)
    assert not np.array_equal(random["test"], split["test"])
