"""Sparse Morgan counts against RDKit's dense ones and its record of which atom an environment has as its centre."""

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from molfound.chem.fingerprints import atom_counts, molecule_counts

SMILES = ["CCO", "C", "CC(=O)Oc1ccccc1C(=O)O", "[Na+].[Cl-]", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C"]


def test_molecule_counts():
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    expected = [generator.GetCountFingerprintAsNumPy(Chem.MolFromSmiles(smiles)) for smiles in SMILES]
    counts = molecule_counts(SMILES)
    assert counts.dtype == np.float32
    np.testing.assert_array_equal(counts.toarray(), expected)
    assert molecule_counts([]).shape == (0, 2048)


def test_atom_counts():
    size = 1024
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=size, includeRedundantEnvironments=True)
    rows = []
    for smiles in SMILES:
        molecule = Chem.MolFromSmiles(smiles)
        output = rdFingerprintGenerator.AdditionalOutput()
        output.AllocateBitInfoMap()
        generator.GetCountFingerprint(molecule, additionalOutput=output)
        counts = np.zeros((molecule.GetNumAtoms(), size), np.float32)
        for column, environments in output.GetBitInfoMap().items():
            for atom, _ in environments:
                counts[atom, column] += 1
        rows.append(counts)
    np.testing.assert_array_equal(atom_counts(SMILES).toarray(), np.concatenate(rows))


def test_what_does_not_parse_is_a_defect_of_the_caller():
    with pytest.raises(ValueError, match="invalid_smiles"):
        molecule_counts(["CC", "C1CC"])


def test_a_molecule_of_any_size_is_counted():
    assert atom_counts(["C" * 1001]).shape[0] == 1001
    assert molecule_counts(["C" * 1001]).sum() == 1001 * 3 - 2
