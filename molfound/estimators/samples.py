"""Molecules as the samples of scikit-learn's estimators."""

from typing import Any

from sklearn.base import BaseEstimator


class MoleculeEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator whose samples are SMILES or RDKit molecules, not rows of a table of numbers."""

    def __sklearn_tags__(self) -> Any:
        """Say that samples are texts and not tables of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.requires_fit = True
        tags.no_validation = True
        return tags
