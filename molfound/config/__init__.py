"""YAML files and overrides in, one typed and frozen configuration out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from molfound.config.component import Component
from molfound.config.schema import Experiment, SplitSpec

if TYPE_CHECKING:
    from molfound.config.composition import json_schema as json_schema
    from molfound.config.composition import load_config as load_config
    from molfound.config.composition import to_yaml as to_yaml
    from molfound.config.locations import find_config as find_config
    from molfound.config.locations import shipped_folder as shipped_folder

__all__ = [
    "Component",
    "Experiment",
    "SplitSpec",
    "find_config",
    "json_schema",
    "load_config",
    "shipped_folder",
    "to_yaml",
]

# What reads files is found when it is first used: a model that predicts needs the schema alone.
_HOMES = {
    "find_config": "molfound.config.locations",
    "json_schema": "molfound.config.composition",
    "load_config": "molfound.config.composition",
    "shipped_folder": "molfound.config.locations",
    "to_yaml": "molfound.config.composition",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'molfound.config' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
