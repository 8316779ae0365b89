"""Whether a run's data are still what its model was made for, and those that it was trained on."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from molfound.config.schema import Experiment
from molfound.data.mixture import Mixture
from molfound.errors import MolfoundError
from molfound.model import ModelSpecification, specify
from molfound.tasks.task import Task
from molfound.training.run_folder import RunFolder


def check_data_fits(
    specification: ModelSpecification, experiment: Experiment, tasks: Mapping[str, Task], folder: Path
) -> None:
    """Refuse data whose features, encodings or labels are not those of a run's model, in their order.

    Raises:
        MolfoundError: names what differs.
    """
    present = specify(experiment, tasks)
    differing = [
        name for name in ("atoms", "bonds", "encoded") if getattr(specification, name) != getattr(present, name)
    ]
    for name, task in specification.tasks.items():
        now = present.tasks.get(name)
        meaning = ("dataset", "level", "kind", "labels", "classes")
        if now is None or any(getattr(task, field) != getattr(now, field) for field in meaning):
            differing.append(f"the labels of task '{name}'")
    if differing:
        raise MolfoundError(f"the data are not those that {folder} was trained on: {', '.join(differing)} differ")


def check_data_unchanged(run: RunFolder, graphs: Mixture) -> None:
    """Refuse to go on with a run on other molecules, labels or parts than it was begun with.

    Raises:
        MolfoundError: names what has changed.
    """
    kept = kept_digests(run)
    changed = [
        f"{what} of dataset '{dataset}'"
        for dataset, digests in data_digests(graphs).items()
        for what, digest in digests.items()
        if kept.get(dataset, {}).get(what) != digest
    ]
    if changed:
        more = f" (and {len(changed) - 3} more)" if len(changed) > 3 else ""
        raise MolfoundError(
            f"the data have changed since {run.path} was begun: {', '.join(changed[:3])}{more}; "
            "train into another folder (run.folder=…)"
        )


def kept_digests(run: RunFolder) -> dict[str, dict[str, str]]:
    """Return the `data_digests` of what a run was begun with.

    Raises:
        MolfoundError: the run does not keep them.
    """
    if not run.data.is_file():
        raise MolfoundError(f"{run.path} does not say what data it was trained on: it has no {run.data.name}")
    kept: dict[str, dict[str, str]] = json.loads(run.data.read_text())
    return kept


def data_digests(graphs: Mixture) -> dict[str, dict[str, str]]:
    """Return for each dataset a digest of each family of its store and one of the rows in each part of its split."""
    return {dataset: _store_digests(graphs, dataset) | _split_digest(graphs, dataset) for dataset in graphs.parts}


def _store_digests(graphs: Mixture, dataset: str) -> dict[str, str]:
    # A shard's stem hashes the table's columns and all else that its bytes depend on.
    families = graphs.stores[dataset].families
    return {name: _digest(shard.stem.encode() for shard in stored.shards) for name, stored in families.items()}


def _split_digest(graphs: Mixture, dataset: str) -> dict[str, str]:
    rows = graphs.collection.rows.numpy()
    parts = sorted(graphs.parts[dataset].items())
    return {"split": _digest(piece for part, there in parts for piece in (part.encode(), rows[there].tobytes()))}


def _digest(pieces: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for piece in pieces:
        digest.update(len(piece).to_bytes(8, "little") + piece)
    return digest.hexdigest()
