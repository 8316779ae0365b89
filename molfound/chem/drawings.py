"""Coordinates in the plane: where a molecule's atoms lie when RDKit draws it."""

from collections.abc import Iterable

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDepictor

from molfound.chem.conformers import ConformerBlock, ConformerProblem, Conformers, canonical_numbering, coincident
from molfound.chem.parsing import Rejection, parse_aloud, silenced_rdkit

DRAWING_VERSION = "1"
"""Part of the key of stored drawings: to be raised when the same molecule yields other coordinates than before."""


def drawings_of_smiles(smiles: Iterable[object], *, max_heavy_atoms: int = 1000) -> ConformerBlock:
    """Return the drawings of many molecules, one conformer each.

    Args:
        smiles: what a table's cells hold; atoms keep their order (see `parse`).
        max_heavy_atoms: the largest molecule that counts as one at all.

    Example:
        >>> drawings_of_smiles(["CCO", "C("])
        ConformerBlock(2 molecules, 1 conformers, 1 without)
    """
    with silenced_rdkit():
        parsed = (parse_aloud(text, max_heavy_atoms) for text in smiles)
        return ConformerBlock.of(
            [
                ConformerProblem("no_molecule", found.reason) if isinstance(found, Rejection) else draw(found)
                for found in parsed
            ]
        )


def draw(molecule: Chem.Mol) -> Conformers | ConformerProblem:
    """Return the coordinates of a sanitized molecule's drawing, z being 0, centred on the mean of its atoms, in Å.

    They depend on the molecule alone, not on the order of its atoms. Bonds are 1.5 Å long.

    Example:
        >>> drawn = draw(Chem.MolFromSmiles("CCO"))
        >>> drawn
        Conformers(1 of 3 atoms, drawn)
        >>> np.linalg.norm(drawn.coordinates[0, 0] - drawn.coordinates[0, 1]).round(2), drawn.coordinates[0, :, 2]
        (np.float32(1.5), array([0., 0., 0.], dtype=float32))
    """
    _, canonical, places = canonical_numbering(molecule)
    number = rdDepictor.Compute2DCoords(canonical, canonOrient=True)
    positions = canonical.GetConformer(number).GetPositions()[places]
    if coincident(positions):
        return ConformerProblem("coordinates_coincide", "in the drawing")
    centred = positions - positions.mean(0)
    return Conformers(centred[None].astype(np.float32), np.full(1, np.nan, np.float32), np.ones(1, np.bool_), "drawn")
