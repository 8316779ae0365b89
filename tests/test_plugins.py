"""Plugins of a run: whose code is executed, and when."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from molfound.chem.features import atom_features
from molfound.data.generators import generators
from molfound.encodings import encodings
from molfound.errors import MolfoundError
from molfound.plugins import PluginRecord, checksum, keep_plugins, load_plugin, restore_plugins
from tests.conftest import plugins_forgotten_after


@pytest.fixture
def executed() -> Iterator[list[str]]:
    """The files that plugins of the test were executed from."""
    sys.molfound_test_executed = found = []  # type: ignore[attr-defined]
    with plugins_forgotten_after():
        yield found
    del sys.molfound_test_executed  # type: ignore[attr-defined]


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A plugin that notes where it is executed from."""
    path = tmp_path / "heads.py"
    path.write_text("import sys\nsys.molfound_test_executed.append(__file__)\n")
    return path


@pytest.fixture
def records(plugin: Path, tmp_path: Path) -> list[PluginRecord]:
    """What a run remembers of it."""
    return keep_plugins([plugin], tmp_path / "run" / "plugins")


def test_a_copy_is_kept_with_its_checksum(plugin: Path, records: list[PluginRecord], tmp_path: Path) -> None:
    assert records == [PluginRecord(str(plugin), "00_heads.py", checksum(plugin))]
    assert (tmp_path / "run" / "plugins" / "00_heads.py").read_bytes() == plugin.read_bytes()


@pytest.mark.parametrize("allowed", [False, True])
def test_an_unchanged_original_is_imported_once(
    plugin: Path, records: list[PluginRecord], tmp_path: Path, executed: list[str], allowed: bool
) -> None:
    for _ in range(2):
        restore_plugins(records, tmp_path / "run" / "plugins", allow_copies=allowed)
    assert executed == [str(plugin)]


@pytest.mark.parametrize("change", [lambda path: path.write_text("raise SystemExit"), Path.unlink])
def test_a_copy_is_executed_only_when_allowed(
    plugin: Path, records: list[PluginRecord], tmp_path: Path, executed: list[str], change: object
) -> None:
    assert callable(change)
    change(plugin)
    with pytest.raises(MolfoundError, match=r"needs plugin 00_heads\.py, .* gone or changed; .* say --allow-plugins"):
        restore_plugins(records, tmp_path / "run" / "plugins", allow_copies=False)
    assert executed == []
    restore_plugins(records, tmp_path / "run" / "plugins", allow_copies=True)
    assert executed == [str(tmp_path / "run" / "plugins" / "00_heads.py")]


@pytest.mark.parametrize("change", [lambda path: path.write_text(path.read_text() + "#"), Path.unlink])
def test_a_copy_that_is_not_the_file_is_refused(
    plugin: Path, records: list[PluginRecord], tmp_path: Path, executed: list[str], change: object
) -> None:
    assert callable(change)
    plugin.unlink()
    change(tmp_path / "run" / "plugins" / "00_heads.py")
    with pytest.raises(MolfoundError, match=r"00_heads\.py is missing or is not the file it was trained with"):
        restore_plugins(records, tmp_path / "run" / "plugins", allow_copies=True)
    assert executed == []


@pytest.mark.parametrize("folder", ["given", "given/members/1"])
@pytest.mark.parametrize("origin", ["{run}/plugins/00_heads.py", "given/plugins/00_heads.py", "{link}/00_heads.py"])
def test_a_file_that_comes_with_a_run_is_no_original(
    plugin: Path, tmp_path: Path, executed: list[str], monkeypatch: pytest.MonkeyPatch, folder: str, origin: str
) -> None:
    """Whoever gives a run away writes its records too: they may name the run's own files, from wherever it is used."""
    monkeypatch.chdir(tmp_path)
    run, given = tmp_path / folder, tmp_path / "given"
    (record,) = keep_plugins([plugin], run / "plugins")
    keep_plugins([plugin], given / "plugins")
    (given / "ensemble.json").touch()
    (tmp_path / "elsewhere").symlink_to(given / "plugins")
    record = replace(record, origin=origin.format(run=given, link=tmp_path / "elsewhere"))
    with pytest.raises(MolfoundError, match=r"needs plugin 00_heads\.py, .* is not known to be yours; .*-plugins"):
        restore_plugins([record], run / "plugins", allow_copies=False)
    assert executed == []
    restore_plugins([record], run / "plugins", allow_copies=True)
    assert executed == [str(run / "plugins" / "00_heads.py")]


def test_what_has_come_in_an_archive_is_no_original_of_another_run(
    plugin: Path, tmp_path: Path, executed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOLFOUND_CACHE", str(tmp_path / "cache"))
    unpacked, run = tmp_path / "cache" / "runs" / "abc" / "plugins", tmp_path / "run"
    keep_plugins([plugin], unpacked)
    (record,) = keep_plugins([plugin], run / "plugins")
    record = replace(record, origin=str((unpacked / "00_heads.py").resolve()))
    with pytest.raises(MolfoundError, match="is not known to be yours"):
        restore_plugins([record], run / "plugins", allow_copies=False)
    assert executed == []


def test_a_plugin_that_fails_names_itself_and_can_be_mended(tmp_path: Path, executed: list[str]) -> None:
    path = tmp_path / "broken.py"
    path.write_text("1 / 0\n")
    for _ in range(2):
        with pytest.raises(MolfoundError, match=r"plugin .*broken\.py failed on import: ZeroDivisionError"):
            load_plugin(path)
    with pytest.raises(MolfoundError, match="plugin not found"):
        load_plugin(tmp_path / "absent.py")
    assert executed == []


COMPONENTS = """
import numpy as np
from molfound.chem.features import atom_feature
from molfound.chem.vocabulary import Vocabulary
from molfound.data.generators import generators
from molfound.encodings import encoding

@atom_feature(Vocabulary("{name}", (0, 1)))
def feature(block):
    return np.full(block.atom_count, 1)

@encoding("{name}", parts={{"x": "graph"}})
def encode(block, *, value: int = {value}):
    return {{"x": np.full((block.graph_count, 1), value)}}

@generators.register("{name}")
class Generator:
    def __init__(self, folder, *, value: int = {value}):
        pass
"""


def defaults(name: str) -> list[int]:
    """What the plugin's components that are registered now were written with."""
    assert name in atom_features
    return [registry.options(name)["value"].default for registry in (encodings, generators)]


@pytest.mark.usefixtures("executed")
def test_a_changed_plugin_takes_the_place_of_the_older(tmp_path: Path) -> None:
    path, name = tmp_path / "mine.py", "changed_in_test"
    for value in (1, 2, 1):
        path.write_text(COMPONENTS.format(name=name, value=value))
        load_plugin(path)
        assert defaults(name) == [value, value]
    path.write_text("")
    load_plugin(path)
    assert all(name not in registry for registry in (atom_features, encodings, generators))
    assert "laplacian" in encodings


@pytest.mark.usefixtures("executed")
def test_a_plugin_that_fails_halfway_leaves_nothing_and_can_be_mended(tmp_path: Path) -> None:
    path, name = tmp_path / "half.py", "half_in_test"
    whole = COMPONENTS.format(name=name, value=3)
    for _ in range(2):
        path.write_text(whole + "1 / 0\n")
        with pytest.raises(MolfoundError, match="failed on import: ZeroDivisionError"):
            load_plugin(path)
        assert all(name not in registry for registry in (atom_features, encodings, generators))
    path.write_text(whole)
    load_plugin(path)
    assert defaults(name) == [3, 3]


@pytest.mark.usefixtures("executed")
def test_two_plugins_of_one_name_are_told(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.py").write_text(COMPONENTS.format(name="twice_in_test", value=number))
    load_plugin(tmp_path / "0.py")
    with pytest.raises(MolfoundError, match="'twice_in_test' is registered already"):
        load_plugin(tmp_path / "1.py")
    assert defaults("twice_in_test") == [0, 0]
