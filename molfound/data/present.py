"""The shards that lie in a store's folder: which are whole, and which nothing needs any more."""

from collections.abc import Callable
from pathlib import Path

from molfound.data.build import ShardRecord, read_rejected, shard_name
from molfound.data.shards import read_shard, record_of

SHARD_FOLDERS = ("graphs-*", "encodings/*", "labels/*", "weights-*", "scaffolds-*", "coordinates-*", "drawings-*")


def whole_shard(folder: Path, path: Path, record: ShardRecord | None, say: Callable[[str], None]) -> ShardRecord | None:
    """Return the record of a shard that is there, or None, and say so, if its bytes are not those of its name."""
    content = path.read_bytes()
    name = path.relative_to(folder).as_posix()
    if shard_name(name.rpartition("-")[0], content) != name:
        say(f"{path} is damaged: it is built again")
        return None
    if record is not None and record.file.name == name:
        return record
    return ShardRecord(record_of(name, content), read_shard(content, path).num_rows, len(read_rejected(content)))


def present_shards(folder: Path) -> list[Path]:
    """Return the shards that lie in the store's folder, listed or not, those of other versions among them."""
    return [path for pattern in SHARD_FOLDERS for path in folder.glob(f"{pattern}/[0-9]*-*-*.*")]


def remove_others(folder: Path, used: set[str]) -> None:
    """Remove the shards that no family has a use for any more, and folders that become empty."""
    for path in present_shards(folder):
        if path.relative_to(folder).as_posix() not in used:
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
