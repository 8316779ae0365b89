"""Return probabilities of random walks."""

from typing import Annotated

import numpy as np
from pydantic import Field

from molfound.chem.graphs import GraphStructure
from molfound.encodings.by_size import batches_by_size
from molfound.encodings.registry import Parts, encoding


@encoding("random_walk", parts={"probabilities": "node"})
def random_walk(block: GraphStructure, *, steps: Annotated[int, Field(ge=1)] = 16) -> Parts:
    r"""Return the probability that a walk from each node is back at it after 1, 2, …, `steps` steps.

    A walk leaves a node by each of its bonds with the same probability; it is the diagonal of the powers of
    :math:`D^{-1} A`. From an isolated atom no walk starts: its probabilities are 0. Dwivedi et al., Graph neural
    networks with learnable structural and positional representations (arXiv:2110.07875).

    Args:
        block: G graphs with N nodes; bond orders do not weigh.
        steps: number of steps, k.

    Returns:
        ``probabilities`` [N, k], each in 0 to 1.

    Example:
        >>> from molfound.chem import featurize_smiles
        >>> block, _, _ = featurize_smiles(["CCC", "[Na+]"], [], [])
        >>> random_walk(block, steps=4)["probabilities"].round(3)
        array([[0. , 0.5, 0. , 0.5],
               [0. , 1. , 0. , 1. ],
               [0. , 0.5, 0. , 0.5],
               [0. , 0. , 0. , 0. ]])
    """
    probabilities = np.zeros((block.node_count, steps))
    for batch in batches_by_size(block):
        degree = batch.adjacency.sum(axis=2)
        scale = 1.0 / np.sqrt(np.maximum(degree, 1.0))
        # S = D^(-1/2) A D^(-1/2) has the diagonals of D^(-1) A and is symmetric, so that the diagonal of S^(i+j) is the
        # row sum of S^i * S^j, entry by entry: half of the matrix powers suffice.
        step = batch.adjacency * scale[:, :, None] * scale[:, None, :]
        returns = np.zeros((steps, *degree.shape))
        power = step
        for number in range(2, steps + 1):
            other = power if number % 2 == 0 else power @ step
            returns[number - 1] = np.einsum("bij,bij->bi", power, other)
            power = other
        probabilities[batch.nodes] = returns.transpose(1, 2, 0)
    return {"probabilities": probabilities}
