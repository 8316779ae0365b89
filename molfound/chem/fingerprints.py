"""Morgan counts of molecules and of single atoms, as sparse matrices: the input of the forest baselines."""

import sys
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from scipy.sparse import csr_matrix

from molfound.chem.parsing import Rejection, parse


def molecule_counts(smiles: Sequence[str], *, radius: int = 2, size: int = 2048) -> csr_matrix:
    """Return how often each circular environment occurs in each molecule, float32 [G, size] (Rogers & Hahn 2010).

    Args:
        smiles: G accepted SMILES; one that does not parse raises `ValueError`.
        radius: largest radius of an environment, in bonds.
        size: environments are hashed to so many columns.

    Example:
        >>> molecule_counts(["CCO", "C"]).sum(1).ravel().tolist()
        [[6.0, 1.0]]
    """
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=size)
    counts = (generator.GetCountFingerprint(molecule).GetNonzeroElements() for molecule in _molecules(smiles))
    return _csr(((list(found), list(found.values())) for found in counts), size)


def atom_counts(smiles: Sequence[str], *, radius: int = 2, size: int = 1024) -> csr_matrix:
    """Return which circular environments each atom is the centre of, float32 [N, size], atoms in SMILES order.

    An atom has one environment of each radius, 0 to `radius`, a lone one that of radius 0 only. Arguments are those of
    `molecule_counts`.

    Example:
        >>> atom_counts(["CCO", "C"]).sum(1).ravel().tolist()
        [[3.0, 3.0, 3.0, 1.0]]
    """
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=size, includeRedundantEnvironments=True)
    return _csr(_atom_environments(generator, smiles), size)


def _atom_environments(
    generator: rdFingerprintGenerator.FingerprintGenerator64, smiles: Sequence[str]
) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    output = rdFingerprintGenerator.AdditionalOutput()
    output.AllocateAtomToBits()
    for molecule in _molecules(smiles):
        generator.GetCountFingerprint(molecule, additionalOutput=output)
        yield from ((environments, [1] * len(environments)) for environments in output.GetAtomToBits())


def _molecules(smiles: Iterable[str]) -> Iterator[Chem.Mol]:
    for text in smiles:
        # What was accepted is not judged again by its size.
        molecule = parse(text, max_heavy_atoms=sys.maxsize)
        if isinstance(molecule, Rejection):
            raise ValueError(f"{text!r} is no accepted SMILES: {molecule.reason}")
        yield molecule


def _csr(rows: Iterable[tuple[Sequence[int], Sequence[int]]], size: int) -> csr_matrix:
    columns: list[int] = []
    counts: list[int] = []
    ends = [0]
    for row_columns, row_counts in rows:
        columns.extend(row_columns)
        counts.extend(row_counts)
        ends.append(len(columns))
    matrix = csr_matrix(
        (np.array(counts, np.float32), np.array(columns, np.int32), np.array(ends)), (len(ends) - 1, size)
    )
    matrix.sum_duplicates()
    return matrix
