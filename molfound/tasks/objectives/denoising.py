"""Moving atoms back to where they were before noise was added."""

from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from molfound.config.schema import Count, Dropout
from molfound.errors import MolfoundError
from molfound.nn.encoder_inputs import EncoderInputs
from molfound.nn.representations import Representations, Widths
from molfound.nn.two_track import CoordinateHead, distances, initialize
from molfound.nn.two_track.precision import widened, without_autocast
from molfound.tasks.corruption import CorruptedBatch
from molfound.tasks.objectives.objective import Objective, Sums, objectives, ratio

Weight = Annotated[float, Field(ge=0)]


@objectives.register("denoising")
class Denoising(Objective):
    """Coordinates, and the distances that follow from them, of molecules whose coordinates are noisy.

    Two losses (arXiv 2406.14969): of a molecule's coordinates the absolute errors summed over x, y and z, mean over its
    atoms; of its distances the absolute error, mean over the n² pairs; each the mean over the molecules. Beside them it
    tells the root mean square displacement in Å that the noise left (`noise`) and that the network leaves (`rmsd`).

    Args:
        inputs: the features of the batches.
        widths: of the encoder's representations.
        coordinates: weight of the loss of the coordinates.
        distances: weight of the loss of the distances.
        heads: number of attention heads; null: as many as the encoder has.
        dropout: share of the attention weights left out in training.

    Raises:
        MolfoundError: the encoder represents no pairs, or its heads are not known.
    """

    restores = "coordinates"
    loss_names = ("coordinates", "distances")
    figure_names = ("rmsd", "noise")

    def __init__(
        self,
        inputs: EncoderInputs,
        widths: Widths,
        *,
        coordinates: Weight = 1.0,
        distances: Weight = 1.0,
        heads: Count | None = None,
        dropout: Dropout = 0.1,
    ) -> None:
        super().__init__(inputs, widths)
        if widths.pairs is None:
            raise MolfoundError("objective 'denoising' needs an encoder that represents pairs, as two_track does")
        heads = heads or widths.heads
        if heads is None:
            raise MolfoundError("objective 'denoising' needs the option heads: the encoder has no attention heads")
        self.head = CoordinateHead(widths.nodes, heads, widths.pairs, dropout=dropout)
        initialize(self.head, "stable")
        self.weights = {"coordinates": coordinates, "distances": distances}

    def forward(self, made: Representations, corrupted: CorruptedBatch) -> Sums:
        """Return the losses and displacements, summed over molecules, and the number of molecules."""
        padded, noisy, true = made.padded, corrupted.batch.coordinates, corrupted.original.coordinates
        if padded is None or noisy is None or true is None:
            zero = made.nodes.new_zeros(())
            return dict.fromkeys(("coordinates", "distances", "rmsd", "noise", "molecules"), zero)
        padding = padded.padding
        known = corrupted.original.with_coordinates
        mask = padding.mask & known[:, None]
        with without_autocast(padded.nodes):
            before, target = (padding.pad(widened(places)).nan_to_num() for places in (noisy, true))
            found = self.head(padded.nodes, padded.pairs, before, mask)
            atoms = mask.sum(1).clamp(min=1)
            pairs = mask[:, :, None] & mask[:, None, :]
            moved = (found - target).abs().sum(-1).masked_fill(~mask, 0).sum(1) / atoms
            apart = (distances(found) - distances(target)).abs().masked_fill(~pairs, 0).sum((1, 2)) / atoms.square()
        return {
            "coordinates": moved.sum(),
            "distances": apart.sum(),
            "rmsd": _displacement(found.detach(), target, mask, atoms).sum(),
            "noise": _displacement(before, target, mask, atoms).sum(),
            "molecules": known.sum().float(),
        }

    def losses(self, sums: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return both losses, means over the molecules."""
        return {name: sums[name] / sums["molecules"].clamp(min=1) for name in self.weights}

    def figures(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the displacements, means over the molecules."""
        return {name: ratio(sums[name], sums["molecules"]) for name in ("rmsd", "noise")}


def _displacement(places: Tensor, target: Tensor, mask: Tensor, atoms: Tensor) -> Tensor:
    """Return the root mean square displacement of each molecule, ``[B]``."""
    squares = (places - target).square().sum(-1).masked_fill(~mask, 0).sum(1)
    return torch.sqrt(squares / atoms)
