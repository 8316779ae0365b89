"""Small datasets on the disk, and their preparation."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from molfound.config.schema import DataConfig, FeaturesConfig
from molfound.data.manifest import Manifest
from molfound.data.preparation_report import PreparationReport
from molfound.data.prepare import prepare_dataset

FEATURES = FeaturesConfig(atoms=("atomic_number", "charge", "degree"), bonds=("bond_type", "bond_in_ring"))
ENCODINGS: dict[str, dict[str, Any]] = {"laplacian": {"pairs": 3}, "random_walk": {"steps": 4}}
SMILES = [
    "CCO",
    "c1ccccc1O",
    "[Na+].[Cl-]",
    "C",
    "CC(=O)Nc1ccc(O)cc1",
    "C1CC2CCC1CC2",
    "OC[C@H](N)C(=O)O",
    "FC(F)(F)c1ccncc1",
    "N#Cc1ccsc1",
    "CCCCCCCC",
]


def manifest_of(files: Sequence[str], **changes: Any) -> Manifest:
    """Return a manifest of these files; by default two regression labels of whole molecules."""
    content: dict[str, Any] = {
        "name": "small",
        "title": "A small set",
        "licence": "CC0-1.0",
        "citation": "none",
        "source": "nowhere",
        "files": [{"name": name, "url": f"https://example.org/{name}"} for name in files],
        "smiles": "smiles",
        "tasks": {"task": {"level": "graph", "kind": "regression", "labels": ["a", "b"]}},
        "splits": {"random": {"kind": "random"}},
    }
    return Manifest.model_validate(content | changes)


def write_csv(path: Path, columns: Mapping[str, Sequence[object]]) -> Path:
    """Write a CSV file, compressed if its name says so; None is an empty cell."""
    lines = [",".join(columns)]
    for row in zip(*columns.values(), strict=True):
        cells = ["" if cell is None else str(cell) for cell in row]
        lines.append(",".join(json.dumps(cell) if "," in cell else cell for cell in cells))
    text = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    return path


def data_config(**changes: Any) -> DataConfig:
    """Return a data configuration of few rows per shard, in one process."""
    values = {"datasets": {"small": {"manifest": "small"}}, "block_rows": 4, "processes": 1, "max_rejected": 1.0}
    return DataConfig.model_validate(values | changes)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file of a store, by its path; locks and the generated source aside."""
    files = (
        path for path in folder.rglob("*") if path.is_file() and path.name != ".lock" and "source" not in path.parts
    )
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


Prepare = Callable[..., PreparationReport]


@pytest.fixture
def prepare(tmp_path: Path) -> Prepare:
    """Return a function that prepares a manifest whose files are in the test's folder."""

    def run(manifest: Manifest, store: str = "stores", **changes: Any) -> PreparationReport:
        chosen = {"tasks": manifest.tasks, "features": FEATURES, "encodings": ENCODINGS, "data": data_config()}
        arguments: dict[str, Any] = chosen | {"progress": False} | changes
        return prepare_dataset(manifest, **arguments, root=tmp_path, store=tmp_path / store)

    return run


@pytest.fixture
def small(tmp_path: Path) -> Manifest:
    """Return the manifest of ten molecules with two labels, some of them missing, written into the test's folder."""
    a = [None if i % 4 == 3 else i / 2 for i in range(len(SMILES))]
    b = [-i for i in range(len(SMILES))]
    write_csv(tmp_path / "small.csv", {"smiles": SMILES, "a": a, "b": b})
    return manifest_of(["small.csv"])
