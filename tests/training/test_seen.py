"""What a run keeps of its training molecules, against RDKit's own count."""

from collections import Counter

import pytest
from rdkit import Chem

from molfound.model import specify
from molfound.training import seen
from molfound.training.mixture import load_task_mixture
from molfound.training.seen import seen_molecules
from tests.training.conftest import SMILES, MakeExperiment


def test_counts_are_those_of_the_training_molecules(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen, "MOLECULES_AT_ONCE", 7)
    made = experiment()
    mixture = load_task_mixture(made, None)
    told = seen_molecules(mixture.graphs, specify(made, mixture.tasks))
    assert set(told) == {"props", "atoms"}
    for name, of_dataset in told.items():
        first = mixture.graphs.collection.ranges[name][0]
        rows = mixture.graphs.positions("train", name) - first
        molecules = [Chem.MolFromSmiles(SMILES[row]) for row in rows]
        sizes = sorted(molecule.GetNumAtoms() for molecule in molecules)
        assert of_dataset["molecules"] == len(rows)
        assert (of_dataset["atoms"]["smallest"], of_dataset["atoms"]["largest"]) == (sizes[0], sizes[-1])
        having = Counter(str(z) for mol in molecules for z in {atom.GetAtomicNum() for atom in mol.GetAtoms()})
        assert of_dataset["elements"] == dict(having)
        assert list(of_dataset["elements"].values()) == sorted(having.values(), reverse=True)


def test_without_the_feature_no_elements_are_known(experiment: MakeExperiment) -> None:
    made = experiment("features.atoms=[degree]")
    mixture = load_task_mixture(made, None)
    assert seen_molecules(mixture.graphs, specify(made, mixture.tasks))["props"]["elements"] is None
