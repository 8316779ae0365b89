"""YAML files and overrides in, one typed and frozen configuration out."""

from molfound.config.component import Component
from molfound.config.composition import json_schema, load_config, to_yaml
from molfound.config.locations import find_config, shipped_folder
from molfound.config.schema import Experiment, SplitSpec

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
