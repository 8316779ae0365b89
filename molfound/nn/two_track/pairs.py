"""The start of the pair track."""

from math import pi, sqrt
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molfound.nn.two_track.distances import distances
from molfound.nn.two_track.inputs import MoleculeTensors
from molfound.nn.two_track.precision import widened, without_autocast

_PATH_ROWS = 512
# No path is as long: a molecule has at most 256 atoms here.
UNREACHABLE = 510
DROPPED = 511
_BOND_ROWS = 64
_PAIR_TYPE_ROWS = 512
_KERNEL_RANGE = 9.0

PairType = Literal["chirality", "element"]


class PairTrack(nn.Module):
    """Each pair from its shortest path, its bond and its distance (arXiv 2406.14969).

    It is the embedding of the shortest path, plus the mean of the embeddings of the bond features, plus, in molecules
    with coordinates, a perceptron of a Gaussian kernel of the distance. All pairs with the virtual atom are one learned
    vector.

    Args:
        pair_width: width of the pair track.
        gaussians: number of Gaussians in the kernel.
        pair_type: which code of an atom chooses its entry of the kernel's tables: its chirality, as in the published
            code, or its token.
    """

    def __init__(self, pair_width: int, gaussians: int = 128, pair_type: PairType = "chirality") -> None:
        super().__init__()
        self.pair_type = pair_type
        self.paths = nn.Embedding(_PATH_ROWS, pair_width)
        self.bonds = nn.EmbeddingBag(_BOND_ROWS, pair_width, mode="mean")
        self.virtual = nn.Embedding(1, pair_width)
        self.kernel = GaussianKernel(gaussians)
        self.kernel_hidden = nn.Linear(gaussians, gaussians)
        self.kernel_out = nn.Linear(gaussians, pair_width)

    def forward(self, molecules: MoleculeTensors) -> Tensor:
        """Return the pairs with those of the virtual atom before them, ``[B, 1 + L, 1 + L, P]``."""
        batch, length = molecules.tokens.shape
        bonds = self.bonds(molecules.bond_features.flatten(0, 2).long()).unflatten(0, (batch, length, length))
        pairs = self.paths(molecules.shortest_paths.long()) + bonds
        if molecules.coordinates is not None:
            types = molecules.features[:, :, 0] if self.pair_type == "chirality" else molecules.tokens
            places, known = _known_places(molecules.coordinates, molecules.mask)
            kernel = self.kernel(distances(places), types.long())
            hidden = self.kernel_hidden(kernel.to(self.kernel_hidden.weight.dtype))
            seen = self.kernel_out(F.gelu(hidden))
            pairs = pairs + seen.masked_fill(~known[:, None, None, None], 0)
        virtual = self.virtual.weight[0]
        rows = torch.cat((virtual.expand(batch, 1, length, -1), pairs), dim=1)
        return torch.cat((virtual.expand(batch, length + 1, 1, -1), rows), dim=2)


def _known_places(coordinates: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the coordinates with 0 for those that are not there, and bool ``[B]``, which molecules have theirs."""
    absent = ~mask[..., None]
    known = (coordinates.isfinite() | absent).all((1, 2))
    return coordinates.masked_fill(absent | ~known[:, None, None], 0.0), known


class GaussianKernel(nn.Module):
    """A distance as its densities under fixed normal distributions, after an affine map of the two atoms' types.

    The distance d of atoms i and j becomes ``(|scale_i| + |scale_j|) d + shift_i + shift_j`` (Å). The means are spaced
    evenly from 0 to 9 Å, and their spacing is the standard deviation.

    Args:
        gaussians: number of distributions, at least 2.
    """

    means: Tensor

    def __init__(self, gaussians: int = 128) -> None:
        super().__init__()
        self.deviation = _KERNEL_RANGE / (gaussians - 1)
        self.register_buffer("means", torch.linspace(0, _KERNEL_RANGE, gaussians))
        self.scales = nn.Embedding(_PAIR_TYPE_ROWS, 1)
        self.shifts = nn.Embedding(_PAIR_TYPE_ROWS, 1)

    def forward(self, distances: Tensor, types: Tensor) -> Tensor:
        """Return the densities ``[B, L, L, gaussians]``, at least in float32.

        Args:
            distances: ``[B, L, L]`` in Å.
            types: int64 ``[B, L]``, below 512.
        """
        with without_autocast(distances):
            scales, shifts = widened(self.scales(types)).abs(), widened(self.shifts(types))
            mapped = (scales + scales.mT) * widened(distances) + shifts + shifts.mT
            deviations = (mapped[..., None] - widened(self.means)) / self.deviation
            return (-0.5 * deviations.square()).exp() / (self.deviation * sqrt(2 * pi))
