"""Coordinates made for prediction, and predictions averaged over conformers."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from molfound.chem.conformers import ConformerOptions, conformers_of_smiles
from molfound.chem.drawings import drawings_of_smiles
from molfound.config.schema import ConformersConfig
from molfound.data.arrays import GraphArrays
from molfound.data.batch import GraphBatch
from molfound.data.coordinates import CoordinateArrays, coordinate_arrays, coordinates_table


def made_coordinates(smiles: Sequence[str], config: ConformersConfig, max_heavy_atoms: int) -> CoordinateArrays:
    """Return coordinates of molecules as a training made them, or, where it was given some, as it would have made them.

    Args:
        smiles: of G molecules that can be read.
        config: of the training's coordinates.
        max_heavy_atoms: the largest molecule.
    """
    if config.source == "drawn":
        found = drawings_of_smiles(smiles, max_heavy_atoms=max_heavy_atoms)
    else:
        options = ConformerOptions(**config.model_dump(exclude={"source", "hang_seconds", "drawn"}))
        found = conformers_of_smiles(smiles, options, max_heavy_atoms=max_heavy_atoms, hang_seconds=config.hang_seconds)
    return coordinate_arrays(coordinates_table(np.arange(len(smiles)), found))


def mean_predictions(
    predicted: Sequence[Mapping[str, Tensor]], batch: GraphBatch, arrays: GraphArrays, levels: Mapping[str, str]
) -> dict[str, Tensor]:
    """Return the mean of the predictions for the conformers that each molecule has, on the CPU.

    Args:
        predicted: by number of the conformer, of the tasks ``[R, L]`` or ``[R, L, classes]``; those for a number that a
            molecule has no conformer of do not count.
        batch: the molecules.
        arrays: where they come from.
        levels: of the tasks.
    """
    if len(predicted) == 1 or arrays.coordinates is None:
        return {name: values.cpu() for name, values in predicted[0].items()}
    counts = torch.from_numpy(arrays.coordinates.conformers[np.searchsorted(arrays.rows, batch.rows.numpy())])
    # A molecule without conformers is predicted from its graph, each time alike.
    used = torch.arange(len(predicted))[:, None] < counts.clamp(min=1)
    mean = {}
    for name in predicted[0]:
        values = torch.stack([each[name].cpu() for each in predicted])
        shares = (used / used.sum(0)).to(values.dtype)
        rows = shares.repeat_interleave(batch.item_ptr(levels[name]).diff(), dim=1)
        mean[name] = (values * rows.view(*rows.shape, *(1,) * (values.ndim - 2))).sum(0)
    return mean
