"""Embeddings: what a layer of the encoder makes of molecules or of their atoms."""

from collections.abc import Callable
from typing import Literal, get_args

from torch import Tensor

from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError, did_you_mean
from molfound.model import MolecularModel
from molfound.nn.readouts import pool

EmbeddingReadout = Literal["trained", "sum", "mean", "max", "none"]


def embedding(
    model: MolecularModel, layer: str | None = None, readout: EmbeddingReadout = "trained"
) -> Callable[[GraphBatch], Tensor]:
    """Return what makes embeddings of a batch, ``[G, width]``, or ``[N, width]`` of its nodes.

    Args:
        model: the model.
        layer: one of its encoder's layers; None: the last.
        readout: see `molfound.inference.Predictor.embed`.

    Raises:
        MolfoundError: an unknown layer or read-out, or a layer without a trained read-out.
    """
    layers = model.encoder.layers()
    chosen = layers[-1] if layer is None else layer
    if chosen not in layers:
        raise MolfoundError(f"the encoder has no layer '{chosen}'{did_you_mean(chosen, layers)}")
    if readout not in get_args(EmbeddingReadout):
        raise MolfoundError(
            f"there is no read-out '{readout}' of embeddings{did_you_mean(readout, get_args(EmbeddingReadout))}"
        )
    makes_graphs = model.encoder.widths.graphs is not None or (chosen == layers[-1] and "graph" in model.readouts)
    if readout == "trained" and not makes_graphs:
        raise MolfoundError(
            f"the model has no trained read-out of whole molecules for layer '{chosen}': choose sum, mean or max over "
            "their atoms, or none"
        )

    def embedded(batch: GraphBatch) -> Tensor:
        made = model.represent(batch, chosen)
        if readout == "none":
            return made.nodes
        if readout != "trained":
            return pool(made.nodes, batch, readout)
        assert made.graphs is not None
        return made.graphs

    return embedded
