import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from molfound.cli import command
from molfound.data.manifest import list_manifests, load_manifest
from molfound.errors import MolfoundError


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_list_names_every_shipped_dataset() -> None:
    lines = invoke("data", "list").splitlines()
    assert [line.split()[0] for line in lines] == list_manifests()
    assert [row["name"] for row in json.loads(invoke("data", "list", "--json"))] == list_manifests()


@pytest.mark.parametrize("name", list_manifests())
def test_describe_says_what_the_manifest_says(name: str, tmp_path: Path) -> None:
    manifest = load_manifest(name)
    text = invoke("data", "describe", name, "--data", str(tmp_path))
    for expected in (manifest.title, manifest.licence, *manifest.tasks, *manifest.splits):
        assert expected in text
    assert json.loads(invoke("data", "describe", name, "--json"))["name"] == manifest.name


def test_describe_says_which_files_are_there(tmp_path: Path) -> None:
    manifest = load_manifest("toymix/qm9")
    assert f"not in {tmp_path}" in invoke("data", "describe", "toymix/qm9", "--data", str(tmp_path))
    assert manifest.folder is not None
    (tmp_path / manifest.folder).mkdir()
    (tmp_path / manifest.folder / manifest.files[0].name).touch()
    assert f"in {tmp_path / manifest.folder}" in invoke("data", "describe", "toymix/qm9", "--data", str(tmp_path))
    split = manifest.split_files["published"]
    missing = f"file {split.name}: not in {tmp_path}; fetch it from {split.url}"
    assert missing in invoke("data", "describe", "toymix/qm9", "--data", str(tmp_path))
    (tmp_path / split.name).touch()
    assert f"file {split.name}: in {tmp_path}\n" in invoke("data", "describe", "toymix/qm9", "--data", str(tmp_path))


def test_an_empty_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLFOUND_DATA", "")
    assert "not in data" in invoke("data", "describe", "toymix/qm9")


def test_an_unknown_dataset_is_answered_with_the_nearest() -> None:
    result = CliRunner().invoke(command, ["data", "describe", "toymix/qm99"])
    assert isinstance(result.exception, MolfoundError)
    assert "did you mean 'toymix/qm9'" in str(result.exception)


def test_fetch_copies_from_a_folder_and_says_so(tmp_path: Path) -> None:
    manifest = load_manifest("toymix/zinc12k")
    (tmp_path / "mirror").mkdir()
    for name in (manifest.files[0].name, manifest.split_files["published"].name):
        (tmp_path / "mirror" / name).write_bytes(name.encode())
    arguments = ("data", "fetch", "toymix/zinc12k", "--data", str(tmp_path), "--from", str(tmp_path / "mirror"))
    lines = invoke(*arguments).splitlines()
    path = tmp_path / "toymix" / manifest.files[0].name
    assert len(lines) == 2
    assert lines[0].startswith(f"toymix/zinc12k: copied {path} ({len(manifest.files[0].name)} bytes, sha256 ")
    answer = json.loads(invoke(*arguments, "--json"))["toymix/zinc12k"]
    assert (answer[0]["path"], answer[0]["how"]) == (str(path), "present")


def test_fetch_takes_a_folder_of_datasets(tmp_path: Path) -> None:
    answer = json.loads(invoke("data", "fetch", "lookalike", "--data", str(tmp_path), "--json"))
    assert set(answer) == {name for name in list_manifests() if name.startswith("lookalike/")}
    assert "lookalike/pcqm4m: nothing to fetch" in invoke("data", "fetch", "lookalike", "--data", str(tmp_path))


@pytest.mark.parametrize("name", ["../../toymix/qm9", "toymix/../../../etc/passwd", "largemix/pcba_13"])
def test_fetch_of_an_unknown_dataset_is_refused(name: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["data", "fetch", name, "--data", str(tmp_path)])
    assert isinstance(result.exception, MolfoundError)
    assert "\n" not in str(result.exception)
    assert list(tmp_path.iterdir()) == []
