"""Which molecules a model was trained on, in the few numbers that a run keeps: how many, how large, which elements."""

from typing import Any

import numpy as np

from molfound.data.mixture import Mixture
from molfound.model import ModelSpecification

MOLECULES_AT_ONCE = 4096
ELEMENTS = "atomic_number"
"""The feature that tells an atom's element."""


def seen_molecules(mixture: Mixture, specification: ModelSpecification) -> dict[str, dict[str, Any]]:
    """Return what ``seen.json`` keeps of the training molecules of each dataset that is in memory.

    A dataset that is read block by block is left out, for it would have to be read once more.

    Returns:
        By dataset: ``molecules``, their number; ``atoms``, the numbers of atoms (nodes) of the ``smallest``, a
        ``median`` and the ``largest`` one; ``elements``, how many molecules have an atom of each atomic number, as
        text (``other``: none that the model tells apart), the most frequent first; None where it reads no elements.
    """
    return {
        name: _seen(mixture, name, specification)
        for name in mixture.parts
        if name not in mixture.block_ptr and len(mixture.positions("train", name))
    }


def _seen(mixture: Mixture, name: str, specification: ModelSpecification) -> dict[str, Any]:
    positions = mixture.positions("train", name)
    column = specification.atom_features.index(ELEMENTS) if ELEMENTS in specification.atom_features else None
    sizes, having = [], np.zeros(256, np.int64)
    for chunk in np.array_split(positions, -(-len(positions) // MOLECULES_AT_ONCE)):
        batch = mixture.collection.batch(chunk)
        sizes.append(batch.node_ptr.diff().numpy())
        if column is not None:
            present = np.unique(256 * batch.node_graph.numpy() + batch.node_codes[:, column].numpy())
            having += np.bincount(present % 256, minlength=256)
    of_all = np.concatenate(sizes)
    return {
        "molecules": len(positions),
        "atoms": {
            "smallest": int(of_all.min()),
            "median": int(np.median(of_all)),
            "largest": int(of_all.max()),
        },
        "elements": None if column is None else _named(having, specification.atoms[column].values),
    }


def _named(having: np.ndarray, values: tuple[object, ...]) -> dict[str, int]:
    names = [*map(str, values), "other"]
    return {names[code]: int(having[code]) for code in np.argsort(-having, kind="stable") if having[code]}
