"""Files of molecules: what is read, in which order, and what is said of those that cannot be."""

import gzip
import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from molfound.errors import MolfoundError
from molfound.inference import Predictor
from molfound.inference.files import Written, _json, check_output, write_results
from molfound.inference.molecules import open_molecules


def predict_to_file(model: Predictor, inputs: list[str], output: Path | None, keep: tuple[str, ...] = ()) -> Written:
    return write_results(open_molecules(inputs, keep=keep), model.predictions(tasks=["energy"]), output, shown=False)


def read_smiles(inputs: list[str], column: str | None = None) -> list[str | None]:
    return [text for rows in open_molecules(inputs, column).blocks() for text in rows.read]


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
    written = predict_to_file(model, [str(molecules_file(tmp_path, name))], tmp_path / output)
    assert (written.rows, dict(written.rejected)) == (len(GIVEN), {"invalid_smiles": 1})
    kept = pd.read_csv(tmp_path / output) if output.endswith("csv") else pd.read_parquet(tmp_path / output)
    expected = model.predict(GIVEN, tasks=["energy"])
    assert kept.columns.tolist() == expected.columns.tolist()
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
    with pytest.raises(MolfoundError, match=f"{name}( is empty|: .)") as error:
        read_smiles([str(path)])
    assert "\n" not in str(error.value)


def test_a_byte_order_mark_is_no_part_of_the_first_molecule(tmp_path: Path) -> None:
    path = tmp_path / "m.smi"
    path.write_bytes("CCO\r\nC\r\n".encode("utf-8-sig"))
    assert read_smiles([str(path)]) == ["CCO", "C"]


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    (tmp_path / "molecules").write_text("CCO\n")
    (tmp_path / "m.xlsx").write_text("")
    for path in (tmp_path / "molecules", tmp_path / "m.xlsx"):
        with pytest.raises(MolfoundError, match=r"is not a table: its name should end in \.csv, .*\.smi"):
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
            check_output(tmp_path / output)
        with pytest.raises(MolfoundError, match=message):
            predict_to_file(model, ["CCO"], tmp_path / output)
    assert not (tmp_path / "absent").exists()


def test_without_an_output_the_table_is_printed(model: Predictor, capsys: pytest.CaptureFixture[str]) -> None:
    predict_to_file(model, ["CCO", "C"], None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "smiles,energy.gap,energy.mu,rejected"
    assert [line.split(",")[0] for line in lines[1:]] == ["CCO", "C"]


def test_columns_of_the_input_are_kept(model: Predictor, tmp_path: Path) -> None:
    path = str(write(tmp_path / "m.csv", 'smiles,id,rejected\nCCO,"a, b",x\nQ,7,y\n'))
    predict_to_file(model, [path], tmp_path / "out.csv", keep=("id",))
    kept = pd.read_csv(tmp_path / "out.csv")
    assert kept["id"].tolist() == ["a, b", "7"]
    for keep, message in [
        (("rejected",), "column 'rejected' cannot be kept: the result has a column of that name"),
        (("smiles",), "column 'smiles' has the SMILES"),
        (("idd",), "has no column 'idd'; did you mean 'id'"),
    ]:
        with pytest.raises(MolfoundError, match=message):
            predict_to_file(model, [path], tmp_path / "new.csv", keep=keep)
    with pytest.raises(MolfoundError, match="SMILES have no column 'id' to keep"):
        predict_to_file(model, ["CCO"], None, keep=("id",))
    with pytest.raises(MolfoundError, match="SMILES have no column 'nonsense' to be read from; give a file"):
        read_smiles(["CCO"], "nonsense")
    assert not (tmp_path / "new.csv").exists()


@pytest.mark.parametrize("name", ["m.sdf", "m.SDF.gz"])
def test_molecules_of_an_sdf_are_those_of_their_smiles(model: Predictor, tmp_path: Path, name: str) -> None:
    texts = ["CCO", "C[C@H](N)C(=O)O", "c1ccccc1", "C/C=C/C"]
    records = []
    for number, text in enumerate(texts):
        molecule = Chem.AddHs(Chem.MolFromSmiles(text))
        AllChem.EmbedMolecule(molecule, randomSeed=1)
        records.append(f"{Chem.MolToMolBlock(molecule)}> <number> ({number})\n{number}\n\n$$$$\n")
    carbon = Chem.MolToMolBlock(Chem.MolFromSmiles("CC(C)(C)C"))
    five_bonds = carbon.replace("  5  4", "  6  5").replace("M  END", "  2  6  1  0\nM  END")
    broken = five_bonds.replace("  1  2  1  0", "    0.0000    0.0000    0.0000 C   0  0\n  1  2  1  0", 1)
    path = str(write(tmp_path / name, "".join([*records, f"{broken}$$$$\n", "nothing\n$$$$\n"])))
    written = predict_to_file(model, [path], tmp_path / "out.parquet", keep=("number",))
    kept = pd.read_parquet(tmp_path / "out.parquet")
    expected = model.predict(texts, tasks=["energy"])
    assert kept["smiles"].tolist()[:4] == [Chem.CanonSmiles(text) for text in texts]
    assert kept["number"].tolist()[:4] == ["0", "1", "2", "3"]
    np.testing.assert_allclose(kept["energy.gap"][:4], expected["energy.gap"], atol=1e-6)
    assert written.rejected == {"invalid_molecule": 1, "invalid_molfile": 1}
    assert "valence" in kept["rejected"][4]


def test_names_of_molecules_are_kept(model: Predictor, tmp_path: Path) -> None:
    lines = write(tmp_path / "m.smi", "CCO ethanol\n  c1ccccc1\tbenzene, pure \nC\n")
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("CCO"))
    records = write(tmp_path / "m.sdf", f"ethanol{block}$$$$\n{block}$$$$\n")
    for path, column, names in (
        (lines, "name", ["ethanol", "benzene, pure", None]),
        (records, "_Name", ["ethanol", None]),
    ):
        predict_to_file(model, [str(path)], tmp_path / "out.parquet", keep=(column,))
        assert pq.read_table(tmp_path / "out.parquet")[column].to_pylist() == names


def test_lists_come_as_json_in_csv_and_as_lists_in_parquet(model: Predictor, tmp_path: Path) -> None:
    expected = model.predict(["CCO", "?"], tasks=["charges", "bins"])
    for output in ("out.csv", "out.parquet"):
        predictions = model.predictions(tasks=["charges", "bins"])
        write_results(open_molecules(["CCO", "?"]), predictions, tmp_path / output, shown=False)
    for name in ("charges.q", "bins.size"):
        cell, missing = pd.read_csv(tmp_path / "out.csv")[name]
        assert missing != missing
        assert json.loads(cell) == pytest.approx(expected[name][0])
        cell, missing = pd.read_parquet(tmp_path / "out.parquet")[name]
        assert missing is None
        assert cell.tolist() == expected[name][0].tolist()


def test_whole_numbers_that_are_kept_stay_as_they_are(model: Predictor, tmp_path: Path) -> None:
    table = pd.DataFrame({"smiles": ["C"] * 3, "id": pd.array([9007199254740993, None, 3], dtype="Int64")})
    table.to_parquet(tmp_path / "m.parquet")
    predict_to_file(model, [str(tmp_path / "m.parquet")], tmp_path / "out.csv", keep=("id",))
    assert [line.rpartition(",")[2] for line in (tmp_path / "out.csv").read_text().splitlines()[1:]] == [
        *("9007199254740993", "", "3")
    ]


KEPT = {
    "texts": (pa.list_(pa.string()), [["a", 'b"ß', None], []], ['["a", "b\\"\\u00df", null]', "[]"]),
    "whole": (pa.list_(pa.int64()), [[9007199254740993, None, -1], [0]], ["[9007199254740993, null, -1]", "[0]"]),
    "doubles": (pa.list_(pa.float64()), [[0.1, float("nan"), 1e300], None], ["[0.1, null, 1e+300]", ""]),
    "singles": (pa.list_(pa.float32()), [[0.1, float("nan"), 2.0], [float("inf")]], ["[0.1, null, 2]", "[Infinity]"]),
    "nested": (pa.list_(pa.list_(pa.float32())), [[[0.1], None, [], [3.0]], []], ["[[0.1], null, [], [3]]", "[]"]),
    "flags": (pa.large_list(pa.bool_()), [[True, None, False], None], ["[true, null, false]", ""]),
    "pairs": (pa.list_(pa.float64(), 2), [[1.5, -2.0], None], ["[1.5, -2]", ""]),
    "days": (pa.list_(pa.date32()), [[date(2024, 1, 2)], []], ['["2024-01-02"]', "[]"]),
    "halves": (pa.list_(pa.float16()), [np.array([1.5, -0.25], np.float16), []], ["[1.5, -0.25]", "[]"]),
}


@pytest.mark.parametrize("name", KEPT)
def test_lists_that_are_kept_stay_as_they_are(model: Predictor, tmp_path: Path, name: str) -> None:
    kind, values, expected = KEPT[name]
    path = tmp_path / "m.parquet"
    pq.write_table(pa.table({"smiles": ["C", "?"], name: pa.array(values, kind)}), path)
    predict_to_file(model, [str(path)], tmp_path / "out.csv", keep=(name,))
    found = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)[name].tolist()
    # As JSON, in which a number has many forms.
    assert [text and json.loads(text) for text in found] == [text and json.loads(text) for text in expected]


def test_numbers_in_lists_are_the_shortest_that_stand_for_them(model: Predictor, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = (rng.normal(size=2000) * 10.0 ** rng.integers(-30, 30, 2000)).astype(np.float32)
    lists = pa.array(values.reshape(-1, 1).tolist(), pa.list_(pa.float32()))
    texts = [text.strip("[]") for text in _json(lists).to_pylist()]
    assert (np.array([json.loads(text) for text in texts], np.float32) == values).all()
    assert list(map(significant, texts)) == [significant(np.format_float_scientific(value)) for value in values]


def significant(number: str) -> str:
    """The digits of a number without those that only say how large it is."""
    return number.lower().lstrip("-").partition("e")[0].replace(".", "").strip("0")


@pytest.mark.parametrize("output", ["m.csv", "./m.csv", "link.csv"])
def test_the_input_is_not_written_over(
    model: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "m.csv", "smiles\nCCO\n")
    (tmp_path / "link.csv").symlink_to(path)
    with pytest.raises(MolfoundError, match=r"cannot write .*\.csv: the molecules are read from it; name another file"):
        predict_to_file(model, [str(path)], Path(output))
    assert path.read_text() == "smiles\nCCO\n"


@pytest.mark.parametrize(
    ("column", "held"),
    [
        (pa.array([["C"], ["CC"]]), "list<.*: string>"),
        (pa.array([1, 2]), "int64"),
        (pa.array([b"C", b"\xff"]), "bytes that are no text in UTF-8"),
    ],
)
def test_a_column_that_holds_no_text_is_named(model: Predictor, tmp_path: Path, column: pa.Array, held: str) -> None:
    pq.write_table(pa.table({"smiles": column}), tmp_path / "m.parquet")
    with pytest.raises(MolfoundError, match=rf"m\.parquet: column 'smiles' holds {held}, not SMILES"):
        predict_to_file(model, [str(tmp_path / "m.parquet")], tmp_path / "out.csv")


def test_text_that_is_not_called_so_is_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"smiles": pa.array([b"CCO", None])}), tmp_path / "m.parquet")
    assert read_smiles([str(tmp_path / "m.parquet")]) == ["CCO", None]


def test_values_of_atoms_follow_the_sdf(model: Predictor, tmp_path: Path) -> None:
    molecule = Chem.RenumberAtoms(Chem.MolFromSmiles("NCCO"), [3, 1, 2, 0])
    path = write(tmp_path / "m.sdf", f"{Chem.MolToMolBlock(molecule)}> <c>\n>5 uM\n\n> <d>\nx\n\n$$$$\n")
    source = open_molecules([str(path)], keep=("c", "d"))
    write_results(source, model.predictions(tasks=["charges"]), tmp_path / "out.parquet", shown=False)
    kept = pd.read_parquet(tmp_path / "out.parquet")
    assert kept[["smiles", "c", "d"]].to_numpy().tolist() == [["NCCO", ">5 uM", "x"]]
    mine, theirs = kept["charges.q"][0], model.predict("NCCO", tasks=["charges"])["charges.q"][0]
    np.testing.assert_allclose(mine, theirs[[3, 1, 2, 0]], atol=1e-6)
    assert np.ptp(theirs) > 1e-3


def test_blocks_come_in_order(model: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("molfound.inference.molecules.BLOCK_ROWS", 7)
    texts = ["C" * (1 + number % 40) if number % 9 else "?" for number in range(60)]
    path = write(tmp_path / "m.smi", "\n".join(texts))
    written = predict_to_file(model, [str(path)], tmp_path / "out.parquet")
    kept = pd.read_parquet(tmp_path / "out.parquet")
    assert kept["smiles"].tolist() == texts
    monkeypatch.undo()
    np.testing.assert_allclose(kept["energy.mu"], model.predict(texts)["energy.mu"], atol=1e-5)
    assert (written.rows, written.rejected.total()) == (60, 7)


def test_nothing_is_left_of_what_fails_on_the_way(model: Predictor, tmp_path: Path) -> None:
    path = write(tmp_path / "m.csv", "smiles,b\n" + "CC,1\n" * 5000 + "CC,1,2\n")
    with pytest.raises(MolfoundError, match="cannot read"):
        predict_to_file(model, [str(path)], tmp_path / "out.csv")
    assert {file.name for file in tmp_path.iterdir()} == {"m.csv", "run"}


def test_a_file_of_no_molecules_is_told_at_once(
    model: Predictor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "m.csv", "smiles\n" + "".join(f"name-{number}\n" for number in range(12)))
    written = write_results(open_molecules([str(path)]), model.predictions(tasks=["energy"]), tmp_path / "out.csv")
    assert "the first 10 rows are no molecules (the first is 'name-0': invalid_smiles" in capsys.readouterr().err
    assert (written.rows, written.rejected.total()) == (12, 12)
    assert str(written).endswith("12 rejected: invalid_smiles 12")
