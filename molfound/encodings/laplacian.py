"""Eigenpairs of the graph Laplacian, in a form that no choice of signs or bases can change."""

from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from molfound.chem.graphs import GraphStructure
from molfound.encodings.by_size import batches_by_size
from molfound.encodings.registry import Parts, encoding

Floats = npt.NDArray[np.float64]

_SAME_EIGENVALUE = 1e-6


@encoding("laplacian", parts={"magnitudes": "node", "eigenvalues": "graph"})
def laplacian(
    block: GraphStructure,
    *,
    pairs: Annotated[int, Field(ge=1)] = 8,
    normalization: Literal["none", "symmetric"] = "none",
) -> Parts:
    r"""Return the smallest eigenvalues of the Laplacian, ascending, and the magnitudes of their eigenvectors.

    An eigenvector is determined up to its sign, and within a degenerate eigenspace of dimension d up to a rotation.
    What is determined is the projection onto the eigenspace; the magnitude of node i is
    :math:`\sqrt{\tfrac 1 d \sum_v v_i^2}` over an orthonormal basis of the whole space, which is :math:`|v_i|` for a
    simple eigenvalue. All n pairs are computed, so that no space is cut at the last pair; eigenvalues closer than 1e-6
    of the largest belong to one space. The first eigenvalue of each connected component is 0. Dwivedi et al.,
    Benchmarking graph neural networks (arXiv:2003.00982), introduced Laplacian eigenvectors as positions of nodes.

    Args:
        block: G graphs with N nodes; bond orders do not weigh.
        pairs: number of eigenpairs, k.
        normalization: ``"none"`` for D - A, ``"symmetric"`` for I - D^(-1/2) A D^(-1/2) with 0 on the diagonal of
            isolated nodes.

    Returns:
        ``magnitudes`` [N, k] in 0 to 1 and ``eigenvalues`` [G, k] >= 0, NaN for pairs beyond a graph's number of nodes.

    Example:
        >>> from molfound.chem import featurize_smiles
        >>> block, _, _ = featurize_smiles(["C1CC1"], [], [])
        >>> encoded = laplacian(block, pairs=4)
        >>> abs(encoded["eigenvalues"]).round(3)
        array([[ 0.,  3.,  3., nan]])
        >>> encoded["magnitudes"][0].round(3)
        array([0.577, 0.577, 0.577,   nan])
    """
    magnitudes = np.full((block.node_count, pairs), np.nan)
    eigenvalues = np.full((block.graph_count, pairs), np.nan)
    for batch in batches_by_size(block):
        values, vectors = np.linalg.eigh(_laplacian_matrix(batch.adjacency, normalization))
        known = min(pairs, values.shape[1])
        eigenvalues[batch.graphs, :known] = values[:, :known]
        magnitudes[batch.nodes, :known] = _magnitudes(values, vectors, known)
    return {"magnitudes": magnitudes, "eigenvalues": eigenvalues}


def _laplacian_matrix(adjacency: Floats, normalization: Literal["none", "symmetric"]) -> Floats:
    degree = adjacency.sum(axis=2)
    diagonal = np.arange(adjacency.shape[1])
    if normalization == "none":
        matrix = -adjacency
        matrix[:, diagonal, diagonal] = degree
    else:
        scale = 1.0 / np.sqrt(np.maximum(degree, 1.0))
        matrix = -adjacency * scale[:, :, None] * scale[:, None, :]
        matrix[:, diagonal, diagonal] = degree > 0
    return matrix


def _magnitudes(values: Floats, vectors: Floats, known: int) -> Floats:
    """Return the root mean square of the entries over each of the first `known` eigenvalues' spaces, [b, n, known]."""
    scale = np.maximum(values[:, -1:], 1.0)
    is_new = np.diff(values, axis=1, prepend=-np.inf) > _SAME_EIGENVALUE * scale
    magnitudes: Floats = np.abs(vectors[:, :, :known])
    # Half of all molecules have simple eigenvalues only, where nothing is left to do.
    degenerate = np.flatnonzero(~is_new[:, : known + 1].all(axis=1))
    space = np.cumsum(is_new[degenerate], axis=1)
    # A product with 0 and 1 adds the squares of one space without subtracting anything: small entries stay exact.
    member = (space[:, :, None] == space[:, None, :known]).astype(np.float64)
    magnitudes[degenerate] = np.sqrt(vectors[degenerate] ** 2 @ member / member.sum(axis=1)[:, None, :])
    return magnitudes
