"""Generators: functions that make a dataset's table, for datasets that no file need be fetched for."""

from collections.abc import Callable
from pathlib import Path

from molfound.config.component import Component
from molfound.registry import Registry

Generator = Callable[..., Path]

generators: Registry[Generator] = Registry("generator")
"""A generator is ``f(folder, *, options) -> path`` of a Parquet file: it makes the table once, atomically, under a name
that tells its options and whatever else its content depends on, and returns the one that is there already."""


def generated_table(generator: Component, folder: Path) -> Path:
    """Return the path of the generated table, made in `folder` if it is not there yet.

    Raises:
        MolfoundError: an unknown generator or option, with the nearest.
    """
    path: Path = generators.build(generator.name, folder, **generator.options)
    return path
