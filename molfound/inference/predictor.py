"""A trained model as its users see it: SMILES in, a table of predictions in original units out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import cast

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from rdkit import Chem
from torch import Tensor

from molfound.chem.parsing import Rejection
from molfound.chem.similarity import KnownMolecules
from molfound.data.arrays import GraphArrays
from molfound.data.batch import GraphBatch
from molfound.data.collection import GraphCollection
from molfound.data.loader import evaluation_batches
from molfound.data.sampler import BatchLimits
from molfound.data.table_order import table_order
from molfound.data.views import StillView
from molfound.errors import MolfoundError, did_you_mean
from molfound.inference.applicability import with_applicability
from molfound.inference.calibrated import calibrated_logits, interval_bounds
from molfound.inference.cells import Output, check_names, frame, reasons
from molfound.inference.conformers import mean_predictions
from molfound.inference.deviations import deviating_tasks
from molfound.inference.embedding import EmbeddingReadout, embedding
from molfound.inference.featurizing import check_averaging, featurized
from molfound.inference.molecules import GivenMolecules, MoleculeRows
from molfound.model import DropoutSamples, ModelSpecification, MolecularModel, TaskModel
from molfound.tasks.calibration import Calibration

# Of atoms, in a batch of an encoder that represents pairs: its memory grows with them.
PAIRS_AT_ONCE = 1 << 17

Molecules = str | Chem.Mol | Iterable[str | Chem.Mol]
Compute = Callable[[GraphBatch], dict[str, Tensor]]
RowsToTable = Callable[[MoleculeRows], pa.Table]


class Predictor:
    """A trained model, or an ensemble of some, that predicts from SMILES.

    Args:
        model: in evaluation mode; it carries its features, encodings, tasks and normalisation.
        calibration: of its run, or None.
        known: training molecules of its run, or None.
    """

    def __init__(
        self, model: TaskModel, calibration: Calibration | None = None, known: KnownMolecules | None = None
    ) -> None:
        self.model, self.calibration, self.known = model, calibration, known
        self.specification: ModelSpecification = model.specification

    @property
    def tasks(self) -> dict[str, tuple[str, ...]]:
        """The labels of each task."""
        return {name: task.labels for name, task in self.model.tasks.items()}

    def __repr__(self) -> str:
        tasks = ", ".join(f"{name} ({len(labels)})" for name, labels in self.tasks.items())
        return f"Predictor({tasks or 'no tasks'}; {sum(p.numel() for p in self.model.parameters()):,} parameters)"

    @property
    def layers(self) -> list[str]:
        """The names of the encoder's layers that can be embedded from, from its inputs to its output."""
        return self._single.encoder.layers()

    def predict(
        self,
        molecules: Molecules,
        *,
        tasks: Sequence[str] | None = None,
        interval: float | None = None,
        calibrated: bool = False,
        deviation: bool = False,
        dropout_samples: int | None = None,
        applicability: bool = False,
        conformers: int | None = None,
        batch_size: int = 512,
    ) -> pd.DataFrame:
        """Return the predictions for a list of molecules, one row each, in their order.

        A column is named ``task.label``. Regression labels come in their original units, binary ones as probabilities,
        multiclass ones as the array of the classes' probabilities. What is no molecule has its reason in the column
        ``rejected`` and no prediction. Where the model reads coordinates, there is a column ``without_coordinates``,
        with the reason where a molecule has none and is predicted from its graph alone.

        At node, edge and node-pair level a cell is the array of the molecule's values, in the order of the lists that
        labels come in: atoms as in the SMILES, or by their atom-map numbers where these are 1 to n (or 0 to n - 1), or
        as in the RDKit molecule; pairs (i, j) of atoms so numbered at i·n + j; of each bond, in RDKit's order, the edge
        from its begin to its end atom, then the one back.

        Args:
            molecules: SMILES or RDKit molecules, in a list, a pandas Series (whose index the result has) or another
                iterable; or a single one.
            tasks: which tasks to predict; None: all.
            interval: also return, as ``task.label.low`` and ``.high``, between which values a regression's label lies
                with this probability, such as 0.9, for molecules like those of the run's validation part (split
                conformal prediction).
            calibrated: return probabilities of binary tasks that were calibrated on the validation part.
            deviation: also return, as ``task.label.deviation``, the standard deviation of each prediction, in its
                units: of an ensemble that of its members' predictions, of a regression whose loss is `gaussian_nll`
                what the head predicts, of both the two together.
            dropout_samples: return mean and standard deviation of so many passes in each of which dropout leaves out
                other units.
            applicability: also return, as ``similarity``, how alike a molecule is to the nearest training molecule, and
                as ``applicable`` whether it is at least as alike as all but 5 % of the validation part.
            conformers: make so many per molecule, and return the mean of the predictions for each of them; None: the
                one of lowest energy of as many as the training had.
            batch_size: molecules per forward pass, at most; it changes the speed only.

        Raises:
            MolfoundError: a model without tasks, an unknown task, with the nearest name, conformers for a model that
                reads none, an interval or calibrated probabilities that the run does not keep, deviations of a model
                that knows none, or dropout samples of one without dropout, training molecules that the run does not
                keep, or two columns that would have one name.
        """
        predictions = self.predictions(
            tasks=tasks,
            interval=interval,
            calibrated=calibrated,
            deviation=deviation,
            dropout_samples=dropout_samples,
            applicability=applicability,
            conformers=conformers,
            batch_size=batch_size,
        )
        return _framed(molecules, predictions)

    def embed(
        self,
        molecules: Molecules,
        *,
        layer: str | None = None,
        readout: EmbeddingReadout = "trained",
        conformers: int | None = None,
        batch_size: int = 512,
    ) -> pd.DataFrame:
        """Return the embeddings of a list of molecules, one row each, in their order: columns ``e0``, ``e1``, ….

        The columns ``rejected`` and ``without_coordinates`` are as for `predict`.

        Args:
            molecules: as for `predict`.
            layer: one of `layers`; None: the last.
            readout: ``trained``: what the model's own heads read of a graph; ``sum``, ``mean`` or ``max`` over the
                atoms; ``none``: each atom's, as an array ``[n, width]`` in the one column ``atoms``, in the order that
                `predict` has at node level.
            conformers: as for `predict`.
            batch_size: as for `predict`.

        Raises:
            MolfoundError: an unknown layer, or one that the model has no trained read-out for.

        Example:
            >>> import molfound as mf
            >>> mf.load("runs/quickstart").embed(["CCO"], readout="mean")  # doctest: +SKIP
        """
        embedded = self.embeddings(layer=layer, readout=readout, conformers=conformers, batch_size=batch_size)
        return _framed(molecules, embedded)

    def predictions(
        self,
        *,
        tasks: Sequence[str] | None = None,
        interval: float | None = None,
        calibrated: bool = False,
        deviation: bool = False,
        dropout_samples: int | None = None,
        applicability: bool = False,
        conformers: int | None = None,
        batch_size: int = 512,
    ) -> RowsToTable:
        """Return what makes a table of predictions of each block of molecules, with the arguments of `predict`."""
        if not self.tasks:
            raise MolfoundError("the model has no task to predict: embed with it")
        chosen = list(self.tasks if tasks is None else dict.fromkeys(tasks))
        for name in chosen:
            if name not in self.tasks:
                raise MolfoundError(f"the model has no task '{name}'{did_you_mean(name, self.tasks)}")
        if dropout_samples is not None and (interval is not None or calibrated):
            raise MolfoundError("intervals and calibrated probabilities are of predictions without dropout samples")
        lines = calibrated_logits(self.calibration, chosen) if calibrated else {}
        bounds = None if interval is None else interval_bounds(self.calibration, interval, chosen)
        model = self.model if dropout_samples is None else DropoutSamples(self.model, dropout_samples)
        deviation = deviation or dropout_samples is not None
        deviating = deviating_tasks(model, chosen) if deviation else []
        outputs: dict[str, Output] = {}
        for name in chosen:
            task = self.model.tasks[name]
            columns = [f"{name}.{label}" for label in task.labels]
            outputs[name] = Output(task.level, columns, task.classes)
            if bounds is not None and name in bounds.tasks:
                for bound in (".low", ".high"):
                    outputs[name + bound] = Output(task.level, columns, None, bound)
            if name in deviating:
                outputs[f"{name}.deviation"] = Output(task.level, columns, task.classes, ".deviation")

        def compute(batch: GraphBatch) -> dict[str, Tensor]:
            predicted = model.predict(batch, lines, deviation=deviation)
            return predicted if bounds is None else bounds.added(predicted)

        table = self._tables(outputs, compute, conformers, batch_size)
        return with_applicability(table, self.known) if applicability else table

    def embeddings(
        self,
        *,
        layer: str | None = None,
        readout: EmbeddingReadout = "trained",
        conformers: int | None = None,
        batch_size: int = 512,
    ) -> RowsToTable:
        """Return what makes a table of embeddings of each block of molecules, with the arguments of `embed`."""
        if readout == "none" and self.specification.crop is not None:
            raise MolfoundError(
                f"the model cuts molecules to {self.specification.crop} atoms (data.crop), and what is cut off has no "
                "embedding: choose another read-out than none"
            )
        embedded = embedding(self._single, layer, readout)
        # Of which width a layer is, its output alone can tell.
        arrays, _ = self.featurize(["C"])
        ((_, found),) = self._forward(arrays, lambda batch: {"e": embedded(batch)}, {"e": "graph"}, 1, 1)
        width = found["e"].shape[1]
        if readout != "none":
            output = Output("graph", [f"e{number}" for number in range(width)], None)
            return self._tables({"e": output}, lambda batch: {"e": embedded(batch)}, conformers, batch_size)
        output = Output("node", ["atoms"], width)
        return self._tables({"e": output}, lambda batch: {"e": embedded(batch)[:, None]}, conformers, batch_size)

    @property
    def _single(self) -> MolecularModel:
        """The model, where it is one that has embeddings."""
        if not isinstance(self.model, MolecularModel):
            raise MolfoundError("an ensemble has no embedding: embed with one of its members, such as members/1 in it")
        return self.model

    def _tables(
        self, outputs: dict[str, "Output"], compute: Compute, conformers: int | None, batch_size: int
    ) -> RowsToTable:
        if conformers is not None:
            check_averaging(self.specification, conformers)
        levels = {name: output.level for name, output in outputs.items()}
        check_names(outputs.values())

        def table(rows: MoleculeRows) -> pa.Table:
            arrays, rejections, without = featurized(self.specification, rows.read, conformers)
            cells = {name: output.cells() for name, output in outputs.items()}
            order = [np.zeros(0, np.int64)]
            for batch, values in self._forward(arrays, compute, levels, conformers or 1, batch_size):
                order.append(batch.rows.numpy())
                read = [rows.read[row] for row in order[-1].tolist()]
                for name, level in levels.items():
                    item_ptr = batch.item_ptr(level).cpu()
                    cells[name].add(values[name][table_order(level, read, item_ptr)], item_ptr.diff())
            columns: dict[str, dict[str, pa.Array]] = {}  # by label
            for name, output in outputs.items():
                made = cells[name].columns(np.concatenate(order), len(rows))
                for label, column in zip(output.labels, made, strict=True):
                    columns.setdefault(label, {})[label + output.suffix] = column
            told = {name: column for of_label in columns.values() for name, column in of_label.items()}
            if self.specification.conformers is not None:
                told["without_coordinates"] = reasons(without, len(rows))
            return pa.table({"smiles": rows.smiles, **told, "rejected": reasons(rejections, len(rows))})

        return table

    def featurize(
        self, smiles: Sequence[object], *, conformers: int | None = None
    ) -> tuple[GraphArrays, list[tuple[int, Rejection]]]:
        """Return the graphs of SMILES with the model's features and encodings, and why others were rejected.

        A model that reads coordinates is given conformers made as those of its training were. If its training was given
        coordinates, so is it where a molecule brings some along, in three dimensions (a CXSMILES or RDKit's), and
        elsewhere they are made with the same settings. A molecule that cannot be embedded has none, and neither has one
        that brings along some that are not its own.

        Args:
            smiles: SMILES of any number of molecules, or RDKit molecules.
            conformers: how many to make per molecule; None: as many as the training had.
        """
        arrays, rejections, _ = featurized(self.specification, smiles, conformers)
        return arrays, rejections

    @torch.no_grad()
    def _forward(
        self, arrays: GraphArrays, compute: Compute, levels: Mapping[str, str], conformers: int, batch_size: int
    ) -> Iterator[tuple[GraphBatch, dict[str, Tensor]]]:
        if len(arrays.rows) == 0:
            return
        collection = GraphCollection({"input": arrays}, crop=self.specification.crop)
        device = next(self.model.parameters()).device
        pairs = self.model.represents_pairs
        # Molecules of one size stand together where they would be padded to the largest of their batch.
        limits = BatchLimits(batch_size, pairs=PAIRS_AT_ONCE if pairs else None, bucket=1 if pairs else None)
        positions = np.arange(len(collection))
        loaders = [evaluation_batches(collection, positions, limits, view=StillView(k)) for k in range(conformers)]
        for batches in zip(*loaders, strict=True):
            computed = [compute(batch.to(device)) for batch in batches]
            predicted = [{name: values[name] for name in levels} for values in computed]
            yield batches[0], mean_predictions(predicted, batches[0], arrays, levels)


def _framed(molecules: Molecules, table: RowsToTable) -> pd.DataFrame:
    single = isinstance(molecules, (str, Chem.Mol))
    source = GivenMolecules([molecules] if single else cast(Iterable[object], molecules))
    found = frame(pa.concat_tables(map(table, source.blocks())))
    return found.set_axis(molecules.index) if isinstance(molecules, pd.Series) else found
