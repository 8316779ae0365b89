"""Positional and structural encodings of many graphs at once: graph arrays in, float arrays out, without torch."""

from molfound.encodings.laplacian import laplacian
from molfound.encodings.random_walk import random_walk
from molfound.encodings.registry import (
    Encoding,
    compute_encoding,
    encoding,
    encodings,
    part_levels,
    part_widths,
)

__all__ = [
    "Encoding",
    "compute_encoding",
    "encoding",
    "encodings",
    "laplacian",
    "part_levels",
    "part_widths",
    "random_walk",
]
