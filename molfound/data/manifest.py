"""Manifests: what a dataset is, where its files lie, which columns are labels, how it is split, who to thank."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from molfound.config.component import Component
from molfound.config.documents import read_mapping
from molfound.config.locations import find_shipped, shipped_names
from molfound.config.problems import validated
from molfound.config.schema import Count, FileSplit, Key, Kind, Level, Section, SplitSpec, Text, Texts
from molfound.data.tables import expand_columns, is_wildcard
from molfound.errors import MolfoundError, did_you_mean


class DataFile(Section):
    """One file of a dataset."""

    name: Text
    """The file's name; wildcards stand for several files."""
    url: Text | None = None
    """Where it can be fetched."""
    sha256: Text | None = None
    """SHA-256 checksum, in hexadecimal digits, which the file has to have; null: any."""


class TaskSpec(Section):
    """A group of label columns of one level and kind."""

    level: Level = "graph"
    """What a label belongs to."""
    kind: Kind
    """What a label is."""
    labels: Annotated[Texts, Field(min_length=1)]
    """Label columns, wildcards allowed."""
    classes: Annotated[int, Field(ge=2)] | None = None
    """Number of classes of a multiclass task."""
    count: Count | None = None
    """How many columns the labels stand for, wildcards expanded; null: any number."""

    def columns_among(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the label columns among those of the table.

        Raises:
            MolfoundError: a name or wildcard that matches no column (with the nearest), or another `count` of columns.

        >>> TaskSpec(kind="binary", labels=["assayID-*"], count=2).columns_among(["SMILES", "assayID-7", "assayID-3"])
        ('assayID-7', 'assayID-3')
        """
        found = expand_columns(self.labels, columns)
        if self.count is not None and len(found) != self.count:
            raise MolfoundError(
                f"the labels {', '.join(self.labels)} stand for {len(found):,} columns of the table, and the manifest "
                f"says {self.count:,}"
            )
        return found

    def counted_columns(self) -> tuple[str, ...] | None:
        """Return columns that stand in for the table's, as many; None where only the table can tell how many.

        >>> TaskSpec(kind="binary", labels=["a", "b_*"], count=3).counted_columns()
        ('a', 'b_0', 'b_1')
        """
        wild = [label for label in self.labels if is_wildcard(label)]
        if not wild:
            return self.labels
        if self.count is None or len(wild) > 1:
            return None
        missing = self.count - len(self.labels) + 1
        return tuple(
            name for label in self.labels for name in (_numbered(label, missing) if label == wild[0] else [label])
        )


class GivenCoordinates(Section):
    """Where the table has coordinates of the molecules' atoms."""

    column: Text
    """Lists of numbers in Å (in text as JSON, beside `atomic_numbers`), Molfiles, or the column of the SMILES itself
    where that holds CXSMILES."""
    atomic_numbers: Text | None = None
    """Lists of the atoms that lists of numbers are of; null: the molecule's, with or without its hydrogens behind."""


class Manifest(Section):
    """One dataset: a table of molecules with its tasks and splits.

    Example:
        >>> manifest = load_manifest("toymix/zinc12k")
        >>> manifest.tasks["zinc12k"].labels, next(iter(manifest.splits))
        (('SA', 'logp', 'score'), 'published')
    """

    name: Key
    """The dataset's name."""
    title: Text
    """One line."""
    description: str = ""
    """What is in it, and what to know before using it."""
    licence: Text
    """Licence, as an SPDX identifier where there is one."""
    citation: Text
    """What to cite."""
    source: Text
    """Where it is described."""
    files: Annotated[tuple[DataFile, ...], Field(strict=False)] = ()
    """The files of the table, in the order of their rows."""
    folder: Text | None = None
    """Files are sought in the data folder and in this folder of it."""
    generator: Component | None = None
    """Instead of files: what makes the table, with its options."""
    smiles: Text
    """Column of the SMILES."""
    weight: Text | None = None
    """Column of the sample weights."""
    coordinates: GivenCoordinates | None = None
    """Where it has coordinates; null: nowhere."""
    tasks: dict[Key, TaskSpec] = Field(default_factory=dict)
    """The tasks by name; without any, the molecules serve objectives alone."""
    splits: Annotated[dict[Key, SplitSpec], Field(min_length=1)]
    """The splits by name; the first is the default."""

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if bool(self.files) == (self.generator is not None):
            problem = "a dataset has either files or a generator"
            raise PydanticCustomError("reference", "{problem}", {"problem": problem, "path": "files"})
        return self

    @property
    def table(self) -> tuple[object, ...]:
        """What tells the dataset's table from others."""
        return tuple(file.name for file in self.files), self.folder, self.generator

    def split(self, choice: str | SplitSpec | None = None) -> SplitSpec:
        """Return the split of this name, the first one for None, or the given description itself.

        Raises:
            MolfoundError: a name that is no split of the dataset, with the nearest.
        """
        if choice is None:
            return next(iter(self.splits.values()))
        if not isinstance(choice, str):
            return choice
        if choice not in self.splits:
            raise MolfoundError(f"dataset '{self.name}' has no split '{choice}'{did_you_mean(choice, self.splits)}")
        return self.splits[choice]

    @property
    def split_files(self) -> dict[str, DataFile]:
        """The files of row numbers, by the names of the splits that they give."""
        return {
            name: DataFile(name=split.file, url=split.url, sha256=split.sha256)
            for name, split in self.splits.items()
            if isinstance(split, FileSplit)
        }

    def folders(self, root: Path) -> tuple[Path, ...]:
        """Return where the dataset's files are sought, in this order."""
        return (root,) if self.folder is None else (root, root / self.folder)


def load_manifest(name_or_path: str | Path, *, by_name: bool = False) -> Manifest:
    """Return a shipped manifest by name (``toymix/qm9``), or one's own by the path of its YAML file.

    Args:
        name_or_path: of the manifest; a path goes first.
        by_name: whether only the name of a shipped one is meant, whatever lies in the working directory.

    Raises:
        MolfoundError: no such manifest (with the nearest name), or one with unknown keys or wrong values.
    """
    path = find_shipped(str(name_or_path), "datasets_manifest", None if by_name else Path())
    return validated(Manifest, read_mapping(path), lambda _: str(path))


def list_manifests() -> list[str]:
    """Return the names of the shipped manifests."""
    return shipped_names("datasets_manifest")


def locate_files(manifest: Manifest, root: Path) -> list[Path]:
    """Return the files of a dataset's table, in order, each in the data folder or in the dataset's folder of it.

    Raises:
        MolfoundError: a file that is in neither (the message names both places and where it can be fetched), or one
            that has another checksum than the manifest says.
    """
    folders = manifest.folders(root)
    return [path for file in manifest.files for path in _located(file.name, folders, file.url, file.sha256)]


def locate(name: str, folders: Sequence[Path], url: str | None = None, sha256: str | None = None) -> Path:
    """Return the file of this name in the first folder that has it.

    Raises:
        MolfoundError: no folder has it (the message names them and where the file can be fetched), or it has another
            checksum than `sha256`.
    """
    return _located(name, folders, url, sha256)[0]


def find_files(name: str, folders: Sequence[Path]) -> list[Path]:
    """Return the file of this name, or all that its wildcards stand for, in the first folder that has any; or none."""
    for folder in folders:
        path = folder / name
        found = [path] if path.is_file() else sorted(path.parent.glob(path.name))
        if found:
            return found
    return []


def _numbered(wildcard: str, count: int) -> list[str]:
    first, _, rest = wildcard.replace("?", "*").partition("*")
    return [f"{first}{number}{rest.replace('*', '')}" for number in range(count)]


def _located(name: str, folders: Sequence[Path], url: str | None, sha256: str | None) -> list[Path]:
    found = find_files(name, folders)
    if found:
        if sha256 is not None:
            _check_sum(name, found, sha256)
        return found
    places = " and ".join(str(folder) for folder in folders)
    fetch = f"; fetch it from {url}" if url else ""
    raise MolfoundError(f"file '{name}' is not in {places} (data.root, or $MOLFOUND_DATA, says where to look){fetch}")


def _check_sum(name: str, found: Sequence[Path], sha256: str) -> None:
    if len(found) > 1:
        raise MolfoundError(f"'{name}' stands for {len(found)} files, and a sha256 is the checksum of one")
    digest = file_sha256(found[0])
    if digest != sha256.lower():
        raise MolfoundError(f"{found[0]} is another file than expected: its sha256 is {digest}, not {sha256}")


def file_sha256(path: Path) -> str:
    """Return a file's SHA-256 checksum in hexadecimal digits; it is read once until it changes.

    Raises:
        MolfoundError: it cannot be read.
    """
    try:
        status = path.stat()
        return _sha256(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise MolfoundError(f"cannot read {path}: {error.strerror}") from error


@cache
def _sha256(path: Path, size: int, modified: int) -> str:
    """Return a file's checksum; size and time of change are here so that a file is read once until it changes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
