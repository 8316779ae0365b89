"""The manifests of a mixture; its molecules are tested with the trainings on them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from molfound.config.documents import write_text
from molfound.config.schema import Experiment
from molfound.data.manifest import load_manifest
from molfound.data.mixture import load_manifests
from molfound.errors import MolfoundError
from tests.data.conftest import manifest_of


def experiment_on(manifests: Mapping[str, str]) -> Experiment:
    content: dict[str, Any] = {
        "name": "mixture",
        "data": {"datasets": {name: {"manifest": manifest} for name, manifest in manifests.items()}},
        "model": {"encoder": "gnn"},
        "tasks": {"task": {"dataset": next(iter(manifests))}},
    }
    return Experiment.model_validate(content)


def written(path: Path, files: list[str], **changes: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(write_text(manifest_of(files, **changes).model_dump(mode="json")))
    return str(path)


def test_a_name_is_of_a_shipped_manifest_whatever_lies_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = load_manifest("toymix/qm9")
    own = written(tmp_path / "toymix" / "qm9.yaml", ["mine.csv"])
    monkeypatch.chdir(tmp_path)
    assert load_manifests(experiment_on({"a": "toymix/qm9"})) == {"a": shipped}
    assert load_manifests(experiment_on({"a": own}))["a"].name == load_manifest("toymix/qm9").name == "small"
    with pytest.raises(MolfoundError, match="did you mean 'toymix/qm9'"):
        load_manifests(experiment_on({"a": "toymix/qm99"}))


def test_two_tables_are_not_to_share_a_store(tmp_path: Path) -> None:
    first = written(tmp_path / "first.yaml", ["one.csv"])
    same = written(tmp_path / "same.yaml", ["one.csv"], splits={"other": {"kind": "scaffold"}})
    assert list(load_manifests(experiment_on({"a": first, "b": same}))) == ["a", "b"]
    for changes in ({"files": ["two.csv"]}, {"files": ["one.csv"], "folder": "elsewhere"}):
        other = written(tmp_path / "other.yaml", **changes)
        with pytest.raises(MolfoundError, match="'a' and 'b' are both named 'small' and have different tables"):
            load_manifests(experiment_on({"a": first, "b": other}))
    named = written(tmp_path / "named.yaml", ["two.csv"], name="two")
    assert list(load_manifests(experiment_on({"a": first, "b": named}))) == ["a", "b"]
