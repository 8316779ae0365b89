"""Everything about a model but its weights: enough to build it and to predict from SMILES."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

import molfound
from molfound.chem.features import Feature, atom_features, bond_features
from molfound.config.schema import ConformersConfig, Experiment, ModelConfig
from molfound.encodings import encodings as known_encodings
from molfound.encodings import part_levels, part_widths
from molfound.errors import MolfoundError
from molfound.nn.encoder_inputs import FeatureVocabulary
from molfound.nn.encoders import encoders
from molfound.nn.encoding_encoders import EncodingPart
from molfound.plugins import PluginRecord
from molfound.registry import Registry
from molfound.tasks.task import Task

SCHEMA_VERSION = 1
"""Of ``model.json``: to be raised when an older molfound could no longer read it rightly."""


@dataclass(frozen=True)
class EncodingSpecification:
    """An encoding with its options, and the level and width of each of its parts, by the part's own name."""

    options: dict[str, Any]
    version: int
    parts: dict[str, EncodingPart]


class ModelSpecification(BaseModel):
    """What a model is made of, as it stands in ``model.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())

    schema_version: int = SCHEMA_VERSION
    """Of this file's shape."""
    versions: dict[str, str]
    """The versions of the libraries that the model was made with."""
    atoms: tuple[FeatureVocabulary, ...]
    """Atom features, in the order of their codes' columns."""
    bonds: tuple[FeatureVocabulary, ...]
    """Bond features, in the order of their codes' columns."""
    max_heavy_atoms: int
    """A molecule with more heavy atoms is rejected."""
    crop: int | None = None
    """A molecule with more atoms is cut to so many around its middle; null: none is."""
    conformers: ConformersConfig | None = None
    """How the coordinates of a molecule are made where the encoder reads some; null: it reads none."""
    encoded: dict[str, EncodingSpecification]
    """The encodings by name."""
    model: ModelConfig
    """Inputs, encoder and read-out."""
    tasks: dict[str, Task]
    """The tasks by name, in the order of their heads."""
    objectives: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """The objectives by name, with their options."""
    plugins: tuple[PluginRecord, ...] = ()
    """Files with components of the user's own that the model needs."""

    @property
    def atom_features(self) -> list[str]:
        """Names of the atom features."""
        return [feature.name for feature in self.atoms]

    @property
    def bond_features(self) -> list[str]:
        """Names of the bond features."""
        return [feature.name for feature in self.bonds]

    @property
    def encodings(self) -> dict[str, dict[str, Any]]:
        """Options of each encoding."""
        return {name: encoding.options for name, encoding in self.encoded.items()}

    def check_codes(self) -> None:
        """Refuse to go on where today's features or encodings mean something else than those the model was made with.

        Raises:
            MolfoundError: names the feature or encoding.
        """
        for registry, features in ((atom_features, self.atoms), (bond_features, self.bonds)):
            for feature in features:
                if _vocabulary(registry, feature.name) != feature:
                    raise MolfoundError(
                        f"the model was made with version {feature.version} of {registry.kind} '{feature.name}', whose "
                        f"codes differ from today's; use molfound {self.versions.get('molfound', '')}".rstrip()
                    )
        for name, encoding in self.encoded.items():
            if known_encodings[name].version != encoding.version:
                raise MolfoundError(
                    f"the model was made with version {encoding.version} of encoding '{name}', not with today's "
                    f"{known_encodings[name].version}; use molfound {self.versions.get('molfound', '')}".rstrip()
                )


def specify(
    experiment: Experiment, tasks: Mapping[str, Task], plugins: Sequence[PluginRecord] = ()
) -> ModelSpecification:
    """Return the specification of an experiment's model.

    Args:
        experiment: whose features, encodings and model are meant; its plugins must be loaded.
        tasks: its tasks, resolved.
        plugins: what the run remembers of its plugins.

    Raises:
        MolfoundError: an unknown feature or encoding, or an option that does not fit.
    """
    return ModelSpecification(
        versions={
            "molfound": molfound.__version__,
            **{name: version(name) for name in ("torch", "rdkit", "numpy")},
        },
        atoms=tuple(_vocabulary(atom_features, name) for name in experiment.features.atoms),
        bonds=tuple(_vocabulary(bond_features, name) for name in experiment.features.bonds),
        max_heavy_atoms=experiment.data.max_heavy_atoms,
        crop=experiment.data.crop,
        conformers=_conformers(experiment),
        encoded={name: _encoding(name, options) for name, options in experiment.encodings.items()},
        model=experiment.model,
        tasks=dict(tasks),
        objectives=dict(experiment.objectives),
        plugins=tuple(plugins),
    )


def _conformers(experiment: Experiment) -> ConformersConfig | None:
    return experiment.data.conformers if encoders[experiment.model.encoder.name].reads_coordinates else None


def _vocabulary(registry: Registry[Feature], name: str) -> FeatureVocabulary:
    vocabulary = registry[name].vocabulary
    return FeatureVocabulary(vocabulary.name, vocabulary.values, vocabulary.version)


def _encoding(name: str, options: Mapping[str, Any]) -> EncodingSpecification:
    widths, levels = part_widths(name, options), part_levels(name)
    parts = {part.removeprefix(f"{name}."): EncodingPart(levels[part], widths[part]) for part in widths}
    return EncodingSpecification(dict(options), known_encodings[name].version, parts)
