"""Families of a store: what each is made from, and the keys by which a shard is known to be the one asked for."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from rdkit import rdBase

from molfound.chem.features import atom_features, bond_features
from molfound.chem.graphs import FEATURIZER_VERSION
from molfound.config.schema import FeaturesConfig, Kind, Level
from molfound.data.coordinate_source import DRAWINGS, CoordinateSource
from molfound.data.manifest import Manifest
from molfound.encodings import encodings as known_encodings
from molfound.encodings import part_levels, part_widths
from molfound.plugins import plugin_of

SCHEMA_VERSION = 2  # of the store's files; a store of another version is prepared anew


class LabelTask(Protocol):
    """What preparation needs to know of a task; a `TaskSpec` and a resolved `Task` both do."""

    @property
    def level(self) -> Level:
        """What a label belongs to."""

    @property
    def kind(self) -> Kind:
        """What a label is."""

    @property
    def labels(self) -> Sequence[str]:
        """Label columns, wildcards allowed."""

    @property
    def classes(self) -> int | None:
        """Number of classes of a multiclass task."""


@dataclass(frozen=True)
class Family:
    """One family of shards: everything of one kind that the store knows of the molecules.

    Attributes:
        name: ``graphs``, ``encodings/<name>``, ``labels/<task>``, ``weights``, ``scaffolds``, ``coordinates`` or
            ``drawings``.
        columns: the columns of the table that it is made from.
        recipe: all else that its bytes depend on, as JSON holds it.
    """

    name: str
    columns: tuple[str, ...]
    recipe: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Hash of the name, the columns and the recipe."""
        return _hash({"name": self.name, "columns": self.columns, "recipe": self.recipe})

    @property
    def folder(self) -> str:
        """The family's folder within the store."""
        return f"{self.name}-{self.key}"

    def shard_stem(self, number: int, digests: Mapping[str, str]) -> str:
        """Return the path within the store of the shard of block `number`, up to the checksum that ends its name.

        Args:
            number: of the block.
            digests: `column_digest` of each column of the block.
        """
        key = _hash([self.key, number, [digests[column] for column in self.columns]])
        return f"{self.folder}/{number:05d}-{key}"


def requested_families(
    manifest: Manifest,
    labels: Mapping[str, Sequence[str]],
    tasks: Mapping[str, LabelTask],
    features: FeaturesConfig,
    encodings: Mapping[str, Mapping[str, Any]],
    *,
    max_heavy_atoms: int,
    block_rows: int,
    scaffolds: bool = False,
    coordinates: CoordinateSource | None = None,
    drawings: bool = False,
    molfiles: str | None = None,
) -> tuple[Family, ...]:
    """Return the families that hold all of this of a dataset, the graphs first.

    Args:
        manifest: the dataset.
        labels: the label columns of each task, wildcards expanded.
        tasks: level, kind and classes of each task.
        features: the atom and bond features.
        encodings: options of each encoding, by name.
        max_heavy_atoms: the largest accepted molecule.
        block_rows: rows of the table per shard.
        scaffolds: whether the Murcko scaffolds are wanted.
        coordinates: where coordinates come from, if they are wanted.
        drawings: whether those of drawings are wanted beside them.
        molfiles: the column of the Molfiles whose bonds labels of edges follow; None: they follow the SMILES.

    Raises:
        MolfoundError: an unknown feature, encoding or option, with the nearest.
    """
    smiles, cut = (manifest.smiles,), {"block_rows": block_rows, "schema": SCHEMA_VERSION}
    parsing = {
        **cut,
        "max_heavy_atoms": max_heavy_atoms,
        "rdkit": rdBase.rdkitVersion,
        "featurizer": FEATURIZER_VERSION,
    }
    atoms = [atom_features[name] for name in features.atoms]
    bonds = [bond_features[name] for name in features.bonds]
    codes = {
        "atoms": [feature.vocabulary.as_dict() for feature in atoms],
        "bonds": [feature.vocabulary.as_dict() for feature in bonds],
        **_plugins(feature.values for feature in (*atoms, *bonds)),
    }
    families = [Family("graphs", smiles, {**parsing, **codes})]
    families += [
        Family(f"encodings/{name}", smiles, {**parsing, **_encoding_recipe(name, options)})
        for name, options in encodings.items()
    ]
    for name, task in tasks.items():
        followed = {"bonds": molfiles} if task.level == "edge" and molfiles is not None else {}
        columns = (*smiles, *labels[name], *followed.values())
        recipe = {**(cut if task.level == "graph" else parsing), **_label_recipe(task, labels[name]), **followed}
        families.append(Family(f"labels/{name}", columns, recipe))
    if manifest.weight is not None:
        families.append(Family("weights", (*smiles, manifest.weight), cut))
    if scaffolds:
        families.append(Family("scaffolds", smiles, parsing))
    if coordinates is not None:
        columns = tuple(dict.fromkeys((*smiles, *coordinates.columns)))
        families.append(Family("coordinates", columns, {**parsing, **coordinates.recipe}))
    if drawings:
        families.append(Family("drawings", smiles, {**parsing, **DRAWINGS.recipe}))
    return tuple(families)


def column_digest(column: pa.Array | pa.ChunkedArray) -> str:
    """Return a hash of a column's values, however the array lies in memory and in how many chunks.

    >>> column_digest(pa.array(["a", None, "b"])) == column_digest(pa.array(["x", "a", None, "b"]).slice(1))
    True
    >>> column_digest(pa.array([1, None])) == column_digest(pa.chunked_array([[1], [None]]))
    True
    """
    digest = hashlib.blake2b(digest_size=16)
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    for content in _contents(whole):
        digest.update(content)
    return digest.hexdigest()


def _contents(column: pa.Array) -> Iterator[bytes | memoryview]:
    yield f"{column.type} {len(column)};".encode()
    yield np.packbits(np.asarray(column.is_valid())).tobytes()
    if pa.types.is_list(column.type):
        yield np.asarray(column.value_lengths().fill_null(0)).tobytes()
        yield from _contents(column.flatten())
    elif pa.types.is_string(column.type) and len(column):
        present = column.fill_null("")
        _, starts, text = present.buffers()
        bounds = np.frombuffer(starts, np.int32, len(present) + 1, 4 * present.offset)
        yield np.diff(bounds).tobytes()
        yield memoryview(text or b"")[bounds[0] : bounds[-1]]
    elif not pa.types.is_null(column.type) and len(column):
        # Of a null cell only its being null counts, so whatever value lies beneath it is made the same.
        yield np.asarray(column.fill_null(pa.scalar(0).cast(column.type))).tobytes()


def _label_recipe(task: LabelTask, labels: Sequence[str]) -> dict[str, Any]:
    return {"level": task.level, "kind": task.kind, "classes": task.classes, "labels": list(labels)}


def _encoding_recipe(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {option: parameter.default for option, parameter in known_encodings.options(name).items()}
    levels, widths = part_levels(name), part_widths(name, options)
    return {
        "encoding": name,
        "version": known_encodings[name].version,
        "options": defaults | known_encodings.check(name, options),
        "parts": {part: [levels[part], widths[part]] for part in levels},
        **_plugins([known_encodings[name].compute]),
    }


def _plugins(functions: Iterable[Callable[..., Any]]) -> dict[str, list[str]]:
    """Return, for a recipe, the plugins that functions come from: a plugin that is edited yields other bytes."""
    names = sorted({name for function in functions if (name := plugin_of(function)) is not None})
    return {"plugins": names} if names else {}


def _hash(content: Any) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()
