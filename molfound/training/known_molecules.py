"""What a run keeps of its training molecules, so that it can tell which others are unlike them."""

from dataclasses import replace

import numpy as np

from molfound.chem.similarity import KnownMolecules
from molfound.data.mixture import Mixture

MOST_KNOWN = 10_000
"""Training molecules that are kept, drawn at random where there are more: a millisecond a prediction."""
MOST_COMPARED = 1_000
"""Validation molecules that the threshold is made of."""
UNLIKE = 0.05
"""The share of the validation molecules that are said to be unlike the training molecules."""


def known_molecules(graphs: Mixture, seed: int) -> KnownMolecules | None:
    """Return the training molecules of all datasets, or a sample of them, and what is unlike them.

    That is whatever is less similar to its nearest neighbour among them than 95 % of the validation part is.

    Args:
        graphs: the molecules, in their parts.
        seed: of the sample.

    Returns:
        The molecules, or None where there is no validation part to say so.
    """
    compared = _sample(graphs, "val", MOST_COMPARED, seed)
    if not compared:
        return None
    known = KnownMolecules.of(_sample(graphs, "train", MOST_KNOWN, seed))
    return replace(known, threshold=float(np.nanquantile(known.nearest(compared), UNLIKE)))


def _sample(graphs: Mixture, part: str, most: int, seed: int) -> list[str]:
    """Return the SMILES of the molecules of a part, or of so many of them."""
    positions = graphs.positions(part)
    if len(positions) > most:
        positions = np.sort(np.random.default_rng(seed).choice(positions, most, replace=False))
    smiles: list[str] = []
    for dataset, (first, last) in graphs.collection.ranges.items():
        own = positions[(positions >= first) & (positions < last)]
        smiles += graphs.smiles[dataset].take(own - first).to_pylist()
    return smiles
