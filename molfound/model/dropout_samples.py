"""Monte-Carlo dropout: a model whose dropout stays active, as many models that each lack some units."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError
from molfound.model.molecular_model import MolecularModel
from molfound.model.task_model import Draw, TaskModel
from molfound.nn.blocks import Dropout
from molfound.nn.two_track.dropout import DropPath, SharedDropout


class DropoutSamples(TaskModel):
    """A model several times, each time without some of its units, as dropout leaves them out in training.

    Each sample is one network (Gal and Ghahramani, 2016, draw its weights): which entries of a layer's features, and
    which of its updates (`drop_path`), it lacks is a function of the sample's number and of the layer alone, the same
    for all atoms of all molecules. So what a molecule gets is reproducible and does not depend on its batch. Dropout of
    attention weights stays off: they have no entries that all molecules share.

    Args:
        model: in evaluation mode, a single one or an ensemble.
        samples: how many, of each of its members.

    Raises:
        MolfoundError: fewer than two samples, or a model without dropout.
    """

    def __init__(self, model: TaskModel, samples: int) -> None:
        super().__init__()
        if samples < 2:
            raise MolfoundError(f"a deviation needs two dropout samples at least, not {samples}")
        self.model, self.samples = model, samples
        self.dropouts = [module for module in model.modules() if _share(module) > 0]
        if not self.dropouts:
            raise MolfoundError("the model has no dropout, so that all of its dropout samples would be the same")
        self.specification, self.tasks = model.specification, model.tasks
        self.normalizers, self.losses, self.objectives = model.normalizers, model.losses, model.objectives

    def draws(self, batch: GraphBatch, datasets: Mapping[str, str | None] | None = None) -> Sequence[Draw]:
        """Return what the heads of each sample give."""
        drawn: list[Draw] = []
        for sample in range(self.samples):
            with self._without_units(sample):
                drawn += self.model.draws(batch, datasets)
        return drawn

    @property
    def deviating(self) -> Sequence[str]:
        """The tasks whose predictions a dropout acts on, all or those with one in their head, and the model's own."""
        models = [module for module in self.model.modules() if isinstance(module, MolecularModel)]
        owners = {module: name for model in models for name, head in model.heads.items() for module in head.modules()}
        if any(module not in owners for module in self.dropouts):
            return list(self.tasks)
        found = {owners[module] for module in self.dropouts} | set(self.model.deviating)
        return [name for name in self.tasks if name in found]

    @property
    def represents_pairs(self) -> bool:
        """Whether the model represents the pairs of atoms."""
        return self.model.represents_pairs

    @contextmanager
    def _without_units(self, sample: int) -> Iterator[None]:
        """Let the dropouts, which do nothing in evaluation mode, leave out the units that a sample lacks."""
        hooks = [
            module.register_forward_hook(_Mask(module, [sample, number])) for number, module in enumerate(self.dropouts)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


class _Mask:
    """Leaves out the same entries of the last axis everywhere, or a whole update, and scales up what stays."""

    def __init__(self, module: nn.Module, seed: Sequence[int]) -> None:
        self.share, self.seed, self.whole = _share(module), seed, isinstance(module, DropPath)

    def __call__(self, module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        (values,) = given
        drawn = np.random.default_rng(self.seed).random(1 if self.whole else values.shape[-1])
        return values * values.new_tensor((drawn >= self.share) / (1 - self.share))


def _share(module: nn.Module) -> float:
    match module:
        case Dropout() | SharedDropout():
            return module.share
        case _DropoutNd():
            return module.p
        case _:
            return 0.0
