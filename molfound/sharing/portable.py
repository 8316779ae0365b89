"""A run's own files without what belongs to the machine that it was trained on."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from molfound.config.documents import read_mapping, write_text
from molfound.config.locations import SUFFIXES
from molfound.model import ensemble_members, load_specification
from molfound.training.run_folder import RunFolder

MANIFESTS = "manifests"


def portable_files(run: RunFolder) -> dict[str, bytes]:
    """Return, by name, the files of a run, or of an ensemble without its members, that change when they leave it.

    - ``model.json``, in which plugins are known by their names alone;
    - ``config.yaml``, without the folders of the data, of the stores and of the run, and with plugins and manifests
      of one's own relative to it; of what a fine-tuning started from, its name is left;
    - ``manifests/DATASET.yaml``, the manifests that do not come with molfound.

    Of a data file that either names by its whole path, the name is left: it is sought in the folder of the data.

    Args:
        run: a folder with a model; one that was converted has no configuration.

    Raises:
        MolfoundError: a manifest that is no longer there.
    """
    members = ensemble_members(run.path)
    owner = RunFolder(members[0]) if members else run  # whose features, encodings and tasks are those of the ensemble
    specification = load_specification(owner.path)
    records = tuple(replace(record, origin=Path(record.origin).name) for record in specification.plugins)
    portable = specification.model_copy(update={"plugins": records})
    files = {run.specification.name: (portable.model_dump_json(indent=1) + "\n").encode()}
    if not run.config.is_file():
        return files
    config = read_mapping(run.config)
    manifests = {
        name: dataset["manifest"]
        for name, dataset in config["data"]["datasets"].items()
        if dataset["manifest"].endswith(SUFFIXES)
    }
    for name, path in manifests.items():
        files[f"{MANIFESTS}/{name}.yaml"] = write_text(_portable_manifest(read_mapping(run.path / path))).encode()
    plugins = [(owner.plugins / record.copy).relative_to(run.path).as_posix() for record in records]
    files[run.config.name] = write_text(_portable_configuration(config, plugins, manifests)).encode()
    return files


def _portable_configuration(config: Mapping[str, Any], plugins: list[str], manifests: Mapping[str, str]) -> Any:
    data = {key: value for key, value in config["data"].items() if key not in ("root", "store", "processes")}
    data["datasets"] = {
        name: {**dataset, "split": _portable_split(dataset.get("split"))}
        | ({"manifest": f"{MANIFESTS}/{name}.yaml"} if name in manifests else {})
        for name, dataset in data["datasets"].items()
    }
    training = dict(config.get("training", {}))
    if training.get("pretrained"):
        name = training["pretrained"]["run"]
        # A path is of this machine, and an address is everyone's.
        training["pretrained"] = {**training["pretrained"], "run": name if "://" in name else Path(name).name}
    run = {key: value for key, value in config.get("run", {}).items() if key != "folder"}
    return {**config, "plugins": plugins, "data": data, "training": training, "run": run}


def _portable_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    files = [{**file, "name": _without_folder(file["name"])} for file in manifest.get("files", [])]
    splits = {name: _portable_split(split) for name, split in manifest.get("splits", {}).items()}
    return {**manifest, **({"files": files} if files else {}), **({"splits": splits} if splits else {})}


def _portable_split(split: Any) -> Any:
    """Return a split, or the name of one, without the folder of its file."""
    if not isinstance(split, Mapping) or "file" not in split:
        return split
    return {**split, "file": _without_folder(split["file"])}


def _without_folder(file: str) -> str:
    return Path(file).name if Path(file).is_absolute() else file
