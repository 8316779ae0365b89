"""Naming the elements of hidden atoms."""

from collections.abc import Mapping
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from molfound.errors import MolfoundError
from molfound.nn.encoder_inputs import EncoderInputs
from molfound.nn.representations import Representations, Widths
from molfound.nn.two_track import TokenHead, initialize
from molfound.tasks.corruption import CorruptedBatch
from molfound.tasks.objectives.objective import Objective, Sums, objectives, ratio


@objectives.register("masked_atoms")
class MaskedAtoms(Objective):
    """Cross-entropy of the elements of hidden atoms (arXiv 2406.14969).

    Beside the loss it tells the accuracy and what the most frequent element alone would reach (`majority`), and both
    for the molecules whose features were hidden too (`accuracy_bare`, `majority_bare`).

    Args:
        inputs: the features of the batches.
        widths: of the encoder's representations.
        weight: of the loss.

    Raises:
        MolfoundError: the batches do not tell elements.
    """

    restores = "atoms"
    figure_names = ("accuracy", "majority", "accuracy_bare", "majority_bare")

    def __init__(self, inputs: EncoderInputs, widths: Widths, *, weight: Annotated[float, Field(ge=0)] = 1.0) -> None:
        super().__init__(inputs, widths)
        names = [feature.name for feature in inputs.atoms]
        if "atomic_number" not in names:
            raise MolfoundError("objective 'masked_atoms' asks for elements: add atomic_number to features.atoms")
        self.column = names.index("atomic_number")
        self.head = TokenHead(widths.nodes)
        initialize(self.head, "stable")
        self.weights = {"loss": weight}

    def forward(self, made: Representations, corrupted: CorruptedBatch) -> Sums:
        """Return the summed loss, the numbers of hidden atoms by element, and how many were named rightly."""
        hidden = corrupted.atoms
        # Codes begin with hydrogen, tokens with the padding.
        tokens = 1 + corrupted.original.node_codes[hidden, self.column].long()
        logits = self.head(made.nodes[hidden]).float()
        right = (logits.argmax(1) == tokens).float()
        bare = _bare(corrupted)[hidden].float()
        classes = F.one_hot(tokens, logits.shape[1]).float()
        return {
            "loss": F.cross_entropy(logits, tokens, reduction="sum"),
            "right": right.sum(),
            "right_bare": (right * bare).sum(),
            "classes": classes.sum(0),
            "classes_bare": (classes * bare[:, None]).sum(0),
        }

    def losses(self, sums: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean cross-entropy."""
        return {"loss": sums["loss"] / sums["classes"].sum().clamp(min=1)}

    def figures(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Return accuracies, of the network and of the most frequent element."""
        return {
            f"{name}{suffix}": ratio(total, sums[f"classes{suffix}"].sum())
            for suffix in ("", "_bare")
            for name, total in (
                ("accuracy", sums[f"right{suffix}"]),
                ("majority", sums[f"classes{suffix}"].max()),
            )
        }


def _bare(corrupted: CorruptedBatch) -> Tensor:
    """Return which atoms are of molecules whose features are hidden, bool ``[N]``."""
    hidden = corrupted.batch.hidden_graphs
    if hidden is None:
        return torch.zeros_like(corrupted.atoms)
    return hidden[corrupted.batch.node_graph]
