"""Distances between the atoms of a molecule."""

from torch import Tensor

from molfound.nn.two_track.precision import widened


def distances(coordinates: Tensor) -> Tensor:
    """Return the distances between atoms, at least in float32, with a gradient of 0 where two atoms coincide.

    Args:
        coordinates: ``[..., L, 3]`` in Å.

    Returns:
        ``[..., L, L]`` in Å.

    Example:
        >>> import torch
        >>> distances(torch.tensor([[0.0, 0.0, 0.0], [0.0, 3.0, 4.0]]))
        tensor([[0., 5.],
                [5., 0.]])
    """
    places = widened(coordinates)
    squared = (places.unsqueeze(-2) - places.unsqueeze(-3)).square().sum(-1)
    coincident = squared == 0
    # The root is taken of 1 where it has no derivative: masking its result alone would leave 0 * inf in the gradient.
    return squared.masked_fill(coincident, 1.0).sqrt().masked_fill(coincident, 0.0)
