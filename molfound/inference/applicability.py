"""Whether a molecule is like those that a run has learned from: columns of a table of predictions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from molfound.chem.similarity import KnownMolecules
from molfound.errors import MolfoundError
from molfound.inference.molecules import MoleculeRows

FILE = "known_molecules.npz"


def load_known_molecules(folder: Path) -> KnownMolecules | None:
    """Return what a run folder keeps of its training molecules, or None where it keeps nothing.

    Raises:
        MolfoundError: the file is another.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return KnownMolecules.from_bytes(path.read_bytes())
    except MolfoundError as error:
        raise MolfoundError(f"{path}: {error}") from None


def with_applicability(
    table: Callable[[MoleculeRows], pa.Table], known: KnownMolecules | None
) -> Callable[[MoleculeRows], pa.Table]:
    """Return what makes the same tables with the columns ``similarity`` and ``applicable``, before ``rejected``.

    Raises:
        MolfoundError: the run keeps no training molecules.
    """
    if known is None:
        raise MolfoundError(
            f"the run keeps no {FILE}, the training molecules to compare with, which a training with a validation part "
            "writes: applicability cannot be told (of an ensemble of folds, ask a member: members/1 in its folder)"
        )

    def added(rows: MoleculeRows) -> pa.Table:
        made = table(rows)
        similarity = known.nearest(rows.read)
        rejected = made["rejected"].is_valid().to_numpy() | np.isnan(similarity)
        columns = {"similarity": similarity, "applicable": similarity >= known.threshold}
        for name, values in columns.items():
            made = made.add_column(made.num_columns - 1, name, pa.array(values, mask=rejected))
        return made

    return added
