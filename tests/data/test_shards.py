import errno
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molfound.chem.edges import offsets
from molfound.data.ragged import list_column
from molfound.data.shards import (
    DamagedFileError,
    parquet_bytes,
    read_checked,
    read_parquet,
    record_of,
    remove_partials,
    write_atomically,
)
from molfound.errors import MolfoundError


def example() -> pa.Table:
    generator = np.random.default_rng(0)
    counts = generator.integers(0, 9, 5000)
    halves = generator.normal(size=counts.sum()).astype(np.float16)
    lists = list_column(halves, offsets(counts))
    return pa.table({"row": np.arange(5000), "text": pa.array([f"C{i}" for i in range(5000)]), "halves": lists})


ENCODINGS = {"row": "DELTA_BINARY_PACKED", "text": "PLAIN", "halves": "BYTE_STREAM_SPLIT"}


def test_parquet_bytes_depend_on_content_only_and_come_in_bounded_row_groups() -> None:
    table = example()
    content = parquet_bytes(table, ENCODINGS, {"note": "é"})
    in_pieces = pa.concat_tables([table.slice(0, 7), table.slice(7)])
    assert bytes(parquet_bytes(in_pieces.combine_chunks(), ENCODINGS, {"note": "é"})) == bytes(content)
    with pa.parquet.ParquetFile(pa.BufferReader(content)) as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
    assert sizes == [2048, 2048, 904]
    read = read_parquet(bytes(content), Path("x"))
    assert read.schema.metadata[b"note"].decode() == "é"
    assert read.replace_schema_metadata().equals(table)


SMALL = bytes(parquet_bytes(example().slice(0, 50), ENCODINGS, {"note": "x"}))


@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255), st.booleans())
def test_any_changed_byte_and_any_cut_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, at: int, change: int, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    record = record_of("s.parquet", SMALL)
    damaged = bytearray(SMALL[:at] if cut else SMALL)
    if not cut:
        damaged[at] ^= change
    (folder / "s.parquet").write_bytes(damaged)
    with pytest.raises(DamagedFileError, match=r"s\.parquet is damaged; prepare the data again"):
        read_checked(folder, record)
    (folder / "s.parquet").write_bytes(SMALL)
    assert read_checked(folder, record) == SMALL


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match=r"s\.parquet is missing"):
        read_checked(tmp_path, record_of("s.parquet", b""))


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
    (tmp_path / "graphs" / ".00000-a.parquet.12.34.partial").write_bytes(b"half")
    (tmp_path / "graphs" / "00001-a.parquet").write_bytes(b"whole")
    remove_partials(tmp_path)
    assert [path.name for path in (tmp_path / "graphs").iterdir()] == ["00001-a.parquet"]
