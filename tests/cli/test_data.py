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
