"""Whether two configurations are one experiment: by which keys their results would differ."""

from pathlib import Path

from molfound.config.schema import Experiment
from molfound.errors import MolfoundError


def check_same(kept: Experiment, given: Experiment, folder: Path) -> None:
    """Refuse to resume a run as another experiment; where the data and the store lie may differ.

    Raises:
        MolfoundError: names the keys that differ.
    """
    differing = list(differing_keys(kept, given))
    if differing:
        raise MolfoundError(
            f"{folder} is a run of another experiment: {', '.join(differing[:5])} differ; resume it without a "
            "configuration, or train into another folder"
        )


def differing_keys(kept: Experiment, given: Experiment) -> dict[str, tuple[object, object]]:
    """Return the keys by which two experiments lead to different results, sorted, with both values of each.

    Where the data and the store lie, and what else changes no result, is left out.
    """
    ours, theirs = (_flat(experiment.model_dump(mode="json")) for experiment in (kept, given))
    free = {"data.root", "data.store", "data.engine", "data.processes", "plugins", "run.folder"}
    free |= {"training.threads", "training.metrics_mib", "training.devices", "training.shard"}
    return {
        key: (ours.get(key), theirs.get(key))
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key) != theirs.get(key) and key not in free
    }


def _flat(tree: object, prefix: str = "") -> dict[str, object]:
    if not isinstance(tree, dict) or not tree:
        return {prefix: tree}
    return {
        key: value
        for name, branch in tree.items()
        for key, value in _flat(branch, f"{prefix}.{name}" if prefix else name).items()
    }
