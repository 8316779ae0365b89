"""Normalisation of regression labels: mean and deviation per label, fitted on training rows, kept in the model."""

import logging
from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from molfound.tasks.label_summary import LabelSummary

logger = logging.getLogger(__name__)


class Normalizer(nn.Module):
    """Standardises labels and undoes it: `(label - mean) / deviation`, per label.

    Args:
        mean: [L], in each label's unit.
        deviation: [L], above 0.

    Example:
        >>> summary = LabelSummary.of(np.array([0, 0, 1, 1]), np.array([1.0, 3.0, 5.0, 25.0]), labels=2)
        >>> normalizer = Normalizer.of(summary, ["x", "y"])
        >>> normalizer.normalize(torch.tensor([[3.0, 5.0], [float("nan"), 15.0]]))
        tensor([[ 1., -1.],
                [nan,  0.]])
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean.to(torch.float32))
        self.register_buffer("deviation", deviation.to(torch.float32))

    @classmethod
    def identity(cls, labels: int) -> Self:
        """Return the normaliser that changes nothing, for tasks that are not normalised and for loading weights."""
        return cls(torch.zeros(labels), torch.ones(labels))

    @classmethod
    def of(cls, summary: LabelSummary, names: Sequence[str]) -> Self:
        """Return the normaliser of summarised labels, which must come from training rows only.

        A label with fewer than two values, or with equal ones, keeps its scale (deviation 1), and a warning in the log
        names it.

        Args:
            summary: of L labels; the deviation is that of the population.
            names: L label names, for the warning.
        """
        deviation = summary.deviation
        scaled = summary.varies & (deviation.astype(np.float32) > 0)
        if not scaled.all():
            unscaled = [name for name, is_scaled in zip(names, scaled, strict=True) if not is_scaled]
            logger.warning(
                "%d of %d labels have no two different training values and keep their scale: %s%s",
                *(len(unscaled), len(names), ", ".join(unscaled[:5]), ", …" if len(unscaled) > 5 else ""),
            )
        return cls(torch.from_numpy(summary.mean), torch.from_numpy(np.where(scaled, deviation, 1.0)))

    def normalize(self, labels: Tensor) -> Tensor:
        """Return labels [R, L] in normalised units; NaN stays NaN."""
        return (labels - self.mean) / self.deviation

    def denormalize(self, predictions: Tensor) -> Tensor:
        """Return predictions [R, L] in original units, float32."""
        return predictions.float() * self.deviation + self.mean

    def taken_over(self, predictions: Tensor, other: "Normalizer") -> Tensor:
        """Return predictions [R, L], in the normalised units of another, in these units; unchanged where both agree."""
        scale, shift = other.deviation / self.deviation, (other.mean - self.mean) / self.deviation
        return predictions.float() * scale + shift

    def moments_taken_over(self, moments: Tensor, other: "Normalizer") -> Tensor:
        """Return means and log variances [R, L, 2], in the normalised units of another, in these units."""
        mean, log_variance = moments.float().unbind(-1)
        scale = 2 * (other.deviation / self.deviation).log()
        return torch.stack([self.taken_over(mean, other), log_variance + scale], dim=-1)

    def extra_repr(self) -> str:
        """Return what `repr` shows: the number of labels."""
        return f"labels={len(self.mean)}"
