"""Objectives, one file each: what is learned without labels; importing this package registers them all."""

from molfound.tasks.objectives import denoising, masked_atoms, masked_bonds
from molfound.tasks.objectives.objective import Objective, Sums, objectives

__all__ = ["Objective", "Sums", "denoising", "masked_atoms", "masked_bonds", "objectives"]
