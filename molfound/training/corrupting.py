"""The corruption of batches: of a molecule, a pure function of the seed and the epoch."""

from zlib import crc32

import numpy as np

from molfound.config.schema import CorruptionConfig, Experiment
from molfound.data.batch import GraphBatch
from molfound.data.keyed_random import Words, mixed
from molfound.errors import MolfoundError
from molfound.model import ModelSpecification, MolecularModel
from molfound.nn.encoders import encoders
from molfound.tasks.corruption import CorruptedBatch, corrupt
from molfound.tasks.objectives import objectives


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
        """Return what is left of a batch, on its own device; of a molecule always the same for the same counters."""
        device = batch.node_ptr.device
        kept = batch.to("cpu")
        left = corrupt(
            kept, self.config, self.specification.atoms, self.specification.bonds, self._keys(kept, *counters)
        )
        return left if device.type == "cpu" else left.to(device)

    def _keys(self, batch: GraphBatch, *counters: int | str) -> Words:
        """Return a random word for each molecule, by its dataset and its row there."""
        rows = batch.rows.numpy().astype(np.uint64)
        keys = np.empty_like(rows)
        for name, (first, last) in batch.datasets.items():
            words = [crc32(counter.encode()) if isinstance(counter, str) else counter for counter in (name, *counters)]
            key = np.random.SeedSequence([self.seed, *words]).generate_state(1, np.uint64)
            keys[first:last] = mixed(key + rows[first:last])
        return keys


def make_corruptor(experiment: Experiment, model: MolecularModel) -> Corruptor | None:
    """Return what corrupts the batches of an experiment, None if it has no objectives."""
    if not experiment.objectives:
        return None
    return Corruptor(experiment.corruption, model.specification, experiment.seed)


def check_corruption(experiment: Experiment) -> None:
    """Refuse objectives and a corruption that do not go together.

    Raises:
        MolfoundError: an objective has nothing to restore, something is taken that no objective asks for, there are no
            coordinates, or the encoder does not read them.
    """
    config, encoder = experiment.corruption, experiment.model.encoder.name
    wanted = {name: objectives[name].restores for name in experiment.objectives}
    for name, part in wanted.items():
        if not getattr(config, part):
            raise MolfoundError(f"objective '{name}' has nothing to restore: set corruption.{part}")
    for taken in ("atoms", "bonds", "coordinates"):
        if getattr(config, taken) and taken not in wanted.values():
            raise MolfoundError(f"corruption.{taken} takes what no objective asks for: leave it out")
    for key in ("coordinates", "graphs"):
        if getattr(config, key) and not encoders[encoder].reads_coordinates:
            raise MolfoundError(f"corruption.{key} is for encoders that read coordinates, which '{encoder}' does not")
        if getattr(config, key) and experiment.data.conformers is None:
            raise MolfoundError(f"corruption.{key} needs coordinates: set data.conformers")
    if config.graphs and not wanted:
        raise MolfoundError("corruption.graphs takes what no objective asks for: leave it out")
