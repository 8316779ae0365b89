"""Use a trained run: load it, predict."""

from molfound.inference.loading import load
from molfound.inference.predictor import Predictor

__all__ = ["Predictor", "load"]
