"""molfound: train, measure and use molecular graph models over mixtures of datasets and thousands of sparse tasks.

Example:
    >>> import molfound as mf
    >>> model = mf.load("runs/quickstart")  # doctest: +SKIP
    >>> model.predict(["CCO", "c1ccccc1O"])  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from molfound.config import load_config as load_config
    from molfound.estimators.embedder import MoleculeEmbedder as MoleculeEmbedder
    from molfound.estimators.supervised import MoleculeClassifier as MoleculeClassifier
    from molfound.estimators.supervised import MoleculeRegressor as MoleculeRegressor
    from molfound.inference import Predictor as Predictor
    from molfound.inference import load as load
    from molfound.training.train import resume as resume
    from molfound.training.train import train as train

__version__ = "0.1.0"
__all__ = [
    "MoleculeClassifier",
    "MoleculeEmbedder",
    "MoleculeRegressor",
    "Predictor",
    "__version__",
    "load",
    "load_config",
    "resume",
    "train",
]

# Names that need torch or Lightning are found when they are first used, so that `molfound --help` answers at once.
_HOMES = {
    "MoleculeClassifier": "molfound.estimators.supervised",
    "MoleculeEmbedder": "molfound.estimators.embedder",
    "MoleculeRegressor": "molfound.estimators.supervised",
    "Predictor": "molfound.inference",
    "load": "molfound.inference",
    "load_config": "molfound.config",
    "resume": "molfound.training.train",
    "train": "molfound.training.train",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'molfound' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
