"""Runs given away: complete, free of the machine's paths, the same model, and described by what they keep."""

import json
import shutil
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest
import yaml

import molfound as mf
from molfound.errors import MolfoundError
from molfound.model.ensemble import save_ensemble
from molfound.runs.hub import FILES
from molfound.sharing import export_run
from molfound.training.evaluate_run import evaluate_run
from molfound.training.report import write_report
from tests.conftest import plugins_forgotten_after
from tests.training.conftest import SMILES
from tests.training.html_document import Document


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOLFOUND_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def exported(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "tiny-model"
    with plugins_forgotten_after():
        export_run(origin / "run", folder)
    return folder


def test_files_are_the_runs_without_paths_of_the_machine(origin: Path, exported: Path) -> None:
    names = sorted(path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file())
    assert names == [
        "README.md",
        "baselines.json",
        "calibration.json",
        "config.yaml",
        "data.json",
        "known_molecules.npz",
        "manifests/atoms.yaml",
        "manifests/props.yaml",
        "model.json",
        "model.safetensors",
        "plugins/00_doubled.py",
        "scores.json",
        "seen.json",
    ]
    for path in (exported / name for name in names):
        assert str(origin).encode() not in path.read_bytes(), path.name
    for name in ("model.safetensors", "scores.json", "plugins/00_doubled.py"):
        assert (exported / name).read_bytes() == (origin / "run" / name).read_bytes()


def test_all_files_are_among_those_fetched_from_a_hub(exported: Path) -> None:
    names = [path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()]
    assert [name for name in names if not any(fnmatchcase(name, pattern) for pattern in FILES)] == []


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_archive_predicts_and_evaluates_where_the_original_is_gone(origin: Path, suffix: str) -> None:
    before = mf.load(origin / "run").predict(SMILES)
    _, scores = evaluate_run(origin / "run")
    archive = Path(f"given{suffix}")
    export_run(origin / "run", archive)
    hidden = origin / "doubled.hidden"
    shutil.move(origin / "doubled.py", hidden)
    try:
        with plugins_forgotten_after():
            with pytest.raises(MolfoundError, match=r"needs plugin 00_doubled\.py, .*--allow-plugins"):
                mf.load(archive)
            after = mf.load(archive, allow_plugins=True).predict(SMILES)
            _, again = evaluate_run(archive, "test", [f"data.root={origin}"], allow_plugins=True)
    finally:
        shutil.move(hidden, origin / "doubled.py")
    assert after.drop(columns="neighbours.neighbours").equals(before.drop(columns="neighbours.neighbours"))
    assert np.array_equal(
        np.concatenate(after["neighbours.neighbours"]), np.concatenate(before["neighbours.neighbours"])
    )
    assert {name: task.mean for name, task in again.tasks.items()} == {
        name: task.mean for name, task in scores.tasks.items()
    }


def test_same_run_is_the_same_archive(exported: Path) -> None:
    for suffix in (".zip", ".tar.gz"):
        first, second = Path(f"one/model{suffix}"), Path(f"two/model{suffix}")
        for output in (first, second):
            export_run(exported, output, allow_plugins=True)
        assert first.read_bytes() == second.read_bytes()


def test_an_export_is_exported_as_it_is(exported: Path) -> None:
    export_run(exported, Path("again/tiny-model"), allow_plugins=True)
    for path in exported.rglob("*"):
        if path.is_file():
            assert (Path("again/tiny-model") / path.relative_to(exported)).read_bytes() == path.read_bytes(), path.name


def test_card_says_what_the_run_keeps(exported: Path) -> None:
    _, head, card = (exported / "README.md").read_text().split("---\n", 2)
    front = yaml.safe_load(head)
    assert front["license"] == "unknown"
    assert front["library_name"] == "molfound"
    assert {"molfound", "gnn", "regression", "binary"} <= set(front["tags"])
    assert "# tiny-model" in card
    scores = json.loads((exported / "scores.json").read_text())["test"]
    baselines = json.loads((exported / "baselines.json").read_text())
    row = next(line for line in card.splitlines() if line.startswith("| acid | auroc |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2] == f"{scores['acid']['auroc']['mean']:.4g}"
    assert cells[3] == f"{baselines['acid']['mean']['auroc']:.4g}"
    assert cells[4] == str(sum(scores["acid"]["auroc"]["used"].values()))
    assert card.count("Licence: CC0-1.0") == 2
    assert "molecules that have them: C 42" in card
    assert "| logp | molecule | number, in the unit of the data | 2 | props |" in card
    assert "| neighbours | atom |" in card
    assert "are guesses: `--applicability` tells which molecules are unlike them" in card
    shutil.copytree(exported, "few", ignore=shutil.ignore_patterns("known_molecules.npz"))
    export_run(Path("few"), Path("few-again"), allow_plugins=True)
    assert "are guesses: nothing says so" in Path("few-again/README.md").read_text()


def test_card_names_the_archive_and_the_licence_that_is_stated(exported: Path) -> None:
    export_run(exported, Path("one.zip"), licence="mit", allow_plugins=True)
    with zipfile.ZipFile("one.zip") as archive:
        _, head, card = archive.read("README.md").decode().split("---\n", 2)
    assert yaml.safe_load(head)["license"] == "mit"
    assert "Licence of the weights: mit." in card
    assert "# one\n" in card
    assert "molfound predict one.zip CCO" in card
    assert 'mf.load("one.zip")' in card
    export_run("one.zip", Path("again"), allow_plugins=True)
    assert Path("again/README.md").read_text().startswith("---\nlicense: mit\n")


def test_nothing_of_another_kind_is_replaced(exported: Path) -> None:
    with pytest.raises(MolfoundError, match=r"is there already: replace it \(--overwrite\)"):
        export_run(exported, exported, allow_plugins=True)
    Path("notes").mkdir()
    Path("notes/README.md").write_text("mine")
    with pytest.raises(MolfoundError, match="not a folder that an export has written"):
        export_run(exported, Path("notes"), overwrite=True, allow_plugins=True)
    assert Path("notes/README.md").read_text() == "mine"
    export_run(exported, Path("copy"), allow_plugins=True)
    Path("copy/left.txt").touch()
    export_run(exported, Path("copy"), overwrite=True, allow_plugins=True)
    assert not Path("copy/left.txt").exists()
    assert [path.name for path in Path().iterdir() if path.name.startswith(".")] == []
    with pytest.raises(MolfoundError, match=r"ends in .zip or .tar.gz"):
        export_run(exported, Path("model.tar"), allow_plugins=True)


def test_no_file_but_an_archive_of_a_run_is_replaced(exported: Path) -> None:
    files = {"assay.csv": b"smiles,y\n", "data.zip": b"text", "program.zip": b"", "data.tar.gz": b"\x1f\x8btext"}
    for name, content in files.items():
        Path(name).write_bytes(content)
        with pytest.raises(MolfoundError, match=f"{name} is not replaced: it is not an archive that an export has"):
            export_run(exported, Path(name), overwrite=True, allow_plugins=True)
        assert Path(name).read_bytes() == content
    with zipfile.ZipFile("mine.zip", "w") as archive:
        archive.writestr("a/b/model.json", "{}")
    with pytest.raises(MolfoundError, match="is not replaced"):
        export_run(exported, Path("mine.zip"), overwrite=True, allow_plugins=True)
    for name in ("run.zip", "run.tar.gz"):
        for _ in range(2):
            export_run(exported, Path(name), overwrite=True, allow_plugins=True)
    with pytest.raises(MolfoundError, match=r"program\.pt2 would be a program of .*: say --format torch-export"):
        export_run(exported, Path("program.pt2"), allow_plugins=True)
    assert not Path("program.pt2").exists()


def test_what_an_export_replaces_comes_back_where_that_fails(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export_run(exported, Path("kept"), allow_plugins=True)
    before = (Path("kept") / "README.md").read_bytes()
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if path.name == "run":
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(MolfoundError, match="the disk is full"):
        export_run(exported, Path("kept"), overwrite=True, allow_plugins=True)
    assert (Path("kept") / "README.md").read_bytes() == before


def test_manifest_that_is_gone_is_named(exported: Path) -> None:
    shutil.copytree(exported, "broken")
    Path("broken/manifests/atoms.yaml").unlink()
    with pytest.raises(MolfoundError, match=r"manifests/atoms\.yaml"):
        export_run("broken", Path("out"), allow_plugins=True)
    assert not Path("out").exists()


@pytest.mark.parametrize("name", ["scores.json", "calibration.json"])
def test_file_that_is_damaged_is_named(exported: Path, name: str) -> None:
    shutil.copytree(exported, "broken")
    Path("broken", name).write_bytes(Path("broken", name).read_bytes()[:-20])
    with pytest.raises(MolfoundError, match=rf"broken/{name} is damaged"):
        export_run("broken", Path("out"), allow_plugins=True)
    assert not Path("out").exists()


def test_data_files_lose_their_folders(exported: Path) -> None:
    shutil.copytree(exported, "own")
    config, manifest = (
        yaml.safe_load(Path("own", name).read_text()) for name in ("config.yaml", "manifests/props.yaml")
    )
    config["data"]["datasets"]["props"]["split"] = {"kind": "file", "file": "/mine/parts.csv"}
    manifest["files"] = [{"name": "/mine/props.parquet"}]
    manifest["splits"]["given"] = {"kind": "file", "file": "/mine/given.npz"}
    manifest["splits"]["near"] = {"kind": "file", "file": "splits/near.npz"}
    Path("own/config.yaml").write_text(yaml.safe_dump(config))
    Path("own/manifests/props.yaml").write_text(yaml.safe_dump(manifest))
    export_run("own", Path("out"), allow_plugins=True)
    assert [path.name for path in Path("out").rglob("*") if path.is_file() and b"/mine" in path.read_bytes()] == []
    config, manifest = (
        yaml.safe_load(Path("out", name).read_text()) for name in ("config.yaml", "manifests/props.yaml")
    )
    assert config["data"]["datasets"]["props"]["split"]["file"] == "parts.csv"
    assert manifest["files"] == [{"name": "props.parquet"}]
    assert manifest["splits"]["given"]["file"] == "given.npz"
    assert manifest["splits"]["near"]["file"] == "splits/near.npz"


def test_run_without_anything_but_a_model_has_a_card(exported: Path) -> None:
    Path("bare").mkdir()
    for name in ("model.json", "model.safetensors"):
        shutil.copy(exported / name, "bare")
    shutil.copytree(exported / "plugins", "bare/plugins")
    export_run("bare", Path("out"), allow_plugins=True)
    card = Path("out/README.md").read_text()
    assert "The run does not say what it was trained on." in card
    assert "## Test figures\n\nThe run keeps none." in card


def unpacked_card(archive: str) -> str:
    with zipfile.ZipFile(archive) as opened:
        return opened.read("README.md").decode()


def test_card_of_a_cross_validation_says_where_its_figures_are_from(exported: Path) -> None:
    for number in (1, 2, 3):
        shutil.copytree(exported, f"folds/members/{number}")
    save_ensemble(Path("folds"), [Path(f"folds/members/{number}") for number in (1, 2, 3)])
    shutil.copytree(exported / "manifests", "folds/manifests")
    for name in ("config.yaml", "model.json", "scores.json"):
        shutil.copy(exported / name, "folds")
    calibration = json.loads((exported / "calibration.json").read_text()) | {"probabilities": {}, "test": {}}
    Path("folds/calibration.json").write_text(json.dumps(calibration))
    Path("folds/folds.json").write_text('{"folds": 3}')
    assert "folds.json" in export_run("folds", Path("given.zip"), allow_plugins=True)
    card = unpacked_card("given.zip")
    assert "the first of 3 members, one for each fold of a cross-validation, whose predictions are averaged" in card
    assert "From the errors on all folds, each predicted by the member that has not learned from it" in card
    assert "On all folds, each as predicted by the member that has not learned from it, mean over labels." in card
    assert "validation part" not in card
    model = mf.load("given.zip", allow_plugins=True)
    with pytest.raises(MolfoundError, match=r"no calibrated binary task .* \(an ensemble of folds calibrates none\)"):
        model.predict(["C"], calibrated=True)
    model.calibration = None
    with pytest.raises(MolfoundError, match=r"keeps no calibration\.json, .* or from the folds of a cross-validation"):
        model.predict(["C"], interval=0.9)


def test_ensemble_takes_its_members_along(exported: Path) -> None:
    for number in (1, 2):
        shutil.copytree(exported, f"pair/members/{number}")
    save_ensemble(Path("pair"), [Path("pair/members/1"), Path("pair/members/2")])
    shutil.copytree(exported / "manifests", "pair/manifests")
    for name in ("config.yaml", "model.json"):  # as `molfound ensemble` leaves them
        shutil.copy(exported / name, "pair")
    export_run("pair", Path("given.zip"), allow_plugins=True)
    model = mf.load("given.zip", allow_plugins=True)
    alone = mf.load(exported, allow_plugins=True)
    assert len(model.model.members) == 2
    card = unpacked_card("given.zip")
    assert "All this is of the first of 2 members whose predictions are averaged" in card
    assert "`molfound train members/1/config.yaml` trains the first again" in card
    assert "`config.yaml` is all of it" not in card
    np.testing.assert_allclose(model.predict(SMILES)["logp.tpsa"], alone.predict(SMILES)["logp.tpsa"], rtol=1e-5)
    document = Document(write_report("given.zip", Path("report.html")).read_text(encoding="utf-8"))
    headings = [text for _, text in document.headings]
    assert headings[0] == "given.zip"
    assert set(model.tasks) <= set(headings)
