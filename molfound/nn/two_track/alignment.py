"""Rigid alignment of one conformation to another."""

import torch
from torch import Tensor

from molfound.nn.two_track.precision import widened, without_autocast


def align(coordinates: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Return the coordinates rotated and moved onto the target, by the motion of least RMSD (Kabsch, 1976).

    The motion is proper: a mirror image stays one. It never raises the RMSD, rounding included. It is a constant to
    the gradient, which is finite for coincident, collinear and single atoms, and still that of the least RMSD: at the
    optimum the motion's own change counts for nothing.

    Args:
        coordinates: ``[B, L, 3]`` in Å.
        target: ``[B, L, 3]`` in Å.
        mask: bool ``[B, L]``, true where there is an atom; what stands elsewhere plays no part and becomes 0.

    Returns:
        ``[B, L, 3]``, at least in float32.

    Example:
        >>> target = torch.tensor([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]])
        >>> turned = target.flip(2) * torch.tensor([1.0, 1.0, -1.0]) + 5
        >>> torch.allclose(align(turned, target, torch.ones(1, 3, dtype=torch.bool)), target, atol=1e-6)
        True
    """
    with without_autocast(coordinates):
        absent = ~mask[..., None]
        places, goal = (widened(values).masked_fill(absent, 0.0) for values in (coordinates, target))
        rotation, before, after = _least_motion(places.detach(), goal.detach(), mask)
        return ((places - before) @ rotation + after).masked_fill(absent, 0.0)


@torch.no_grad()
def _least_motion(places: Tensor, goal: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return R ``[B, 3, 3]``, s and t ``[B, 1, 3]``, so that ``(places - s) @ R + t`` is nearest to the goal."""
    present = mask[..., None]
    count = mask.sum(1).clamp(min=1)[:, None, None]
    before, after = places.sum(1, keepdim=True) / count, goal.sum(1, keepdim=True) / count
    centred, centred_goal = (places - before) * present, (goal - after) * present
    left, _, right = torch.linalg.svd(centred.mT @ centred_goal)
    # The last direction is turned over where the nearest orthogonal map would be a reflection.
    turn = torch.ones_like(left[:, 0])
    turn[:, 2] = torch.where(torch.linalg.det(left @ right) < 0, -1.0, 1.0)
    rotation = left * turn[:, None] @ right
    # What is nearest already, but for rounding, stays where it is.
    squared = (((places - before) @ rotation + after - goal) * present).square().sum((1, 2), keepdim=True)
    stays = squared >= (places - goal).square().sum((1, 2), keepdim=True)
    identity = torch.eye(3, dtype=places.dtype, device=places.device)
    return torch.where(stays, identity, rotation), before.masked_fill(stays, 0.0), after.masked_fill(stays, 0.0)
