import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from molfound.cli import command, doctor
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
    monkeypatch.setattr(doctor, "REQUIRED", ("torch", "molfound-no-such-thing"))
    result = CliRunner().invoke(command, ["doctor"])
    assert isinstance(result.exception, MolfoundError)
    assert "missing: molfound-no-such-thing" in str(result.exception)
    assert "molfound-no-such-thing MISSING" in result.stdout
