"""`molfound ensemble`: any name of a run is one, and what a run lacks is told."""

import shutil
from pathlib import Path

import pytest

from molfound.cli import main
from molfound.runs import packaged_models


def test_a_packaged_model_is_found_and_says_what_it_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOLFOUND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MOLFOUND_DATA", str(tmp_path))
    archive = shutil.make_archive(str(tmp_path / "again"), "zip", packaged_models()["toymix-gine"])
    for runs, problem in (
        (["toymix-gine", archive], "file 'qm9.csv.gz' is not in"),
        (["toymix-gine", "toymix-gine"], "an ensemble is of two runs or more, all of them different"),
        (["toymix-gine", "toymix-gin"], "no run 'toymix-gin'"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["ensemble", *runs, "-o", str(tmp_path / "made")])
        err = capsys.readouterr().err
        assert (ended.value.code, err.count("\n")) == (2, 1)
        assert problem in err
    assert not (tmp_path / "made").exists()
