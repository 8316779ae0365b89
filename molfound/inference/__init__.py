"""Use a trained run: load it, predict."""

from molfound.inference.predictor import Predictor, load

__all__ = ["Predictor", "load"]
