import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from molfound.cli import command
from molfound.config import load_config
from molfound.errors import MolfoundError
from tests.config.conftest import BASE


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(BASE)
    return path


def test_show_prints_what_is_in_force(small: Path, tmp_path: Path) -> None:
    shown = tmp_path / "shown.yaml"
    shown.write_text(invoke("config", "show", str(small), "training.epochs=3", "name=other"))
    experiment = load_config(shown)
    assert experiment == load_config(small, ["training.epochs=3", "name=other"])
    assert "lr: 0.001" in shown.read_text()
    as_json = json.loads(invoke("config", "show", str(small), "--json"))
    assert as_json["model"]["encoder"] == {"name": "gnn", "layer": "gine", "depth": 4}


def test_show_refuses_an_unknown_key(small: Path) -> None:
    result = CliRunner().invoke(command, ["config", "show", str(small), "training.epoch=3"])
    assert isinstance(result.exception, MolfoundError)
    assert "did you mean 'training.epochs'" in str(result.exception)


def test_schema_is_json_with_descriptions() -> None:
    schema = json.loads(invoke("config", "schema"))
    assert schema["properties"]["seed"]["description"]
    assert "TrainingConfig" in schema["$defs"]


def test_params_counts_every_part_without_the_data(tmp_path: Path) -> None:
    arguments = ("config", "params", "toymix/gine", f"data.root={tmp_path}", "model.encoder.width=32")
    counted = json.loads(invoke(*arguments, "--json"))
    assert counted["parameters"] == sum(counted["parts"].values())
    assert {"inputs", "encoder", "heads/qm9", "heads/tox21", "heads/zinc12k"} <= set(counted["parts"])
    lines = dict(line.split() for line in invoke(*arguments).splitlines())
    assert lines["total"] == f"{counted['parameters']:,}"
    deeper = json.loads(invoke(*arguments, "model.encoder.depth=5", "--json"))
    assert deeper["parts"]["encoder"] > counted["parts"]["encoder"]
    assert deeper["parts"]["inputs"] == counted["parts"]["inputs"]


def test_params_counts_what_a_wildcard_stands_for_where_the_manifest_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tasks = "qm9: {dataset: qm9, task: pcba_1328, head: linear}"
    text = BASE.replace("toymix/qm9", "lookalike/pcba_1328")
    text = text.replace("qm9: {dataset: qm9, loss: {name: huber, delta: 1}}", tasks)
    (tmp_path / "small.yaml").write_text(text)
    width = load_config("small.yaml").model.encoder.options.get("width", 96)
    counted = json.loads(invoke("config", "params", "small.yaml", "--json"))
    assert counted["parts"]["heads/qm9"] == 1328 * (width + 1)
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_params_makes_a_generated_table_only_for_the_wildcards_of_its_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = BASE.replace("toymix/qm9", "embedded").replace("qm9: {dataset: qm9", "charges: {dataset: qm9")
    (tmp_path / "small.yaml").write_text(text)
    counted = json.loads(invoke("config", "params", "small.yaml", "--json"))
    assert {"heads/charges", "heads/tox21"} <= set(counted["parts"])
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]
    assert "wildcard" in invoke("config", "params", "--help")
