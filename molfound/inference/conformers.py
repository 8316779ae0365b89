"""Coordinates made for prediction, and predictions averaged over conformers."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from rdkit import Chem
from torch import Tensor

from molfound.chem.conformers import (
    ConformerBlock,
    ConformerOptions,
    ConformerProblem,
    Conformers,
    conformers_of_smiles,
)
from molfound.chem.drawings import drawings_of_smiles
from molfound.chem.given_coordinates import cxsmiles_coordinates, listed_coordinates
from molfound.chem.graphs import LARGEST_GRAPH
from molfound.chem.parsing import Rejection, parse
from molfound.config.schema import ConformersConfig
from molfound.data.arrays import GraphArrays
from molfound.data.batch import GraphBatch
from molfound.data.coordinates import CoordinateArrays, coordinate_arrays, coordinates_table

NONE = ("coordinates_missing", "coordinates_flat")  # problems of molecules that bring no place in space along


def coordinates_to_predict_from(
    smiles: Sequence[object], config: ConformersConfig, max_heavy_atoms: int
) -> tuple[CoordinateArrays, Mapping[int, ConformerProblem]]:
    """Return coordinates of molecules made as those of a training, or what they bring along if it was given some.

    Of a molecule that has none, its number and the reason are returned too.

    Args:
        smiles: of G molecules that can be read, or RDKit molecules; a CXSMILES may hold coordinates.
        config: of the training's coordinates. Where they were given and a molecule brings none along, they are made
            with the same settings.
        max_heavy_atoms: the largest molecule.
    """
    made = partial(_made, config=config, max_heavy_atoms=max_heavy_atoms)
    block = _brought(smiles, made) if config.source == "given" else made(smiles)
    return coordinate_arrays(coordinates_table(np.arange(len(smiles)), block)), block.problems


def _made(smiles: Sequence[object], config: ConformersConfig, max_heavy_atoms: int) -> ConformerBlock:
    if config.source == "drawn":
        return drawings_of_smiles(smiles, max_heavy_atoms=max_heavy_atoms)
    options = ConformerOptions(**config.model_dump(exclude={"source", "hang_seconds", "drawn"}))
    return conformers_of_smiles(smiles, options, max_heavy_atoms=max_heavy_atoms, hang_seconds=config.hang_seconds)


def _brought(smiles: Sequence[object], make: Callable[[Sequence[object]], ConformerBlock]) -> ConformerBlock:
    """Return the coordinates that molecules bring along, and make those of the others."""
    outcomes: list[Conformers | ConformerProblem] = []
    for given in smiles:
        molecule = parse(given, max_heavy_atoms=LARGEST_GRAPH)
        assert not isinstance(molecule, Rejection)
        if isinstance(given, Chem.Mol):
            outcomes.append(_placed(given, molecule))
        else:
            outcomes.append(cxsmiles_coordinates(str(given), molecule))
    without = [g for g, found in enumerate(outcomes) if isinstance(found, ConformerProblem) and found.reason in NONE]
    made = make([smiles[g] for g in without])
    for place, g in enumerate(without):
        outcomes[g] = made.outcome(place)
    return ConformerBlock.of(outcomes)


def _placed(given: Chem.Mol, molecule: Chem.Mol) -> Conformers | ConformerProblem:
    """Return the coordinates of an RDKit molecule, led to the atoms of what `parse` made of it."""
    if given.GetNumConformers() == 0:
        return ConformerProblem("coordinates_missing")
    if given.GetNumAtoms() > 1 and not given.GetConformer().Is3D():
        return ConformerProblem("coordinates_flat", "a drawing")
    numbers = [atom.GetAtomicNum() for atom in given.GetAtoms()]
    return listed_coordinates(molecule, given.GetConformer().GetPositions().reshape(-1), numbers)


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
