"""Molecules to predict from, as the graphs, encodings and coordinates that a model reads."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from molfound.chem.conformers import ConformerProblem
from molfound.chem.graphs import featurize_smiles
from molfound.chem.parsing import Rejection
from molfound.data.arrays import GraphArrays
from molfound.data.coordinates import CoordinateArrays
from molfound.encodings import compute_encoding
from molfound.errors import MolfoundError
from molfound.inference.conformers import coordinates_to_predict_from
from molfound.model import ModelSpecification


def featurized(
    specification: ModelSpecification, smiles: Sequence[object], conformers: int | None = None
) -> tuple[GraphArrays, list[tuple[int, Rejection]], list[tuple[int, ConformerProblem]]]:
    """Return the graphs of molecules with a model's features and encodings, and what was wrong with which.

    See `molfound.inference.predictor.Predictor.featurize` for the coordinates that they have.

    Args:
        specification: of the model.
        smiles: SMILES of any number of molecules, RDKit molecules, or what is neither.
        conformers: how many to make per molecule; None: as many as the training had.

    Returns:
        The graphs of those that are molecules, their rows being positions in `smiles`; position and reason of each of
        the others; and where the model reads coordinates, position and reason of each molecule that has none.
    """
    block, kept, rejections = featurize_smiles(
        smiles, specification.atom_features, specification.bond_features, specification.max_heavy_atoms
    )
    encodings: dict[str, np.ndarray] = {}
    for name, options in specification.encodings.items():
        encodings |= compute_encoding(name, block, options)
    coordinates, problems = _coordinates(specification, [smiles[position] for position in kept.tolist()], conformers)
    arrays = GraphArrays(block, kept, pa.array([], pa.string()), encodings=encodings, coordinates=coordinates)
    return arrays, rejections, [(int(kept[place]), problem) for place, problem in problems.items()]


def check_averaging(specification: ModelSpecification, conformers: int) -> None:
    """Raise `MolfoundError` unless predictions of a model can be averaged over so many conformers of each molecule."""
    config = specification.conformers
    if config is None or config.source == "drawn":
        raise MolfoundError("the model reads no conformers: there is nothing to average over")
    if conformers < 1:
        raise MolfoundError(f"at least one conformer is needed, not {conformers}")


def _coordinates(
    specification: ModelSpecification, smiles: list[object], count: int | None
) -> tuple[CoordinateArrays | None, Mapping[int, ConformerProblem]]:
    config = specification.conformers
    if config is None:
        return None, {}
    config = config if count is None else config.model_copy(update={"count": count})
    return coordinates_to_predict_from(smiles, config, specification.max_heavy_atoms)
