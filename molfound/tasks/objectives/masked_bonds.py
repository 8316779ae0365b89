"""Naming the types of hidden bonds."""

from collections.abc import Mapping
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from molfound.errors import MolfoundError
from molfound.nn.blocks import MLP
from molfound.nn.encoder_inputs import EncoderInputs
from molfound.nn.representations import Representations, Widths
from molfound.tasks.corruption import CorruptedBatch
from molfound.tasks.objectives.objective import Objective, Sums, objectives, ratio


@objectives.register("masked_bonds")
class MaskedBonds(Objective):
    """Cross-entropy of the types of hidden bonds, read from the sum and the product of their two atoms.

    Beside the loss it tells the accuracy and what the most frequent type alone would reach (`majority`).

    Args:
        inputs: the features of the batches.
        widths: of the encoder's representations.
        weight: of the loss.

    Raises:
        MolfoundError: the batches do not tell bond types.
    """

    restores = "bonds"
    figure_names = ("accuracy", "majority")

    def __init__(self, inputs: EncoderInputs, widths: Widths, *, weight: Annotated[float, Field(ge=0)] = 1.0) -> None:
        super().__init__(inputs, widths)
        names = [feature.name for feature in inputs.bonds]
        if "bond_type" not in names:
            raise MolfoundError("objective 'masked_bonds' asks for bond types: add bond_type to features.bonds")
        self.column = names.index("bond_type")
        self.head = MLP(2 * widths.nodes, [widths.nodes], inputs.bonds[self.column].size, activation="gelu")
        self.weights = {"loss": weight}

    def forward(self, made: Representations, corrupted: CorruptedBatch) -> Sums:
        """Return the summed loss, the numbers of hidden bonds by type, and how many were named rightly."""
        batch = corrupted.original
        # Each bond once: by that of its two edges which leads to the atom of the higher number.
        source, target = batch.edge_index
        chosen = corrupted.bonds[batch.edge_bond] & (source < target)
        first, second = made.nodes[source[chosen]], made.nodes[target[chosen]]
        types = batch.bond_codes[batch.edge_bond[chosen], self.column].long()
        logits = self.head(torch.cat((first + second, first * second), dim=1)).float()
        return {
            "loss": F.cross_entropy(logits, types, reduction="sum"),
            "right": (logits.argmax(1) == types).float().sum(),
            "classes": F.one_hot(types, logits.shape[1]).float().sum(0),
        }

    def losses(self, sums: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean cross-entropy."""
        return {"loss": sums["loss"] / sums["classes"].sum().clamp(min=1)}

    def figures(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the accuracies of the network and of the most frequent type."""
        count = sums["classes"].sum()
        return {"accuracy": ratio(sums["right"], count), "majority": ratio(sums["classes"].max(), count)}
