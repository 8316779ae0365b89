"""Running benchmark scripts: which they are, what fails, what became slower."""

import json
from pathlib import Path

import pytest

from molfound.benchmark.machine import machine, machine_line
from molfound.benchmark.speed import Measured, find_scripts, measure_scripts, read_measured, to_json, verdict
from molfound.errors import MolfoundError

MEASURING = """
import json


def report(ratio, bar, better="higher"):
    print("something else first")
    print(json.dumps({"ratio": ratio, "bar": bar, "met": (ratio >= bar) == (better == "higher"), "better": better}))
"""
SCRIPTS = {
    "fine": "from measuring import report\nreport(1.5, 1.0)\n",
    "lower": "from measuring import report\nreport(0.5, 1.0, 'lower')\n",
    "unmet": "from measuring import report\nreport(0.5, 1.0)\n",
    "broken": "from measuring import report\nraise SystemExit('no such luck')\n",
    "silent": "from measuring import report\nprint('nothing to say')\n",
    "counting": """
import os
from pathlib import Path
from measuring import report
path = Path(os.environ["MOLFOUND_DATA"]) / "count"
count = int(path.read_text()) if path.exists() else 0
path.write_text(str(count + 1))
report([1.0, 4.0, 1.5][count], 1.0)
""",
    "plain_part": "from measuring import alternate\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of small benchmarks."""
    (tmp_path / "measuring.py").write_text(MEASURING)
    for name, text in SCRIPTS.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def measure(folder: Path, *names: str, repeat: int = 1) -> dict[str, Measured]:
    return measure_scripts(
        find_scripts(names, folder), repeat=repeat, data=folder, say=lambda line: None, after_each=lambda found: None
    )


def test_benchmarks_are_the_scripts_that_report(folder: Path) -> None:
    assert [path.stem for path in find_scripts((), folder)] == sorted(set(SCRIPTS) - {"plain_part"})
    assert [path.stem for path in find_scripts(["lower", "fine.py", "lower"], folder)] == ["lower", "fine"]
    with pytest.raises(MolfoundError, match=r"no benchmark 'lowr' .*did you mean 'lower'"):
        find_scripts(["lowr"], folder)


def test_the_checkouts_own_benchmarks_are_found() -> None:
    names = {path.stem for path in find_scripts()}
    assert {"batches", "featurize", "train_step", "metrics"} <= names
    assert not {"measuring", "plain_pyg", "plain_two_track", "toymix_table", "transfer_table"} & names


def test_without_a_checkout_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("molfound.benchmark.speed.CHECKOUT", tmp_path)
    with pytest.raises(MolfoundError, match="come with a checkout of molfound"):
        find_scripts()
    with pytest.raises(MolfoundError, match="holds no benchmarks"):
        find_scripts((), tmp_path)


def test_what_a_script_says_last_is_its_result_and_failures_stop_nothing(folder: Path) -> None:
    found = measure(folder, "broken", "silent", "fine", "lower", "unmet")
    assert found["broken"].failed == "exit status 1: no such luck"
    assert found["silent"].failed == "its last line is no JSON object with ratio, bar and met"
    assert {name: measured.met for name, measured in found.items()} == {
        "broken": False,
        "silent": False,
        "fine": True,
        "lower": True,
        "unmet": False,
    }
    assert (found["lower"].ratio, found["lower"].bar, found["lower"].better) == (0.5, 1.0, "lower")
    assert found["unmet"].failed is None


def test_repeats_give_a_median_and_a_spread(folder: Path) -> None:
    measured = measure(folder, "counting", repeat=3)["counting"]
    assert measured.ratios == (1.0, 4.0, 1.5)
    assert (measured.ratio, measured.spread) == (1.5, 3.0)
    # The fourth run finds no ratio any more: what was measured before it is kept with the failure.
    again = measure(folder, "counting", repeat=2)["counting"]
    assert again.ratios == ()
    assert again.failed is not None
    assert "IndexError" in again.failed


def of(*ratios: float, better: str = "higher") -> Measured:
    return Measured(ratios, (1.0,) * len(ratios), 1.0, True, "lower" if better == "lower" else "higher", None, {})


@pytest.mark.parametrize(
    ("now", "then", "expected"),
    [
        (of(1.0), of(1.2), "slower"),
        (of(1.2), of(1.0), "faster"),
        (of(0.96), of(1.0), "same"),
        (of(0.94), of(1.0), "slower"),
        (of(0.8, 0.9, 1.2), of(1.0, 1.0, 1.0), "same"),
        (of(0.8, 0.8, 0.8), of(0.7, 1.0, 1.3), "same"),
        (of(1.2, better="lower"), of(1.0, better="lower"), "slower"),
        (of(0.8, better="lower"), of(1.0, better="lower"), "faster"),
        (of(), of(1.0), ""),
        (of(1.0), None, ""),
    ],
)
def test_slower_is_what_is_worse_by_more_than_the_noise(now: Measured, then: Measured | None, expected: str) -> None:
    assert verdict(now, then) == expected


def test_a_result_is_read_back(folder: Path) -> None:
    found = measure(folder, "fine", "broken")
    (folder / "speed.json").write_text(to_json(found))
    described, read = read_measured(folder / "speed.json")
    assert described.keys() == machine().keys()
    assert [read[name].ratios for name in read] == [(1.5,), ()]
    assert read["broken"].failed == found["broken"].failed
    assert json.loads((folder / "speed.json").read_text())["scripts"]["fine"]["figures"]["bar"] == 1.0


@pytest.mark.parametrize("text", ["", "[]", '{"scripts": {"a": 3}}', '{"scripts": {}}'])
def test_what_is_no_result_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(MolfoundError, match="no result of 'molfound bench speed'"):
        read_measured(tmp_path / "other.json")
    with pytest.raises(MolfoundError, match="cannot be read"):
        read_measured(tmp_path / "nowhere.json")


def test_the_machine_is_told_in_a_line() -> None:
    line = machine_line(machine())
    assert f"cores: {machine()['cores']}" in line
    assert "torch" in line
    assert "rdkit" in line
