"""Distances between points, without a library that takes longer to load than a model to predict."""

import numpy as np
import numpy.typing as npt


def pair_distances(points: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return the distance of each pair of n points ``[n, 3]``, ``[n (n - 1) / 2]`` in the order of `np.triu_indices`.

    >>> pair_distances(np.array([[0.0, 0, 0], [3, 4, 0], [3, 4, 1]])).round(2)
    array([5. , 5.1, 1. ])
    """
    first, second = np.triu_indices(len(points), 1)
    distances: npt.NDArray[np.floating] = np.linalg.norm(points[first] - points[second], axis=1)
    return distances
