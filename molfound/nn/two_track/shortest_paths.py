"""Lengths of the shortest paths between the nodes of many small graphs at once."""

import torch
from torch import Tensor


# An operator of its own, so that torch.compile need not follow a loop whose length depends on the graphs.
@torch.library.custom_op("molfound::shortest_paths", mutates_args=())
def shortest_paths(adjacency: Tensor, unreachable: int) -> Tensor:
    """Return the number of edges on the shortest path between any two nodes, by breadth-first search in bulk.

    Args:
        adjacency: bool ``[B, L, L]``, symmetric, true where there is an edge.
        unreachable: what stands for pairs that no path joins; longer paths than this less one count as this less one.

    Returns:
        int64 ``[B, L, L]``, 0 on the diagonal.

    Example:
        >>> chain_and_atom = torch.zeros(1, 4, 4, dtype=torch.bool)
        >>> chain_and_atom[0, [0, 1, 1, 2], [1, 0, 2, 1]] = True
        >>> shortest_paths(chain_and_atom, 99)[0]
        tensor([[ 0,  1,  2, 99],
                [ 1,  0,  1, 99],
                [ 2,  1,  0, 99],
                [99, 99, 99,  0]])
    """
    length = adjacency.shape[-1]
    near = torch.eye(length, dtype=torch.bool, device=adjacency.device).expand_as(adjacency)
    paths = (~near).long() * unreachable
    # Sums of zeros and ones are exact, and only whether they are zero counts.
    step = (adjacency | near).float()
    for number in range(1, length):
        reached = torch.bmm(near.float(), step) > 0
        new = reached & ~near
        if not bool(new.any()):
            break
        paths.masked_fill_(new, min(number, unreachable - 1))
        near = reached
    return paths


@shortest_paths.register_fake
def _(adjacency: Tensor, unreachable: int) -> Tensor:
    return torch.empty_like(adjacency, dtype=torch.int64)
