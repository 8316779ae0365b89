"""A trained model as its users see it: SMILES in, a table of predictions in original units out."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor

from molfound.chem.graphs import featurize_smiles
from molfound.chem.parsing import Rejection
from molfound.data.arrays import GraphArrays
from molfound.data.batch import GraphBatch
from molfound.data.collection import GraphCollection
from molfound.data.coordinates import CoordinateArrays
from molfound.data.loader import evaluation_batches
from molfound.data.sampler import BatchLimits
from molfound.data.table_order import table_order
from molfound.data.views import StillView
from molfound.encodings import compute_encoding
from molfound.errors import MolfoundError, did_you_mean
from molfound.inference.conformers import made_coordinates, mean_predictions
from molfound.model import ModelSpecification, MolecularModel, load_model, load_specification, torch_device
from molfound.plugins import restore_plugins

FEATURIZED_AT_ONCE = 4096
# Of atoms, in a batch of an encoder that represents pairs: its memory grows with them.
PAIRS_AT_ONCE = 1 << 17


def load(run: str | Path, *, device: str | torch.device = "auto", allow_plugins: bool = False) -> "Predictor":
    """Return the model of a run folder, ready to predict.

    Args:
        run: the run folder.
        device: where the model computes, see `molfound.model.torch_device`; by default a GPU where there is one.
        allow_plugins: whether copies of plugins kept in the run may be executed. The original files of one's own
            plugins are used without asking as long as they are unchanged.

    Raises:
        MolfoundError: no model there, one made by a newer version, no such device, or a plugin that may not be
            executed.

    Example:
        >>> import molfound as mf
        >>> model = mf.load("runs/quickstart")  # doctest: +SKIP
        >>> model.predict(["CCO"])  # doctest: +SKIP
    """
    chosen, folder = torch_device(device), Path(run)
    if not (folder / "model.json").is_file():
        raise MolfoundError(f"{folder} holds no model: it has no model.json")
    specification = load_specification(folder)
    restore_plugins(specification.plugins, folder / "plugins", allow_copies=allow_plugins)
    return Predictor(load_model(folder).to(chosen).eval())


class Predictor:
    """A trained model that predicts from SMILES.

    Args:
        model: in evaluation mode; it carries its features, encodings, tasks and normalisation.
    """

    def __init__(self, model: MolecularModel) -> None:
        self.model = model
        self.specification: ModelSpecification = model.specification

    @property
    def tasks(self) -> dict[str, tuple[str, ...]]:
        """The labels of each task."""
        return {name: task.labels for name, task in self.model.tasks.items()}

    def __repr__(self) -> str:
        tasks = ", ".join(f"{name} ({len(labels)})" for name, labels in self.tasks.items())
        return f"Predictor({tasks or 'no tasks'}; {sum(p.numel() for p in self.model.parameters()):,} parameters)"

    def predict(
        self,
        smiles: str | Iterable[str],
        *,
        tasks: Sequence[str] | None = None,
        conformers: int | None = None,
        batch_size: int = 512,
    ) -> pd.DataFrame:
        """Return the predictions of a list of SMILES, one row each, in their order.

        A column is named ``task.label``. Regression labels come in their original units, binary ones as probabilities,
        multiclass ones as the list of the classes' probabilities. A SMILES that cannot be read has its reason in the
        column ``rejected`` and no prediction.

        At node, edge and node-pair level a cell is the list of the molecule's values, in the order of the lists that
        labels come in: atoms as in the SMILES, or by their atom-map numbers where these are 1 to n (or 0 to n - 1);
        pairs (i, j) of atoms so numbered at i·n + j; of each bond, in RDKit's order, the edge from its begin to its end
        atom, then the one back.

        Args:
            smiles: SMILES of any number of molecules.
            tasks: which tasks to predict; None: all.
            conformers: make so many per molecule, and return the mean of the predictions for each of them; None: the
                one of lowest energy of as many as the training had.
            batch_size: molecules per forward pass, at most; it changes the speed only.

        Raises:
            MolfoundError: an unknown task, with the nearest name, or conformers for a model that reads none.
        """
        given = [smiles] if isinstance(smiles, str) else list(smiles)
        chosen = list(self.tasks if tasks is None else dict.fromkeys(tasks))
        for name in chosen:
            if name not in self.tasks:
                raise MolfoundError(f"the model has no task '{name}'{did_you_mean(name, self.tasks)}")
        if conformers is not None:
            self._check_averaging(conformers)
        blocks = [given[i : i + FEATURIZED_AT_ONCE] for i in range(0, len(given), FEATURIZED_AT_ONCE)]
        tables = [self._predict_block(block, chosen, conformers, batch_size) for block in blocks or [[]]]
        return pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]

    def _predict_block(
        self, smiles: list[str], tasks: list[str], conformers: int | None, batch_size: int
    ) -> pd.DataFrame:
        arrays, rejections = self.featurize(smiles, conformers=conformers)
        columns: dict[str, list[Any]] = {f"{t}.{label}": [] for t in tasks for label in self.tasks[t]}
        for batch, predictions in self._forward(arrays, conformers or 1, batch_size):
            texts = [smiles[row] for row in batch.rows.tolist()]
            for name in tasks:
                cells = _cells(predictions[name], batch, self.model.tasks[name].level, texts)
                for label, values in zip(self.tasks[name], cells, strict=True):
                    columns[f"{name}.{label}"].extend(values)
        table = pd.DataFrame({"smiles": smiles, "rejected": pd.Series([None] * len(smiles), dtype=object)})
        for position, rejection in rejections:
            detail = f": {rejection.detail}" if rejection.detail else ""
            table.loc[position, "rejected"] = f"{rejection.reason}{detail}"
        predicted = pd.DataFrame(columns, index=arrays.rows)
        return table.join(predicted)[["smiles", *columns, "rejected"]]

    def featurize(
        self, smiles: Sequence[object], *, conformers: int | None = None
    ) -> tuple[GraphArrays, list[tuple[int, Rejection]]]:
        """Return the graphs of SMILES with the model's features and encodings, and why others were rejected.

        A model that reads coordinates is given conformers made as those of its training were, or, if its training was
        given coordinates, made with the same settings. A molecule that cannot be embedded has none.

        Args:
            smiles: SMILES of any number of molecules.
            conformers: how many to make per molecule; None: as many as the training had.
        """
        features = self.specification
        block, kept, rejections = featurize_smiles(
            smiles, features.atom_features, features.bond_features, features.max_heavy_atoms
        )
        encodings: dict[str, np.ndarray] = {}
        for name, options in features.encodings.items():
            encodings |= compute_encoding(name, block, options)
        accepted = pa.array([str(smiles[position]) for position in kept])
        coordinates = self._coordinates(accepted.to_pylist(), conformers)
        return GraphArrays(block, kept, accepted, encodings=encodings, coordinates=coordinates), rejections

    def _coordinates(self, smiles: list[str], count: int | None) -> CoordinateArrays | None:
        config = self.specification.conformers
        if config is None:
            return None
        config = config if count is None else config.model_copy(update={"count": count})
        return made_coordinates(smiles, config, self.specification.max_heavy_atoms)

    def _check_averaging(self, conformers: int) -> None:
        config = self.specification.conformers
        if config is None or config.source == "drawn":
            raise MolfoundError("the model reads no conformers: there is nothing to average over")
        if conformers < 1:
            raise MolfoundError(f"at least one conformer is needed, not {conformers}")

    @torch.no_grad()
    def _forward(
        self, arrays: GraphArrays, conformers: int, batch_size: int
    ) -> Iterator[tuple[GraphBatch, dict[str, Tensor]]]:
        if len(arrays.rows) == 0:
            return
        collection = GraphCollection({"input": arrays}, crop=self.specification.crop)
        device = next(self.model.parameters()).device
        limits = BatchLimits(batch_size, pairs=PAIRS_AT_ONCE if self.model.encoder.widths.pairs is not None else None)
        positions = np.arange(len(collection))
        loaders = [evaluation_batches(collection, positions, limits, view=StillView(k)) for k in range(conformers)]
        for batches in zip(*loaders, strict=True):
            predicted = [self.model.predict(batch.to(device)) for batch in batches]
            levels = {name: task.level for name, task in self.model.tasks.items()}
            yield batches[0], mean_predictions(predicted, batches[0], arrays, levels)


def _cells(prediction: Tensor, batch: GraphBatch, level: str, smiles: Sequence[str]) -> list[list[Any]]:
    """Return for each label one cell per molecule of the batch: a number at graph level, else a list of numbers."""
    if level == "graph":
        return prediction.transpose(0, 1).tolist()
    item_ptr = batch.item_ptr(level)
    by_label = prediction[table_order(level, smiles, item_ptr)].transpose(0, 1)
    return [[part.tolist() for part in values.split(item_ptr.diff().tolist())] for values in by_label]
