"""The corruption of batches: a pure function of the seed and of where in the training a batch stands."""

from zlib import crc32

import numpy as np
import torch

from molfound.config.schema import CorruptionConfig, Experiment
from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError
from molfound.model import ModelSpecification, MolecularModel
from molfound.tasks.corruption import CorruptedBatch, corrupt


class Corruptor:
    """Takes from batches what a configuration says.

    Args:
        config: what is taken.
        specification: of the model, which tells the features.
        seed: of the training.
    """

    def __init__(self, config: CorruptionConfig, specification: ModelSpecification, seed: int) -> None:
        self.config, self.specification, self.seed = config, specification, seed

    def __call__(self, batch: GraphBatch, *counters: int | str) -> CorruptedBatch:
        """Return what is left of a batch, on its own device; the same for the same counters."""
        device = batch.node_ptr.device
        words = [crc32(counter.encode()) if isinstance(counter, str) else counter for counter in counters]
        state = np.random.SeedSequence([self.seed, *words]).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(state >> np.uint64(1)))
        left = corrupt(batch.to("cpu"), self.config, self.specification.atoms, self.specification.bonds, generator)
        return left if device.type == "cpu" else left.to(device)


def make_corruptor(experiment: Experiment, model: MolecularModel) -> Corruptor | None:
    """Return what corrupts the batches of an experiment, None if it has no objectives.

    Raises:
        MolfoundError: an objective has nothing to restore, something is taken that no objective asks for, there are no
            coordinates, or the encoder does not read them.
    """
    config, name = experiment.corruption, experiment.model.encoder.name
    needs = {objective: model.objectives[objective].restores for objective in model.objectives}
    for objective, part in needs.items():
        if not getattr(config, part):
            raise MolfoundError(f"objective '{objective}' has nothing to restore: set corruption.{part}")
    if not needs:
        return None
    for part in ("atoms", "bonds"):
        if getattr(config, part) and part not in needs.values():
            raise MolfoundError(f"corruption.{part} hides what no objective asks for: set it to 0")
    for key in ("coordinates", "graphs"):
        if getattr(config, key) and not model.encoder.reads_coordinates:
            raise MolfoundError(f"corruption.{key} is for encoders that read coordinates, which '{name}' does not")
        if getattr(config, key) and experiment.data.conformers is None:
            raise MolfoundError(f"corruption.{key} needs coordinates: set data.conformers")
    return Corruptor(config, model.specification, experiment.seed)
