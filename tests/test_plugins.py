"""Plugins of a run: whose code is executed, and when."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from molfound.errors import MolfoundError
from molfound.plugins import PluginRecord, checksum, keep_plugins, load_plugin, restore_plugins


@pytest.fixture
def executed() -> Iterator[list[str]]:
    """The files that plugins of the test were executed from."""
    sys.molfound_test_executed = found = []  # type: ignore[attr-defined]
    before = set(sys.modules)
    yield found
    del sys.molfound_test_executed  # type: ignore[attr-defined]
    for name in set(sys.modules) - before:
        if name.startswith("molfound_plugin_"):
            del sys.modules[name]


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A plugin that notes where it is executed from."""
    path = tmp_path / "heads.py"
    path.write_text("import sys\nsys.molfound_test_executed.append(__file__)\n")
    return path


@pytest.fixture
def records(plugin: Path, tmp_path: Path) -> list[PluginRecord]:
    """What a run remembers of it."""
    return keep_plugins([plugin], tmp_path / "plugins")


def test_a_copy_is_kept_with_its_checksum(plugin: Path, records: list[PluginRecord], tmp_path: Path) -> None:
    assert records == [PluginRecord(str(plugin), "00_heads.py", checksum(plugin))]
    assert (tmp_path / "plugins" / "00_heads.py").read_bytes() == plugin.read_bytes()


@pytest.mark.parametrize("allowed", [False, True])
def test_an_unchanged_original_is_imported_once(
    plugin: Path, records: list[PluginRecord], tmp_path: Path, executed: list[str], allowed: bool
) -> None:
    for _ in range(2):
        restore_plugins(records, tmp_path / "plugins", allow_copies=allowed)
    assert executed == [str(plugin)]


@pytest.mark.parametrize("change", [lambda path: path.write_text("raise SystemExit"), Path.unlink])
def test_a_copy_is_executed_only_when_allowed(
    plugin: Path, records: list[PluginRecord], tmp_path: Path, executed: list[str], change: object
) -> None:
    assert callable(change)
    change(plugin)
    with pytest.raises(MolfoundError, match=r"needs plugin 00_heads\.py, .* gone or changed; .* say --allow-plugins"):
        restore_plugins(records, tmp_path / "plugins", allow_copies=False)
    assert executed == []
    restore_plugins(records, tmp_path / "plugins", allow_copies=True)
    assert executed == [str(tmp_path / "plugins" / "00_heads.py")]


@pytest.mark.parametrize("change", [lambda path: path.write_text(path.read_text() + "#"), Path.unlink])
def test_a_copy_that_is_not_the_file_is_refused(
    plugin: Path, records: list[PluginRecord], tmp_path: Path, executed: list[str], change: object
) -> None:
    assert callable(change)
    plugin.unlink()
    change(tmp_path / "plugins" / "00_heads.py")
    with pytest.raises(MolfoundError, match=r"00_heads\.py is missing or is not the file it was trained with"):
        restore_plugins(records, tmp_path / "plugins", allow_copies=True)
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
