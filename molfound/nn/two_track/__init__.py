"""The two-track transformer of Uni-Mol2 (Ji et al., 2024, arXiv 2406.14969): a track of atoms and one of their pairs.

It reads `MoleculeTensors` and gives `Tracks`; the heads of its pretraining objectives are modules beside it.
"""

from molfound.nn.two_track.alignment import align
from molfound.nn.two_track.coordinates import CoordinateHead
from molfound.nn.two_track.distances import distances
from molfound.nn.two_track.initialization import initialize
from molfound.nn.two_track.inputs import MASK_TOKEN, PAD_TOKEN, MoleculeTensors
from molfound.nn.two_track.network import SIZES, Size, Tracks, TwoTrackNetwork
from molfound.nn.two_track.pairs import DROPPED, UNREACHABLE
from molfound.nn.two_track.token_head import TokenHead

__all__ = [
    "DROPPED",
    "MASK_TOKEN",
    "PAD_TOKEN",
    "SIZES",
    "UNREACHABLE",
    "CoordinateHead",
    "MoleculeTensors",
    "Size",
    "TokenHead",
    "Tracks",
    "TwoTrackNetwork",
    "align",
    "distances",
    "initialize",
]
