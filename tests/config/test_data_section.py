"""How the samples and batches of a training are configured."""

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner

from molfound.cli import command
from molfound.config import load_config, to_yaml
from molfound.config.documents import write_text
from molfound.errors import MolfoundError
from tests.config.test_schema import SMALLEST


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(write_text(SMALLEST))
    return path


def test_scaffolds_are_off_unless_asked_for(config: Path) -> None:
    assert load_config(config).data.datasets["qm9"].scaffolds is None
    asked = load_config(config, ["data.datasets.qm9.scaffolds={}"]).data.datasets["qm9"].scaffolds
    assert asked is not None
    assert (asked.temperature, asked.cap, asked.replacement) == (0.005, None, True)


def test_an_infinite_temperature_goes_through_yaml_and_json(config: Path, tmp_path: Path) -> None:
    experiment = load_config(config, ["data.datasets.qm9.scaffolds.temperature=.inf"])
    scaffolds = experiment.data.datasets["qm9"].scaffolds
    assert scaffolds is not None
    assert math.isinf(scaffolds.temperature)
    (tmp_path / "kept.yaml").write_text(to_yaml(experiment))
    assert load_config(tmp_path / "kept.yaml") == experiment
    shown = CliRunner().invoke(command, ["config", "show", str(tmp_path / "kept.yaml"), "--json"]).stdout
    assert json.loads(shown)["data"]["datasets"]["qm9"]["scaffolds"]["temperature"] == "Infinity"


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("data.datasets.qm9.scaffolds.temperature=0", "scaffolds.temperature: should be greater than 0, not 0"),
        ("data.datasets.qm9.scaffolds.temperature=.nan", "scaffolds.temperature: should be greater than 0"),
        ("data.datasets.qm9.scaffolds.temperature=-.inf", "scaffolds.temperature: should be greater than 0"),
        ("data.datasets.qm9.scaffolds.cap=0", "scaffolds.cap: should be greater than 0, not 0"),
        ("data.datasets.qm9.scaffolds={temprature: 1}", "did you mean 'data.datasets.qm9.scaffolds.temperature'?"),
        ("data.datasets.qm9.scaffolds=true", "scaffolds: should be a mapping of keys to values, not true"),
        ("data.batch.pairs=0", "data.batch.pairs: should be greater than 0, not 0"),
        ("data.batch.bucket=true", "data.batch.bucket: should be a whole number, not true"),
    ],
)
def test_a_wrong_value_is_named(config: Path, override: str, problem: str) -> None:
    with pytest.raises(MolfoundError) as error:
        load_config(config, [override])
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.conformers={source: drawn, drawn: 0.5}"], "data.conformers.drawn: source: drawn leaves no conformers"),
        (["data.conformers={drawn: 1.5}"], "data.conformers.drawn: should be less than or equal to 1, not 1.5"),
        (["data.memory=0"], "data.memory: should be greater than 0, not 0"),
        (["data.crop=0"], "data.crop: should be greater than 0, not 0"),
    ],
)
def test_what_cannot_be_is_refused(config: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(MolfoundError, match=message):
        load_config(config, overrides)
