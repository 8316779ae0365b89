"""Encoders, one file each; importing this package registers them all."""

from molfound.nn.encoders import gnn, two_track
from molfound.nn.encoders.encoder import Encoder, encoders

__all__ = ["Encoder", "encoders", "gnn", "two_track"]
