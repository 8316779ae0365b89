import gzip
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from molfound.data import table_files
from molfound.data.tables import Table, expand_columns
from molfound.errors import MolfoundError

FRAME = pd.DataFrame({"smiles": ["C", "CC", 'C"C', "C,C", "", "O\nO", "N"], "mu": ["1", "", "nan", "x", "2", "3", "é"]})


def written(folder: Path, ending: str, frame: pd.DataFrame = FRAME, stem: str = "table") -> Path:
    path = folder / f"{stem}{ending}"
    if ending == ".parquet":
        frame.to_parquet(path, index=False, row_group_size=3)
    else:
        frame.to_csv(path, index=False, sep="\t" if ".tsv" in ending else ",")
    return path


@pytest.fixture
def arrow_memory() -> Iterator[pa.MemoryPool]:
    """Arrow's memory, of which the peak is counted from here on."""
    pool = pa.proxy_memory_pool(pa.default_memory_pool())
    before = pa.default_memory_pool()
    pa.set_memory_pool(pool)
    yield pool
    pa.set_memory_pool(before)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet"])
@pytest.mark.parametrize("block_rows", [1, 3, 7, 100])
def test_blocks_hold_all_rows_in_order_whatever_the_format(tmp_path: Path, ending: str, block_rows: int) -> None:
    table = Table([written(tmp_path, ending)])
    assert table.columns == ("smiles", "mu")
    assert table.about_rows() == len(FRAME) + ("parquet" not in ending)  # a quoted line break
    blocks = list(table.blocks(["mu", "smiles"], block_rows))
    assert [block.num_rows for block in blocks[:-1]] == [block_rows] * (len(blocks) - 1)
    assert pa.concat_tables(blocks).to_pydict() == {"mu": list(FRAME["mu"]), "smiles": list(FRAME["smiles"])}
    assert table.column("mu").to_pylist() == list(FRAME["mu"])


def test_rows_run_on_through_many_files_and_wildcards(tmp_path: Path) -> None:
    for number in (2, 0, 1):
        written(tmp_path, ".parquet", pd.DataFrame({"smiles": ["C" * (number + 1)] * 2}), f"part-{number}")
    table = Table([tmp_path / "part-*.parquet"])
    assert table.about_rows() == 6
    (block,) = table.blocks(["smiles"], 10)
    assert block["smiles"].to_pylist() == ["C", "C", "CC", "CC", "CCC", "CCC"]


def test_a_block_may_span_files_whose_columns_have_other_order_and_types(tmp_path: Path) -> None:
    first = pa.table({"smiles": pa.array(["C"]), "y": pa.array([1.5], pa.float64())})
    second = pa.table({"y": pa.array([2], pa.int64()), "smiles": pa.array(["N"], pa.large_string())})
    pq.write_table(first, tmp_path / "1.parquet")
    pq.write_table(second, tmp_path / "2.parquet")
    (block,) = Table([tmp_path / "1.parquet", tmp_path / "2.parquet"]).blocks(["smiles", "y"], 5)
    assert block.to_pydict() == {"smiles": ["C", "N"], "y": [1.5, 2.0]}


@pytest.mark.parametrize(
    ("first", "then", "kind"),
    [
        (pa.array([1, 2], pa.int8()), pa.array([1.5]), pa.float64()),
        (pa.nulls(2), pa.array([0.5], pa.float32()), pa.float32()),
        (pa.array([0.5]), pa.nulls(1), pa.float64()),
        (pa.array([0.5, None]), pa.array(["n/a"]), pa.string()),
        (pa.array(["1", ""]), pa.array([7]), pa.string()),
        (pa.array([[1], None], pa.list_(pa.int8())), pa.array([[0.5, 2.0]]), pa.list_(pa.float64())),
    ],
)
def test_a_type_that_changes_midway_is_read_as_one_that_holds_both(
    tmp_path: Path, first: pa.Array, then: pa.Array, kind: pa.DataType
) -> None:
    for number, column in enumerate((first, then)):
        pq.write_table(pa.table({"y": column}), tmp_path / f"{number}.parquet")
    table = Table([tmp_path / "*.parquet"])
    (block,) = table.blocks(["y"], 5)
    assert table.types["y"] == block.schema.types[0] == kind
    assert block["y"].combine_chunks() == pa.concat_arrays([first.cast(kind), then.cast(kind)])


@pytest.mark.parametrize(
    ("then", "message"),
    [
        (
            {"smiles": ["C"], "y": [[0.5]]},
            r"column 'y' holds list<.*> in .*/2\.parquet, and double in the files",
        ),
        ({"smiles": ["C"], "y": [True]}, r"column 'y' holds bool in .*/2\.parquet, and double"),
        ({"smiles": ["C"], "z": [0.5]}, r"/2\.parquet has no column 'y', and .*/1\.parquet has"),
    ],
)
def test_a_schema_that_changes_midway_is_told_before_anything_is_read(
    tmp_path: Path, then: dict[str, list[object]], message: str
) -> None:
    pq.write_table(pa.table({"smiles": ["C"], "y": [0.5]}), tmp_path / "1.parquet")
    pq.write_table(pa.table(then), tmp_path / "2.parquet")
    with pytest.raises(MolfoundError, match=message):
        Table([tmp_path / "*.parquet"])


def test_two_parquet_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table([[0.5], [1.5]], names=["mu", "mu"]), tmp_path / "t.parquet")
    with pytest.raises(MolfoundError, match="two columns named 'mu'"):
        Table([tmp_path / "t.parquet"])


def test_text_and_lists_come_in_one_plain_type(tmp_path: Path) -> None:
    columns = {
        "text": pa.array(["a", None]),
        "large": pa.array(["a", None], pa.large_string()),
        "category": pa.array(["a", None]).dictionary_encode(),
        "lists": pa.array([[1.0], None], pa.large_list(pa.float32())),
        "fixed": pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2)),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    table = Table([tmp_path / "t.parquet"])
    (block,) = table.blocks(list(columns), 5)
    kinds = [pa.string()] * 3 + [pa.list_(pa.float32())] * 2
    assert [table.types[name] for name in columns] == kinds
    assert block.schema.types == kinds
    assert block.to_pydict() == {name: column.to_pylist() for name, column in columns.items()}


def test_decimals_come_as_float64(tmp_path: Path) -> None:
    cells = [Decimal("1.25"), None, Decimal("-3.50")]
    columns = {
        "small": pa.array(cells, pa.decimal128(9, 2)),
        "large": pa.array(cells, pa.decimal256(50, 20)),
        "lists": pa.array([cells, None, []], pa.list_(pa.decimal128(9, 2))),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    (block,) = Table([tmp_path / "t.parquet"]).blocks(list(columns), 5)
    assert block.schema.types == [pa.float64(), pa.float64(), pa.list_(pa.float64())]
    assert block.to_pydict() == {
        "small": [1.25, None, -3.5],
        "large": [1.25, None, -3.5],
        "lists": [[1.25, None, -3.5], None, []],
    }


def test_memory_of_a_wide_table_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "READ_BYTES", 1 << 16)
    rows, text = 60_000, "x" * 400
    with gzip.open(tmp_path / "big.csv.gz", "wt", compresslevel=1) as file:
        file.write("smiles,note\n" + f"C,{text}\n" * rows)
    table = Table([tmp_path / "big.csv.gz"])
    pool = pa.default_memory_pool()
    before, highest, count = pool.bytes_allocated(), 0, 0
    for block in table.blocks(["smiles", "note"], 1000):
        highest = max(highest, pool.bytes_allocated() - before)
        count += block.num_rows
    assert count == rows
    assert highest < rows * len(text) / 4


def test_memory_does_not_depend_on_the_size_of_row_groups(tmp_path: Path) -> None:
    rows = 1_600_000
    numbers = np.random.default_rng(0).random((2, rows))
    pq.write_table(pa.table(list(numbers), names=["a", "b"]), tmp_path / "t.parquet", row_group_size=rows)
    pool = pa.default_memory_pool()
    before, highest = pool.bytes_allocated(), 0
    for block in Table([tmp_path / "t.parquet"]).blocks(["a", "b"], 1000):
        highest = max(highest, pool.bytes_allocated() - before)
        assert block.num_rows == 1000
    assert highest < numbers.nbytes / 4


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".smi", ".smi.gz"])
def test_rows_are_counted_where_few_and_estimated_where_many(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({"smiles": np.random.default_rng(0).random(40_000).astype(str)})
    frame.to_csv(tmp_path / f"t{ending}", index=False, header=".csv" in ending)
    assert Table([tmp_path / f"t{ending}"]).about_rows() == len(frame)
    monkeypatch.setattr(table_files, "READ_BYTES", 1 << 18)
    assert Table([tmp_path / f"t{ending}"]).about_rows() == pytest.approx(len(frame), rel=0.1)


@pytest.mark.parametrize(
    ("first", "unit", "message"),
    [
        ("", "a", "field larger than field limit"),
        ("", "ab,", "two columns named 'ab'"),
        ("smiles\n", "C", "a row is longer than 262,144 bytes, or a quotation mark is not closed"),
        ('smiles\n"', "C\n", "a row is longer than 262,144 bytes, or a quotation mark is not closed"),
        ("", "\n", "t.csv.gz is empty"),
    ],
)
def test_a_file_that_unpacks_to_a_thousand_times_its_size_takes_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, unit: str, message: str
) -> None:
    monkeypatch.setattr(table_files, "READ_BYTES", 1 << 18)
    repeated, count = unit.encode() * (1 << 16), (20 << 20) // (len(unit) << 16)
    with gzip.open(tmp_path / "t.csv.gz", "wb") as file:
        file.write(first.encode())
        for _ in range(count):
            file.write(repeated)
    unpacked = count * len(repeated)
    assert unpacked > 500 * (tmp_path / "t.csv.gz").stat().st_size
    pool = pa.default_memory_pool()
    before, held = pool.bytes_allocated(), [0]

    def read() -> None:
        blocks = Table([tmp_path / "t.csv.gz"]).blocks(["smiles"], 1000)
        held.extend(pool.bytes_allocated() - before for _ in blocks)

    tracemalloc.start()
    with pytest.raises(MolfoundError, match=message) as caught:
        read()
    highest = max(*held, tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert highest < unpacked / 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", [".smi", ".smi.gz", ".smiles", ".txt.gz"])
def test_a_smiles_file_has_first_words_and_names(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "READ_BYTES", 64)
    lines = ["CCO ethanol", '\tC[C@H](N)O\tname, with "words', "", "c1ccccc1", "[Na+].[Cl-],x", *["C/C=C/C"] * 40]
    content = "\r\n".join(lines).encode()
    path = tmp_path / f"m{ending}"
    path.write_bytes(gzip.compress(content) if ending.endswith(".gz") else content)
    table = Table([path])
    assert table.columns == ("smiles", "name")
    expected = ["CCO", "C[C@H](N)O", "c1ccccc1", "[Na+].[Cl-],x", *["C/C=C/C"] * 40]
    assert [s for block in table.blocks(["smiles"], 3) for s in block["smiles"].to_pylist()] == expected
    names = ["ethanol", 'name, with "words', *[None] * 42]
    assert [s for block in table.blocks(["name"], 3) for s in block["name"].to_pylist()] == names
    with pytest.raises(MolfoundError, match="no column 'logp'"):
        table.require(["logp"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.smi", b"", "m.smi is empty"),
        ("m.smi", b"\n\n", "m.smi"),
        ("m.smi", b"C\n\xff\n", "cannot read"),
        ("m.smi.gz", b"CCO\n", "cannot read"),
        ("m.smi.gz", gzip.compress(b"", mtime=0), "m.smi.gz"),
    ],
)
def test_a_bad_smiles_file_is_named_in_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MolfoundError, match=message) as caught:
        list(Table([tmp_path / name]).blocks(["smiles"], 10))
    assert "\n" not in str(caught.value)


BAD_TABLES = {
    "empty": (b"", "t.csv is empty"),
    "empty lines": (b"\n\n", "t.csv is empty"),
    "header without rows": (b"smiles,mu\n", "has no rows"),
    "duplicate columns": (b"smiles,mu,mu\nC,1,2\n", "two columns named 'mu'"),
    "ragged": (b"smiles,mu\nC,1\nC\n", "Expected 2 columns, got 1"),
    "not text": (b"smiles,mu\nC,\xff\xfe\n", "cannot read"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_bad_table_is_named_in_one_line(tmp_path: Path, name: str) -> None:
    content, message = BAD_TABLES[name]
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(MolfoundError, match=message) as caught:
        list(Table([tmp_path / "t.csv"]).blocks(["smiles", "mu"], 10))
    assert "t.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"), [("t.csv.gz", b"no gzip"), ("t.parquet", b"no parquet"), ("t.xlsx", b"?")]
)
def test_a_file_that_is_not_what_its_name_says(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MolfoundError, match=name):
        Table([tmp_path / name])


def test_a_cut_gzip_file_is_an_error_and_not_a_shorter_table(tmp_path: Path) -> None:
    lines = "".join(f"{'C' * (i % 50 + 1)},{np.sin(i)}\n" for i in range(5000))
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(("smiles,mu\n" + lines).encode())[:-2000])
    with pytest.raises(MolfoundError, match=r"cannot read .*t\.csv\.gz"):
        list(Table([tmp_path / "t.csv.gz"]).blocks(["smiles"], 10))


def test_a_byte_order_mark_and_blank_lines_are_no_part_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf\nsmiles,mu\r\nC,1\r\n\r\nN,2\r\n")
    (block,) = Table([tmp_path / "t.csv"]).blocks(["smiles", "mu"], 10)
    assert block.to_pydict() == {"smiles": ["C", "N"], "mu": ["1", "2"]}


def test_a_missing_file_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(MolfoundError, match=r"file not found: .*nothing\.csv"):
        Table([tmp_path / "nothing.csv"])
    table = Table([written(tmp_path, ".csv")])
    with pytest.raises(MolfoundError, match="no column 'simles'; did you mean 'smiles'"):
        list(table.blocks(["simles"], 10))
    with pytest.raises(MolfoundError, match="has no column 'mu', and"):
        Table([written(tmp_path, ".csv"), written(tmp_path, ".csv", FRAME[["smiles"]], "other")])


def test_wildcards_expand_in_the_table_s_order_each_column_once() -> None:
    columns = ["smiles", "graph_b", "IC50[nM]", "graph_a", "node_a", "mu"]
    assert expand_columns(["mu", "graph_*", "graph_a"], columns) == ("mu", "graph_b", "graph_a")
    assert expand_columns(["IC50[nM]", "?u"], columns) == ("IC50[nM]", "mu")
    with pytest.raises(MolfoundError, match=r"wildcard 'grap_\*' matches no column; did you mean 'graph_"):
        expand_columns(["grap_*"], columns)
    with pytest.raises(MolfoundError, match="label column 'graph_aa' matches no column; did you mean 'graph_a'"):
        expand_columns(["graph_aa"], columns)


def test_one_block_of_a_wide_table_is_in_memory_at_a_time(tmp_path: Path, arrow_memory: pa.MemoryPool) -> None:
    values = np.random.default_rng(0).random((4 * table_files.READ_ROWS, 100))
    names = [f"y{number}" for number in range(values.shape[1])]
    pq.write_table(pa.table(list(values.T), names=names), tmp_path / "t.parquet", row_group_size=500)
    before, found = arrow_memory.max_memory(), []
    for block in Table([tmp_path / "t.parquet"]).blocks(names, 2 * table_files.READ_ROWS):
        found.append(block["y7"].to_numpy())
        del block
    assert arrow_memory.max_memory() < before + 0.8 * values.nbytes
    np.testing.assert_array_equal(np.concatenate(found), values[:, 7])
