"""The index of a store, ``store.json``: what families it holds, of which files, with which checksums."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from molfound.data.build import ShardRecord
from molfound.data.families import SCHEMA_VERSION, Family
from molfound.data.shards import FileRecord, write_atomically
from molfound.errors import MolfoundError

INDEX = "store.json"


class UnreadableIndexError(MolfoundError):
    """A ``store.json`` that is damaged or of another schema version."""


@dataclass(frozen=True)
class StoredFamily:
    """A family with its shards, in the order of the blocks."""

    family: Family
    shards: tuple[ShardRecord, ...]


@dataclass(frozen=True)
class Index:
    """What a store holds.

    Attributes:
        dataset: the dataset's name.
        rows: rows of the table, rejected ones included.
        block_rows: rows per shard.
        content: folders of the families of the latest preparation.
        families: all families of which every shard is there, by folder.
        incomplete: earlier families of which some shards are those of the present rows; asked for again, the others are
            made.
    """

    dataset: str
    rows: int
    block_rows: int
    content: tuple[str, ...]
    families: Mapping[str, StoredFamily]
    incomplete: tuple[Family, ...] = ()

    def all_families(self) -> list[Family]:
        """Return the families, those that are not complete among them."""
        return [*(stored.family for stored in self.families.values()), *self.incomplete]

    def records(self) -> dict[str, ShardRecord]:
        """Return the record of every shard, by its stem."""
        return {shard.stem: shard for stored in self.families.values() for shard in stored.shards}

    def write(self, folder: Path) -> None:
        """Write the index into the store's folder, atomically."""
        content = {
            "schema": SCHEMA_VERSION,
            "dataset": self.dataset,
            "rows": self.rows,
            "block_rows": self.block_rows,
            "content": list(self.content),
            "families": {name: asdict(self.families[name]) for name in sorted(self.families)},
            "incomplete": [asdict(family) for family in sorted(self.incomplete, key=lambda family: family.folder)],
        }
        write_atomically(folder / INDEX, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the index in the store's folder.

        Raises:
            MolfoundError: no store there.
            UnreadableIndexError: one that is damaged, or of another schema version.
        """
        path = folder / INDEX
        if not path.is_file():
            raise MolfoundError(f"{folder} is no prepared store; prepare the data first (molfound prepare)")
        try:
            content = json.loads(path.read_bytes())
            version = content["schema"]
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableIndexError(f"{path} is damaged; prepare the data again (molfound prepare)") from error
        if version != SCHEMA_VERSION:
            raise UnreadableIndexError(
                f"{folder} was made by another version of molfound "
                f"(schema {version}, this one reads {SCHEMA_VERSION}); prepare the data again (molfound prepare)"
            )
        try:
            families = {name: _stored_family(family) for name, family in content["families"].items()}
            known = {name: families[name] for name in content["content"]}
            incomplete = tuple(map(_family, content.get("incomplete", ())))
            return cls(content["dataset"], content["rows"], content["block_rows"], tuple(known), families, incomplete)
        except (KeyError, TypeError, AttributeError) as error:
            raise UnreadableIndexError(f"{path} is damaged; prepare the data again (molfound prepare)") from error


def _stored_family(content: Mapping[str, Any]) -> StoredFamily:
    shards = (ShardRecord(**{**shard, "file": FileRecord(**shard["file"])}) for shard in content["shards"])
    return StoredFamily(_family(content["family"]), tuple(shards))


def _family(content: Mapping[str, Any]) -> Family:
    return Family(content["name"], tuple(content["columns"]), content["recipe"])
