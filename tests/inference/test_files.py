"""Files of molecules: what is read, in which order, and what is said of those that cannot be."""

import gzip
from pathlib import Path

import pandas as pd
import pytest

from molfound.errors import MolfoundError
from molfound.inference import Predictor
from molfound.inference.files import predict_to_file, read_smiles

GIVEN = ["CCO", "no-smiles", "C", "[Na+].[Cl-]", "c1ccccc1"]


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix.lower() == ".gz" else text.encode())
    return path


def molecules_file(folder: Path, name: str) -> Path:
    """Write the molecules in the form that the name's ending says."""
    kind = name.lower()
    table = pd.DataFrame({"id": range(len(GIVEN)), "SMILES": GIVEN})
    if kind.endswith(".parquet"):
        table.to_parquet(folder / name)
        return folder / name
    if ".csv" in kind or ".tsv" in kind:
        return write(folder / name, table.to_csv(index=False, sep="\t" if ".tsv" in kind else ","))
    return write(folder / name, "".join(f"{text} molecule {number}\n" for number, text in enumerate(GIVEN)))


@pytest.mark.parametrize(
    "name",
    ["m.smi", "m.smi.gz", "m.txt", "m.SMI", "m.csv", "M.CSV", "m.csv.gz", "M.Csv.Gz", "m.tsv", "m.tsv.gz", "m.parquet"],
)
@pytest.mark.parametrize("output", ["out.csv", "out.parquet"])
def test_every_row_of_a_file_has_its_row(model: Predictor, tmp_path: Path, name: str, output: str) -> None:
    table = predict_to_file(model, [str(molecules_file(tmp_path, name))], tmp_path / output, tasks=["energy"])
    kept = pd.read_csv(tmp_path / output) if output.endswith("csv") else pd.read_parquet(tmp_path / output)
    expected = model.predict(GIVEN, tasks=["energy"])
    pd.testing.assert_frame_equal(table, expected)
    assert kept["smiles"].tolist() == GIVEN
    assert kept["energy.gap"].to_numpy() == pytest.approx(expected["energy.gap"].to_numpy(), nan_ok=True)
    assert kept["rejected"].notna().tolist() == [False, True, False, False, False]
    assert not list(tmp_path.glob(".*")), "a partial file is left"


def test_smiles_are_taken_as_they_are() -> None:
    long = "C" * 5000
    assert read_smiles(["CCO", "C/C=C/C", long, "CC.CCl"]) == ["CCO", "C/C=C/C", long, "CC.CCl"]


def test_a_column_is_chosen_by_name(tmp_path: Path) -> None:
    path = str(write(tmp_path / "m.csv", "id,structure\n1,CC\n2,\n3,NA\n"))
    assert read_smiles([path], "structure") == ["CC", "", "NA"]
    with pytest.raises(MolfoundError, match="has no column 'structur'; did you mean 'structure'"):
        read_smiles([path], "structur")
    with pytest.raises(MolfoundError, match=r"has no column named smiles or .* name the SMILES column: --smiles"):
        read_smiles([path])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.smi.gz", b"CCO\nC\n"),
        ("b.smi.gz", gzip.compress(b"CCO\n" * 1000, mtime=0)[:-12]),
        ("c.smi", "CCO Äther\n".encode("latin-1")),
        ("d.csv.gz", b"smiles\nCCO\n"),
        ("e.csv", "smiles,name\nCCO,a\nÄ,b\n".encode("latin-1")),
        ("f.parquet", b"smiles\nCCO\n"),
        ("g.csv", b""),
        ("h.csv", b"smiles,b\nCC,1\nCC,1,2\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MolfoundError, match=f"cannot read .*{name}: .") as error:
        read_smiles([str(path)])
    assert "\n" not in str(error.value)


def test_a_byte_order_mark_is_no_part_of_the_first_molecule(tmp_path: Path) -> None:
    path = tmp_path / "m.smi"
    path.write_bytes("CCO\r\nC\r\n".encode("utf-8-sig"))
    assert read_smiles([str(path)]) == ["CCO", "C"]


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    (tmp_path / "molecules").write_text("CCO\n")
    (tmp_path / "m.sdf").write_text("")
    for path in (tmp_path / "molecules", tmp_path / "m.sdf", Path("absent.SDF")):
        with pytest.raises(MolfoundError, match=r"is of no kind that is read: its name should end in \.csv, .*\.smi"):
            read_smiles([str(path)])
    with pytest.raises(MolfoundError, match=r"file not found: absent\.CSV"):
        read_smiles(["absent.CSV"])
    with pytest.raises(MolfoundError, match="one file at a time"):
        read_smiles(["CCO", "absent.csv"])


def test_outputs_that_cannot_be_written_are_named_before_anything_is_read(model: Predictor, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for output, message in [
        ("m.xlsx", r"the output must be a \.csv or \.parquet file, not m\.xlsx"),
        ("absent/m.csv", "there is no folder .*absent"),
        ("folder.csv", "it is a folder"),
    ]:
        with pytest.raises(MolfoundError, match=message):
            predict_to_file(model, ["unread.csv"], tmp_path / output)
    assert not (tmp_path / "absent").exists()


def test_without_an_output_the_table_is_printed(model: Predictor, capsys: pytest.CaptureFixture[str]) -> None:
    predict_to_file(model, ["CCO", "C"], None, tasks=["energy"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "smiles,energy.gap,energy.mu,rejected"
    assert [line.split(",")[0] for line in lines[1:]] == ["CCO", "C"]
