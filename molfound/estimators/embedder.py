"""A trained model as a scikit-learn transformer."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from molfound.errors import MolfoundError
from molfound.estimators.samples import MoleculeEstimator
from molfound.inference.embedding import EmbeddingReadout
from molfound.inference.loading import load


class MoleculeEmbedder(TransformerMixin, MoleculeEstimator):  # type: ignore[misc]
    """Embeds molecules with the model of a run, as a step of a scikit-learn pipeline.

    What it is given are SMILES or RDKit molecules, one per sample, in a list, an array or a pandas Series; a table of
    one column is taken as that column.

    Args:
        run: what `molfound.load` takes: a run folder, or the name of a model that comes with molfound, say.
        layer: see `molfound.inference.Predictor.embed`.
        readout: see there; not ``none``, for a sample has one embedding.
        invalid: ``raise``: a sample that is no molecule is an error; ``nan``: its embedding is NaN, for an imputer or a
            model that takes missing values.
        device: where the model computes, see `molfound.load`.

    Attributes:
        n_features_out_: the width of an embedding.

    Raises:
        MolfoundError: in `fit`, a run or layer that is not there; in `transform`, a sample that is no molecule.

    Example:
        >>> from sklearn.linear_model import Ridge
        >>> from sklearn.pipeline import make_pipeline
        >>> import molfound as mf
        >>> regressor = make_pipeline(mf.MoleculeEmbedder("runs/quickstart", readout="mean"), Ridge())
        >>> regressor.fit(["CCO", "CCC", "c1ccccc1"], [0.1, 1.8, 2.0])  # doctest: +SKIP
    """

    def __init__(
        self,
        run: str | Path,
        *,
        layer: str | None = None,
        readout: EmbeddingReadout = "trained",
        invalid: Literal["raise", "nan"] = "raise",
        device: str = "auto",
    ) -> None:
        self.run = run
        self.layer = layer
        self.readout = readout
        self.invalid = invalid
        self.device = device

    def fit(self, X: Iterable[object], y: object = None) -> Self:  # noqa: N803 (scikit-learn's name)
        """Load the model; nothing is learned from the samples."""
        if self.readout == "none":
            raise MolfoundError("read-out 'none' embeds atoms, and a sample has one embedding: choose another")
        if self.invalid not in ("raise", "nan"):
            raise MolfoundError(f"invalid is 'raise' or 'nan', not '{self.invalid}'")
        self._model = load(self.run, device=self.device)
        self.n_features_out_ = self._embedded(["C"]).shape[1]
        return self

    def transform(self, X: Iterable[object]) -> NDArray[np.float32]:  # noqa: N803 (scikit-learn's name)
        """Return the embeddings, float32 ``[samples, n_features_out_]``."""
        check_is_fitted(self, "n_features_out_")
        return self._embedded(X)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the names of the embedding's columns."""
        check_is_fitted(self, "n_features_out_")
        return np.array([f"e{number}" for number in range(self.n_features_out_)], dtype=object)

    def _embedded(self, molecules: Iterable[Any]) -> NDArray[np.float32]:
        table = self._model.embed(molecules, layer=self.layer, readout=self.readout)
        if self.invalid == "raise" and table["rejected"].notna().any():
            place = int(table["rejected"].notna().to_numpy().argmax())
            raise MolfoundError(f"sample {place} is no molecule: {table['rejected'].iloc[place]}")
        return table.filter(regex=r"^e\d+$").to_numpy(np.float32)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: not the model, which the run folder holds."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_model"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Load the model again if it was loaded before."""
        super().__setstate__(state)
        if hasattr(self, "n_features_out_"):
            self._model = load(self.run, device=self.device)

    def __sklearn_tags__(self) -> Any:
        """Say that an embedding may be missing."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.invalid == "nan"
        return tags
