"""Message-passing layers, one file each; importing this package registers them all."""

from molfound.nn.layers import gcn, gin, gine
from molfound.nn.layers.layer import Layer, layers

__all__ = ["Layer", "gcn", "gin", "gine", "layers"]
