"""`molfound doctor`."""

import json
import os
import platform
import re
import time
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from molfound import __version__
from molfound.errors import MolfoundError

OPTIONAL = {
    "tensorboard": "pip install 'molfound[track]'",
    "huggingface-hub": "pip install 'molfound[hub]'",
    "optuna": "pip install 'molfound[sweep]'",
    "ray": "pip install 'molfound[ray]'",
}
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


@click.command("doctor")
@click.option("--data", "root", type=click.Path(path_type=Path), help="Data folder; default: $MOLFOUND_DATA, or data.")
@click.option(
    "--store", type=click.Path(path_type=Path), default=Path("stores"), show_default=True, help="Store folder."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(root: Path | None, store: Path, as_json: bool) -> None:
    """Show versions, devices and what is missing, and test the installation in a few seconds."""
    required = required_packages()
    versions = {name: _version(name) for name in (*required, *OPTIONAL)}
    missing = [name for name in required if versions[name] is None]
    report: dict[str, Any] = {
        "molfound": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions,
        "missing": missing,
    }
    if not missing:
        report |= {"devices": _devices(), "folders": _folders(root, store), "models": _models()}
        report["self_test"] = _self_test()
    click.echo(json.dumps(report, indent=2) if as_json else "\n".join(_lines(report)))
    if missing:
        raise MolfoundError(f"missing: {', '.join(missing)}; install molfound with its dependencies")


def required_packages() -> list[str]:
    """Return the packages that molfound depends on: as it was installed, or as a checkout's pyproject.toml says."""
    try:
        requirements = metadata.requires("molfound") or []
    except metadata.PackageNotFoundError:
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
        requirements = project["project"]["dependencies"]
    return [re.split(r"[^A-Za-z0-9._-]", text)[0] for text in requirements if "extra ==" not in text]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> list[str]:
    import torch

    names = [f"cpu: {os.cpu_count()} cores, {torch.get_num_threads()} torch threads"]
    names += [f"cuda:{n}: {torch.cuda.get_device_name(n)}" for n in range(torch.cuda.device_count())]
    return [*names, "mps"] if torch.backends.mps.is_available() else names


def _folders(root: Path | None, store: Path) -> dict[str, str]:
    """Return what the data and the store folder hold; a dataset is complete with its table and its default split."""
    from molfound.config.locations import data_folder
    from molfound.data.manifest import find_files, list_manifests, load_manifest

    root = root or Path(data_folder())
    ready = []
    for name in list_manifests():
        manifest = load_manifest(name, by_name=True)
        split = manifest.split_files.get(next(iter(manifest.splits)))
        needed = [*manifest.files, *([split] if split is not None else [])]
        ready += [name] if all(find_files(file.name, manifest.folders(root)) for file in needed) else []
    stores = sorted(path.parent.name for path in store.glob("*/store.json"))
    return {
        "data": f"{root}: {'present' if root.is_dir() else 'absent'}; complete: {', '.join(ready) or 'none'}",
        "stores": f"{store}: {'present' if store.is_dir() else 'absent'}; prepared: {', '.join(stores) or 'none'}",
    }


def _models() -> list[str]:
    from molfound.runs import packaged_models

    return list(packaged_models())


def _self_test() -> dict[str, Any]:
    """Featurize and encode a molecule, and take a small model forward and backward on it, on each kind of device."""
    import numpy as np
    import torch

    from molfound.config import Experiment
    from molfound.data.collection import GraphCollection
    from molfound.inference import Predictor
    from molfound.model import MolecularModel, specify
    from molfound.tasks.resolve import make_task

    started = time.perf_counter()
    experiment = Experiment.model_validate(
        {
            "name": "self-test",
            "data": {"datasets": {"input": {"manifest": "none"}}},
            "model": {"encoder": {"name": "gnn", "layer": "gine", "depth": 2, "width": 16}},
            "tasks": {"test": {"dataset": "input"}},
        }
    )
    model = MolecularModel(specify(experiment, {"test": make_task("test", "input", "graph", "regression", ["y"])}))
    arrays, _ = Predictor(model).featurize([ASPIRIN])
    batch = GraphCollection({"input": arrays}).batch(np.arange(1))
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    for device in devices:
        model.to(device)(batch.to(torch.device(device)))["test"].sum().backward()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        if batch.node_codes.shape[0] != 13 or not gradients or not all(bool(g.isfinite().all()) for g in gradients):
            raise RuntimeError(
                f"the self-test on {device} gave {batch.node_codes.shape[0]} atoms, gradients {gradients}"
            )
    return {"devices": devices, "atoms": len(batch.node_codes), "seconds": round(time.perf_counter() - started, 2)}


def _lines(report: dict[str, Any]) -> list[str]:
    lines = [f"molfound {report['molfound']}, Python {report['python']}, {report['platform']}"]
    for name, version in report["versions"].items():
        lacking = f"not installed ({OPTIONAL[name]})" if name in OPTIONAL else "MISSING"
        lines.append(f"  {name:<16} {version or lacking}")
    lines += [f"device {name}" for name in report.get("devices", [])]
    lines += [f"{kind}: {state}" for kind, state in report.get("folders", {}).items()]
    if "models" in report:
        lines.append(f"models that come with molfound: {', '.join(report['models'])}")
    if "self_test" in report:
        test = report["self_test"]
        on = " and ".join(test["devices"])
        lines.append(f"self-test: {test['atoms']} atoms through a model and back on {on} in {test['seconds']} s: fine")
    return lines
