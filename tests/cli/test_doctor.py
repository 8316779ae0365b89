import json
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from molfound.cli import command, doctor
from molfound.data.manifest import load_manifest
from molfound.errors import MolfoundError


def test_a_whole_installation_is_fine(tmp_path: Path) -> None:
    (tmp_path / "stores" / "qm9").mkdir(parents=True)
    (tmp_path / "stores" / "qm9" / "store.json").touch()
    arguments = ["doctor", "--data", str(tmp_path / "none"), "--store", str(tmp_path / "stores")]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert f"data: {tmp_path / 'none'}: absent" in result.stdout
    assert "prepared: qm9" in result.stdout
    assert "self-test: 13 atoms" in result.stdout
    report = json.loads(CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert report["missing"] == []
    assert report["devices"][0].startswith("cpu")
    assert report["self_test"]["atoms"] == 13


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "required_packages", lambda: ["torch", "molfound-no-such-thing"])
    result = CliRunner().invoke(command, ["doctor"])
    assert isinstance(result.exception, MolfoundError)
    assert "missing: molfound-no-such-thing" in str(result.exception)
    assert "molfound-no-such-thing MISSING" in result.stdout


@pytest.mark.parametrize("installed", [True, False])
def test_what_molfound_depends_on_is_looked_at(monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    declared = [text.partition(">")[0] for text in project["dependencies"]]

    def requires(name: str) -> list[str]:
        if not installed:
            raise metadata.PackageNotFoundError(name)
        return [*project["dependencies"], "pytest>=8.3; extra == 'dev'"]

    monkeypatch.setattr(doctor.metadata, "requires", requires)
    assert doctor.required_packages() == declared
    extras = project["optional-dependencies"]
    optional = {text.partition(">")[0] for name in ("hub", "ray", "sweep", "track") for text in extras[name]}
    assert set(doctor.OPTIONAL) == optional
    assert {"filelock", "pyyaml", "scipy", "threadpoolctl", "torch-geometric"} <= set(declared)


def test_a_dataset_is_complete_with_the_file_of_its_default_split(tmp_path: Path) -> None:
    manifest = load_manifest("toymix/qm9", by_name=True)
    names = [*(file.name for file in manifest.files), manifest.split_files["published"].name]
    for number, name in enumerate(names):
        assert "toymix/qm9" not in doctor._folders(tmp_path, tmp_path)["data"], names[:number]
        (tmp_path / name).touch()
    assert "toymix/qm9" in doctor._folders(tmp_path, tmp_path)["data"]
