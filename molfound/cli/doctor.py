"""`molfound doctor`."""

import json
import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from molfound import __version__
from molfound.errors import MolfoundError

REQUIRED = (
    "torch",
    "torch-geometric",
    "lightning",
    "torchmetrics",
    "rdkit",
    "datamol",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "pydantic",
    "omegaconf",
    "safetensors",
    "rich",
)
OPTIONAL = {"tensorboard": "pip install 'molfound[track]'"}
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


@click.command("doctor")
@click.option("--data", "root", type=click.Path(path_type=Path), help="Data folder; default: $MOLFOUND_DATA, or data.")
@click.option(
    "--store", type=click.Path(path_type=Path), default=Path("stores"), show_default=True, help="Store folder."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(root: Path | None, store: Path, as_json: bool) -> None:
    """Show versions, devices and what is missing, and test the installation in a few seconds."""
    root = root or Path(os.environ.get("MOLFOUND_DATA", "data"))
    versions = {name: _version(name) for name in (*REQUIRED, *OPTIONAL)}
    missing = [name for name in REQUIRED if versions[name] is None]
    report: dict[str, Any] = {
        "molfound": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions,
        "missing": missing,
    }
    if not missing:
        report |= {"devices": _devices(), "folders": _folders(root, store), "self_test": _self_test()}
    click.echo(json.dumps(report, indent=2) if as_json else "\n".join(_lines(report)))
    if missing:
        raise MolfoundError(f"missing: {', '.join(missing)}; install molfound with its dependencies")


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


def _folders(root: Path, store: Path) -> dict[str, str]:
    """Return what the data and the store folder hold."""
    from molfound.data.manifest import list_manifests, load_manifest

    ready = []
    for name in list_manifests():
        manifest = load_manifest(name)
        found = [any(any(folder.glob(file.name)) for folder in manifest.folders(root)) for file in manifest.files]
        ready += [name] if all(found) else []
    stores = sorted(path.parent.name for path in store.glob("*/store.json"))
    return {
        "data": f"{root}: {'present' if root.is_dir() else 'absent'}; complete: {', '.join(ready) or 'none'}",
        "stores": f"{store}: {'present' if store.is_dir() else 'absent'}; prepared: {', '.join(stores) or 'none'}",
    }


def _self_test() -> dict[str, Any]:
    """Featurize a molecule, compute its encodings, and take one step of a small network on it."""
    import torch

    from molfound.chem.graphs import featurize_smiles
    from molfound.config.schema import DEFAULT_ENCODINGS, FeaturesConfig
    from molfound.encodings import compute_encoding

    started = time.perf_counter()
    features = FeaturesConfig()
    block, kept, _ = featurize_smiles([ASPIRIN], features.atoms, features.bonds)
    parts = [compute_encoding(name, block, options) for name, options in DEFAULT_ENCODINGS.items()]
    codes = torch.from_numpy(block.node_codes).float()
    network = torch.nn.Sequential(torch.nn.Linear(codes.shape[1], 16), torch.nn.GELU(), torch.nn.Linear(16, 1))
    network(codes).square().mean().backward()
    finite = all(bool(p.grad is not None and p.grad.isfinite().all()) for p in network.parameters())
    if len(kept) != 1 or block.node_count != 13 or not finite:
        raise RuntimeError(f"the self-test gave {block!r}, finite gradients: {finite}")
    return {
        "atoms": block.node_count,
        "encodings": [part for group in parts for part in group],
        "seconds": round(time.perf_counter() - started, 2),
    }


def _lines(report: dict[str, Any]) -> list[str]:
    lines = [f"molfound {report['molfound']}, Python {report['python']}, {report['platform']}"]
    for name, version in report["versions"].items():
        lacking = f"not installed ({OPTIONAL[name]})" if name in OPTIONAL else "MISSING"
        lines.append(f"  {name:<16} {version or lacking}")
    lines += [f"device {name}" for name in report.get("devices", [])]
    lines += [f"{kind}: {state}" for kind, state in report.get("folders", {}).items()]
    if "self_test" in report:
        test = report["self_test"]
        lines.append(
            f"self-test: {test['atoms']} atoms featurized and encoded, one step taken in {test['seconds']} s: fine"
        )
    return lines
