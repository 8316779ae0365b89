"""What the labels of look-alikes follow from: numbers of atoms and molecules that depend on the graph alone, seeded."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from molfound.chem.features import atom_features
from molfound.chem.graphs import GraphBlock

ATOM_FEATURES = ("atomic_number", "degree", "charge", "aromatic", "in_ring", "hydrogens")
FACTORS = 12
"""Numbers of a molecule that all its labels follow from, so that labels are correlated."""

BISECTIONS = 24

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class AtomFields:
    """Numbers of atoms: a sum over an atom's own feature codes and over those of its neighbours.

    Attributes:
        own: for each feature of `ATOM_FEATURES`, float32 ``[codes, fields]``, what an atom's code adds to it.
        around: the same, what the code adds to each neighbour.
    """

    own: tuple[Floats, ...]
    around: tuple[Floats, ...]

    @classmethod
    def drawn(cls, fields: int, seed: Any) -> Self:
        """Return fields with random entries."""
        generator = np.random.default_rng(seed)
        sizes = [atom_features[name].vocabulary.size for name in ATOM_FEATURES]
        own = tuple(generator.standard_normal((size, fields), np.float32) for size in sizes)
        around = tuple(0.5 * generator.standard_normal((size, fields), np.float32) for size in sizes)
        return cls(own, around)

    def values(self, graphs: GraphBlock) -> Floats:
        """Return the numbers of all atoms, float32 ``[N, fields]``, of graphs with the features of `ATOM_FEATURES`."""
        given = _looked_up(self.around, graphs.node_codes)
        first = np.repeat(graphs.node_ptr[:-1], np.diff(graphs.edge_ptr))
        return _looked_up(self.own, graphs.node_codes) + _segment_sums(
            given[first + graphs.edge_source], first + graphs.edge_target, graphs.node_count
        )


def molecule_sums(values: Floats, graphs: GraphBlock) -> Floats:
    """Return per molecule the sum over its atoms of the hyperbolic tangent of these numbers, ``[G, fields]``."""
    return np.add.reduceat(np.tanh(values), graphs.node_ptr[:-1], axis=0)


@dataclass(frozen=True)
class Factors:
    """Leads sums of molecules to factors that are, over the molecules it was fitted to, normal and uncorrelated.

    Attributes:
        levels: float32 ``[n, FACTORS]``, ascending, of the molecules it was fitted to.
        normal: ``[n]``, the quantiles of the normal distribution that these become.
        whitening: ``[FACTORS, FACTORS]``.
    """

    levels: Floats
    normal: Floats
    whitening: Floats

    @classmethod
    def fitted(cls, sums: Floats) -> Self:
        """Return the way from sums ``[n, FACTORS]`` to factors."""
        count = len(sums)
        normal = np.array([NormalDist().inv_cdf((rank + 0.5) / count) for rank in range(count)], np.float32)
        levels = np.sort(sums, axis=0)
        scores = _scores(sums, levels, normal)
        # Not by BLAS, whose last bits may depend on the number of threads.
        covariance = np.einsum("ni,nj->ij", scores, scores) / count + 0.01 * np.eye(sums.shape[1], dtype=np.float32)
        return cls(levels, normal, np.linalg.inv(np.linalg.cholesky(covariance)).T.astype(np.float32))

    def of(self, sums: Floats) -> Floats:
        """Return the factors of molecules, float32 ``[G, FACTORS]``."""
        factors: Floats = np.einsum("nk,kf->nf", _scores(sums, self.levels, self.normal), self.whitening)
        return factors


def loadings(labels: int, generator: np.random.Generator) -> Floats:
    """Return how labels follow from the factors, float32 ``[FACTORS, labels]``: each from few, columns of norm 1."""
    drawn: Floats = generator.standard_normal((FACTORS, labels), np.float32)
    drawn *= np.where(generator.random((FACTORS, labels)) < 0.25, 1.0, 0.1).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=0)
    return drawn


def logistic_scale(noise: float) -> float:
    """Return the scale of logistic noise that is this share of a variance to which the signal adds 1 - `noise`.

    >>> round(logistic_scale(0.5), 3), logistic_scale(0.0) > 0
    (0.551, True)
    """
    return float(np.sqrt(3 * max(noise, 1e-6) / (1 - noise)) / np.pi)


def thresholds(signals: Floats, shares: Doubles, scale: float) -> Floats:
    """Return the threshold above which each label is, noise included, in its share of the molecules, ``[L]``.

    Args:
        signals: ``[L, n]``, of the molecules that it is fitted to.
        shares: ``[L]``.
        scale: of the logistic noise.
    """
    low, high = np.full(len(signals), -40.0), np.full(len(signals), 40.0)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        above = exceedance(signals, middle.astype(np.float32), scale).mean(axis=1) > shares
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    found: Floats = ((low + high) / 2).astype(np.float32)
    return found


def log_uniform(low: float, high: float, shape: int | tuple[int, ...], generator: np.random.Generator) -> Doubles:
    """Return numbers that are spread evenly on a logarithmic scale."""
    return np.exp(generator.uniform(np.log(low), np.log(high), shape))


def exceedance(signals: Floats, threshold: Floats, scale: float) -> Floats:
    """Return the probability that signal and noise together exceed the threshold ``[L]``, ``[L, n]``."""
    exponent: Floats = (threshold[:, None] - signals) * np.float32(1 / scale)
    np.clip(exponent, -80, 80, out=exponent)
    np.exp(exponent, out=exponent)
    exponent += 1
    np.reciprocal(exponent, out=exponent)
    return exponent


def _scores(sums: Floats, levels: Floats, normal: Floats) -> Floats:
    columns = [np.interp(sums[:, at], levels[:, at], normal) for at in range(sums.shape[1])]
    return np.stack(columns, axis=1).astype(np.float32)


def _looked_up(tables: tuple[Floats, ...], codes: NDArray[np.uint8]) -> Floats:
    total: Floats = tables[0][codes[:, 0]]
    for feature, table in enumerate(tables[1:], start=1):
        total = total + table[codes[:, feature]]
    return total


def _segment_sums(values: Floats, target: NDArray[np.int64], count: int) -> Floats:
    """Return the sum of the values ``[E, fields]`` of each target; targets ascend."""
    total = np.zeros((count, values.shape[1]), np.float32)
    present, first = np.unique(target, return_index=True)
    if len(present):
        total[present] = np.add.reduceat(values, first, axis=0)
    return total
