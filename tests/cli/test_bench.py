"""`molfound bench` as a user calls it: the suite on the embedded dataset, its files, a kill, and mistakes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.benchmark.test_speed import MEASURING, SCRIPTS
from tests.cli.test_bad_input import Say, assert_user_error, molfound
from tests.small_manifest import write_small_manifest

__all__ = ["molfound"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a suite on the embedded dataset, made small."""
    monkeypatch.chdir(tmp_path)
    write_small_manifest(tmp_path)
    suite = {
        "title": "Small",
        "datasets": {"embedded": {"manifest": "small.yaml", "tasks": ["descriptors"]}},
        "splits": ["random"],
        "models": {"gcn": {"config": "parts/graph_network", "overrides": ["model.encoder.layer=gcn"]}},
        "seeds": [0, 1],
        "baselines": ["mean"],
        "overrides": [
            "training.epochs=2",
            "training.threads=1",
            "training.checkpoint_steps=1",
            "data.batch.size=60",
            "data.processes=1",
            "model.encoder.depth=2",
            "model.encoder.width=16",
        ],
    }
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(suite, sort_keys=False))
    return tmp_path


def test_a_suite_killed_and_called_again_writes_its_table(molfound: Say, folder: Path) -> None:
    status, planned, _ = molfound("bench", "quality", "suite", "--plan")
    assert status == 0
    rows = [line.split() for line in planned.splitlines()[1:-1]]
    assert rows[0] == ["embedded/random/mean/seed0", "waiting", "240", "30", "30"]
    assert rows[1][:2] == ["embedded/random/gcn/seed0", "waiting"]
    assert rows[1][3:] == ["2", "240", "30", "30"]
    assert not (folder / "bench").exists()

    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "molfound", "bench", "quality", "suite"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    first, second = (folder / f"bench/suite/embedded/random/gcn/seed{seed}" for seed in (0, 1))
    deadline = time.monotonic() + 240
    while not (second / "checkpoints/last.pt").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = (first / "scores.json").stat().st_mtime_ns

    status, shown, said = molfound("bench", "quality", "suite")
    assert status == 0, said
    assert "seed0: finished before" in said
    assert (first / "scores.json").stat().st_mtime_ns == kept
    results = json.loads((folder / "bench/suite/results.json").read_text())
    assert {cell["state"] for cell in results["cells"]} == {"finished"}
    assert {figure["seeds"] for figure in results["figures"] if figure["model"] == "gcn"} == {2}
    assert "descriptors, random split" in shown
    assert "| gcn | alone | 2 |" in (folder / "bench/suite/table.md").read_text()
    assert "<h2>descriptors, random split</h2>" in (folder / "bench/suite/table.html").read_text()

    assert_user_error(molfound("bench", "quality", "suite", "training.epochs=3"), "training.epochs (2, now 3)", "-o")
    status, as_json, _ = molfound("bench", "quality", "suite", "--table", "--json")
    assert json.loads(as_json) == results


def test_an_interrupted_suite_says_how_to_go_on(molfound: Say, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(experiment: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("molfound.benchmark.quality.fit_baselines", interrupted)
    status, _, said = molfound("bench", "quality", "suite", "training.epochs=1", "--only", "*/random/mean")
    assert status == 130
    assert said.endswith(
        "interrupted in embedded/random/mean/seed0; go on with: "
        "molfound bench quality suite training.epochs=1 -o bench/suite --only '*/random/mean'\n"
    )


def test_mistakes_are_one_line(molfound: Say, folder: Path) -> None:
    assert_user_error(molfound("bench", "quality", "moleculnet"), "did you mean 'moleculenet'")
    assert_user_error(molfound("bench", "quality", "suite", "--only", "embeded"), "did you mean 'embedded'")
    assert_user_error(molfound("bench", "quality", "suite", "trainin.epochs=1"), "did you mean 'training.epochs'")
    assert_user_error(molfound("bench", "quality", "suite", "--plan", "--table"), "choose one")
    assert_user_error(
        molfound("bench", "quality", "moleculenet", "--only", "esol/random/gin/seed0", "data.root=nowhere"),
        "dataset 'esol'",
        "esol.csv.gz",
    )
    status, shown, _ = molfound(
        "bench", "quality", "moleculenet", "--plan", "--only", "esol/random/gin", "data.root=nowhere"
    )
    assert status == 0
    assert "3 cells, 3 of which cannot be trained" in shown
    assert not (folder / "bench").exists()


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder of small benchmarks."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "measuring.py").write_text(MEASURING)
    for name in ("fine", "lower", "unmet", "broken"):
        (folder / f"{name}.py").write_text(SCRIPTS[name])
    return folder


def test_speed_prints_a_table_and_says_what_became_slower(
    molfound: Say, scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, shown, _ = molfound("bench", "speed", "fine", "lower", "--folder", scripts, "-o", "old.json")
    assert status == 0
    assert "cores: " in shown
    assert [line.split()[:2] for line in shown.splitlines()[2:4]] == [["fine", "1.5"], ["lower", "0.5"]]
    (scripts / "fine.py").write_text("from measuring import report\nreport(1.2, 1.0)\n")
    status, shown, said = molfound(
        "bench", "speed", "--folder", scripts, "--against", "old.json", "-o", "new.json", "--repeat", "2"
    )
    assert status == 1
    rows = {line.split()[0]: line.split() for line in shown.splitlines()[3:-1]}
    assert rows["fine"][-2:] == ["1.5", "slower"]
    assert rows["lower"][-2:] == ["0.5", "same"]
    assert rows["broken"][:2] == ["broken", "failed"]
    assert "no" in rows["unmet"]
    assert "broken failed: exit status 1: no such luck" in said
    assert set(json.loads((tmp_path / "new.json").read_text())["scripts"]) == {"fine", "lower", "unmet", "broken"}


def test_speed_without_scripts_or_an_earlier_result_is_one_line(molfound: Say, scripts: Path, tmp_path: Path) -> None:
    assert_user_error(molfound("bench", "speed", "fin", "--folder", scripts), "did you mean 'fine'")
    assert_user_error(molfound("bench", "speed", "--folder", tmp_path), "no measuring.py")
    assert_user_error(molfound("bench", "speed", "--folder", scripts, "--against", tmp_path / "no.json"), "no.json")
