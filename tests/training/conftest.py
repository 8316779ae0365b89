"""A small mixture of two datasets, at graph and node level, and experiments on it that train in seconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from rdkit import Chem
from rdkit.Chem import Crippen, rdMolDescriptors

from molfound.config import Experiment, load_config

CORES = ["c1ccccc1{}", "C1CCCCC1{}", "c1ccncc1{}", "CC({})C", "O=C({})N"]
GROUPS = ["O", "N", "Cl", "C#N", "C(=O)O", "OC", "CC", "S", "Br", "C(F)(F)F", "NC", "[N+](=O)[O-]"]
SMILES = [core.format(group) for core in CORES for group in GROUPS]


def write_datasets(folder: Path) -> None:
    """Write two datasets with manifests: `props` (graph, two labels, one sparse; weights) and `atoms` (node level)."""
    molecules = [Chem.MolFromSmiles(text) for text in SMILES]
    logp = [Crippen.MolLogP(mol) for mol in molecules]
    tpsa = [None if i % 3 == 0 else rdMolDescriptors.CalcTPSA(mol) for i, mol in enumerate(molecules)]
    acid = [float(mol.HasSubstructMatch(Chem.MolFromSmarts("[OX2H1]"))) for mol in molecules]
    weights = np.linspace(0.5, 1.5, len(SMILES))
    pq.write_table(
        pa.table({"smiles": SMILES, "logp": logp, "tpsa": tpsa, "acid": acid, "weight": weights}),
        folder / "props.parquet",
    )
    neighbours = [[float(atom.GetDegree()) for atom in mol.GetAtoms()] for mol in molecules[:30]]
    pq.write_table(pa.table({"smiles": SMILES[:30], "neighbours": neighbours}), folder / "atoms.parquet")
    common = {"title": "t", "licence": "CC0-1.0", "citation": "c", "source": "s", "smiles": "smiles"}
    split = {"splits": {"random": {"kind": "random", "fractions": [0.7, 0.15, 0.15], "seed": 1}}}
    props = {
        "logp": {"level": "graph", "kind": "regression", "labels": ["logp", "tpsa"]},
        "acid": {"level": "graph", "kind": "binary", "labels": ["acid"]},
    }
    atoms = {"neighbours": {"level": "node", "kind": "regression", "labels": ["neighbours"]}}
    for name, tasks, extra in (("props", props, {"weight": "weight"}), ("atoms", atoms, {})):
        manifest = {**common, **split, **extra, "name": name, "files": [{"name": f"{name}.parquet"}], "tasks": tasks}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(manifest))


def write_experiment(folder: Path) -> Path:
    """Write an experiment on both datasets, with all that a resumed training must restore."""
    experiment = {
        "name": "tiny",
        "data": {
            "root": str(folder),
            "store": str(folder / "stores"),
            "processes": 1,
            "datasets": {
                "props": {"manifest": str(folder / "props.yaml")},
                "atoms": {"manifest": str(folder / "atoms.yaml"), "share": 0.5},
            },
            "batch": {"size": 10},
        },
        "encodings": {"laplacian": {"pairs": 3}, "random_walk": {"steps": 4}},
        "model": {
            "inputs": {
                "width": 8,
                "dropout": 0.1,
                "encodings": {"laplacian": {"name": "deepset", "width": 4}, "random_walk": {"name": "mlp", "width": 4}},
            },
            "encoder": {"name": "gnn", "layer": "gine", "depth": 2, "width": 8, "dropout": 0.1},
        },
        "tasks": {
            "logp": {"dataset": "props", "head": {"name": "mlp", "hidden": [8]}},
            "acid": {"dataset": "props", "head": "linear", "weight": 0.5},
            "neighbours": {"dataset": "atoms", "head": "linear"},
        },
        "training": {"epochs": 3, "threads": 1, "average": 0.9, "accelerator": "cpu"},
        "run": {"folder": str(folder / "run")},
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(experiment))
    return path


MakeExperiment = Callable[..., Experiment]


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the datasets, their manifests and the experiment."""
    folder = tmp_path_factory.mktemp("mixture")
    write_datasets(folder)
    write_experiment(folder)
    return folder


@pytest.fixture
def experiment(data_folder: Path, tmp_path: Path) -> MakeExperiment:
    """Return a function that makes the experiment with overrides, its run folder the test's own."""
    torch.set_num_threads(1)

    def make(*overrides: str, run: str = "run", **_: Any) -> Experiment:
        return load_config(data_folder / "tiny.yaml", [f"run.folder={tmp_path / run}", *overrides])

    return make
