import errno
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molfound.chem.edges import offsets
from molfound.data.ragged import flat_values, list_column
from molfound.data.shards import (
    DamagedFileError,
    parquet_bytes,
    read_checked,
    read_shard,
    record_of,
    remove_partials,
    shard_bytes,
    shard_schema,
    write_atomically,
)
from molfound.errors import MolfoundError


def example() -> pa.Table:
    generator = np.random.default_rng(0)
    counts = generator.integers(0, 9, 5000)
    halves = generator.normal(size=counts.sum()).astype(np.float16)
    lists = list_column(halves, offsets(counts))
    return pa.table({"row": np.arange(5000), "text": pa.array([f"C{i}" for i in range(5000)]), "halves": lists})


def test_a_shard_depends_on_its_content_only_and_is_one_record_batch() -> None:
    table = example()
    content = bytes(shard_bytes(table, {"note": "é"}))
    in_pieces = pa.concat_tables([table.slice(0, 7), table.slice(7)])
    assert bytes(shard_bytes(in_pieces, {"note": "é"})) == content
    assert shard_schema(content).metadata == {b"note": "é".encode()}
    with pa.ipc.open_file(content) as file:
        assert file.num_record_batches == 1
    read = read_shard(content, Path("x"))
    assert read.schema.metadata is None
    assert read.equals(table)


@pytest.mark.parametrize("columns", [["halves"], ["row", "halves"], ["halves", "text"], ["row", "text", "halves"]])
def test_of_a_shard_only_the_columns_asked_for_are_read(columns: list[str]) -> None:
    table = example()
    read = read_shard(bytes(shard_bytes(table, {})), Path("x"), columns)
    in_order = [name for name in table.column_names if name in columns]
    assert read.equals(table.select(in_order))


def test_a_shard_without_rows_has_its_columns() -> None:
    empty = example().slice(0, 0)
    assert read_shard(bytes(shard_bytes(empty, {})), Path("x")).equals(empty)
    values, counts = flat_values(empty["halves"])
    assert (values.dtype, len(values), len(counts)) == (np.float16, 0, 0)


def test_what_is_no_arrow_file_is_named_as_damaged(tmp_path: Path) -> None:
    (tmp_path / "s.arrow").touch()
    for content in (b"", b"ARROW1", bytes(shard_bytes(example(), {}))[:-20]):
        with pytest.raises(DamagedFileError, match=r"s\.arrow is damaged"):
            read_shard(content, tmp_path / "s.arrow")


def test_parquet_bytes_depend_on_content_only() -> None:
    table = example()
    content = parquet_bytes(table)
    assert bytes(parquet_bytes(example())) == bytes(content)
    assert pq.read_table(pa.BufferReader(content)).equals(table)


SMALL = bytes(shard_bytes(example().slice(0, 50), {"note": "x"}))


@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255), st.booleans())
def test_any_changed_byte_and_any_cut_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, at: int, change: int, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    record = record_of("s.arrow", SMALL)
    damaged = bytearray(SMALL[:at] if cut else SMALL)
    if not cut:
        damaged[at] ^= change
    (folder / "s.arrow").write_bytes(damaged)
    with pytest.raises(DamagedFileError, match=r"s\.arrow is damaged; prepare the data again"):
        read_checked(folder, record)
    (folder / "s.arrow").write_bytes(SMALL)
    assert read_checked(folder, record) == SMALL


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match=r"s\.arrow is missing"):
        read_checked(tmp_path, record_of("s.arrow", b""))


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_what_was_there_and_nothing_partial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int
) -> None:
    write_atomically(tmp_path / "folder" / "file", b"old")

    def full(*arguments: object, **options: object) -> None:
        raise OSError(code, os.strerror(code))

    if step == "write":
        real = Path.open

        def opened(path: Path, mode: str = "r", *arguments: object) -> object:
            file = real(path, mode, buffering=0) if mode == "wb" else real(path, mode)
            return _Full(file, full) if mode == "wb" else file

        monkeypatch.setattr(Path, "open", opened)
    elif step == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(MolfoundError, match=r"the disk is full, writing .*file"):
        write_atomically(tmp_path / "folder" / "file", b"new")
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["file"]
    assert (tmp_path / "folder" / "file").read_bytes() == b"old"


class _Full:
    """A file whose disk is full after three bytes."""

    def __init__(self, file: object, full: object) -> None:
        self.file, self.write_fails = file, full

    def __enter__(self) -> "_Full":
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def write(self, content: bytes) -> None:
        self.file.write(content[:3])
        self.write_fails()


@pytest.mark.parametrize("name", ["file/x", "file/folder/x", "folder", "x" * 300])
def test_a_place_where_no_file_can_be_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "full").mkdir(parents=True)
    with pytest.raises(MolfoundError, match=f"cannot write .*{name}: ") as caught:
        write_atomically(tmp_path / name, b"new")
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_any_other_error_is_not_hidden_and_leaves_nothing_partial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


def test_partial_files_of_killed_writers_are_removed(tmp_path: Path) -> None:
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / ".00000-a.arrow.12.34.partial").write_bytes(b"half")
    (tmp_path / "graphs" / "00001-a.arrow").write_bytes(b"whole")
    remove_partials(tmp_path)
    assert [path.name for path in (tmp_path / "graphs").iterdir()] == ["00001-a.arrow"]
