"""The model: encoder, read-outs and a head per task."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from molfound.config.schema import Level
from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError
from molfound.model.specification import ModelSpecification
from molfound.model.task_model import Draw, Normalizers, Objectives, TaskLosses, TaskModel
from molfound.nn.encoder_inputs import EncoderInputs
from molfound.nn.encoders import Encoder, encoders
from molfound.nn.pair_readouts import EdgeReadout, PairReadout, node_pairs
from molfound.nn.readouts import readouts
from molfound.nn.representations import Representations
from molfound.tasks.corruption import CorruptedBatch
from molfound.tasks.heads import heads
from molfound.tasks.normalization import Normalizer
from molfound.tasks.objectives import Sums, objectives
from molfound.tasks.task_loss import TaskLoss

Span = tuple[int, int]


class MolecularModel(TaskModel):
    """Inputs and encoder, a read-out per level, a head and a normaliser per task.

    Args:
        specification: what the model is made of; the components that it names must be registered.

    Attributes:
        tasks: by name.
        objectives: by name.
        normalizers: by task; they change nothing until their training statistics are set or loaded.
        losses: by task, with the counts of the training labels where a loss asks for them.

    Raises:
        MolfoundError: an unknown component or option, or components that do not fit together.
    """

    def __init__(self, specification: ModelSpecification) -> None:
        super().__init__()
        self.specification = specification
        self.tasks = dict(specification.tasks)
        for name in self.tasks:
            if hasattr(nn.ModuleDict, name) or hasattr(nn.ModuleDict(), name):
                raise MolfoundError(f"a task cannot be called '{name}': torch uses the name itself; choose another")
        inputs = _inputs(specification)
        encoder = specification.model.encoder
        self.encoder: Encoder = encoders.build(encoder.name, inputs, **encoder.options)
        self.readouts = nn.ModuleDict(_readouts(specification, self.encoder))
        widths = self.encoder.widths.by_level() | {level: readout.width for level, readout in self.readouts.items()}
        self.heads = nn.ModuleDict(
            {
                name: heads.build(task.head.name, widths[task.level], task, **task.head.options)
                for name, task in self.tasks.items()
            }
        )
        self.objectives = Objectives(
            {
                name: objectives.build(name, inputs, self.encoder.widths, **options)
                for name, options in specification.objectives.items()
            }
        )
        self.normalizers = Normalizers(
            {name: Normalizer.identity(len(task.labels)) for name, task in self.tasks.items()}
        )
        self.losses = TaskLosses({name: TaskLoss(task) for name, task in self.tasks.items()})

    @property
    def deviating(self) -> Sequence[str]:
        """The tasks whose heads predict a variance."""
        return [name for name, task in self.tasks.items() if task.predicts_variance]

    @property
    def represents_pairs(self) -> bool:
        """Whether the encoder represents the pairs of atoms."""
        return self.encoder.widths.pairs is not None

    def draws(self, batch: GraphBatch, datasets: Mapping[str, str | None] | None = None) -> Sequence[Draw]:
        """Return what the heads give, once."""
        chosen = dict.fromkeys(self.tasks) if datasets is None else datasets
        return [self._read(self._encoded(batch), batch, chosen) if chosen else {}]

    def restore(self, corrupted: CorruptedBatch) -> tuple[dict[str, Tensor], dict[str, Sums]]:
        """Return the predictions of `forward`, made from what is left of a batch, and each objective's sums."""
        made = self._encoded(corrupted.batch)
        predictions = self._read(made, corrupted.batch, self._own_datasets(corrupted.batch))
        return predictions, {name: objective(made, corrupted) for name, objective in self.objectives.items()}

    @property
    def loss_weights(self) -> dict[str, float]:
        """The weight of each loss: of a task by its name, of an objective as ``denoising/coordinates``."""
        weights = {name: task.weight for name, task in self.tasks.items()}
        for name in self.objectives:
            weights |= {f"{name}/{loss}": weight for loss, weight in self.objectives[name].weights.items()}
        return weights

    def represent(self, batch: GraphBatch, layer: str | None = None) -> Representations:
        """Return the representations of the nodes, and those that the heads read at the levels of the model's tasks.

        Args:
            batch: the graphs.
            layer: one of the encoder's `layers()`; None, or the last: its output. Those before it are as the encoder
                makes them, for no read-out has been trained on them.
        """
        layers = self.encoder.layers()
        if layer not in (None, layers[-1]):
            earlier: Representations = self.encoder(batch, layers.index(layer))
            return earlier
        made = self._encoded(batch)
        levels, everything = {task.level for task in self.tasks.values()}, (0, batch.num_graphs)
        return replace(
            made,
            edges=self._rows("edge", made, batch, everything) if "edge" in levels else made.edges,
            pairs=self._rows("node_pair", made, batch, everything) if "node_pair" in levels else made.pairs,
        )

    def __repr__(self) -> str:
        tasks = ", ".join(f"{name} ({len(task.labels)})" for name, task in self.tasks.items())
        objectives = ", ".join(self.objectives)
        parts = [self.specification.model.encoder.name, f"{_count(self):,} parameters"]
        parts += [f"{kind}: {names}" for kind, names in (("tasks", tasks), ("objectives", objectives)) if names]
        return f"MolecularModel({', '.join(parts)})"

    def _read(self, made: Representations, batch: GraphBatch, datasets: Mapping[str, str | None]) -> dict[str, Tensor]:
        # Not by span: its numbers, used as keys, would have torch.compile compile anew for every batch.
        rows: dict[tuple[Level, str | None], Tensor] = {}
        predictions = {}
        for name, dataset in datasets.items():
            level = self.tasks[name].level
            if (level, dataset) not in rows:
                span = (0, batch.num_graphs) if dataset is None else batch.datasets[dataset]
                rows[level, dataset] = self._rows(level, made, batch, span)
            predictions[name] = self.heads[name](rows[level, dataset])
        return predictions

    def _encoded(self, batch: GraphBatch) -> Representations:
        """Return the encoder's representations, with those of the graphs if a read-out is there to make them."""
        made: Representations = self.encoder(batch)
        if "graph" not in self.readouts:
            return made
        return replace(made, graphs=self.readouts["graph"](made.nodes, batch))

    def _rows(self, level: Level, made: Representations, batch: GraphBatch, span: Span) -> Tensor:
        """Return the representations at a level of the graphs ``first`` to ``last - 1`` of a batch."""
        first, last = span
        values = made.at(level)
        if values is not None:
            return values[first:last] if level == "graph" else values[_items(level, batch, span)]
        if level == "edge":
            edges = _items(level, batch, span)
            bonds = batch.bond_codes.index_select(0, batch.edge_bond[edges])
            read: Tensor = self.readouts["edge"](made.nodes, batch.edge_index[:, edges], bonds)
        else:
            read = self.readouts["node_pair"](made.nodes, node_pairs(batch.node_ptr[first : last + 1]))
        return read


def count_parameters(specification: ModelSpecification) -> dict[str, int]:
    """Return the number of parameters of each part of a model, and the total, without allocating them.

    The keys are ``inputs``, ``encoder``, ``readouts``, ``heads/<task>`` for each task, ``objectives/<name>`` for each
    objective, and ``total``.

    Raises:
        MolfoundError: an unknown component or option, or components that do not fit together.
    """
    with torch.device("meta"):
        model = MolecularModel(specification)
    inputs = _count(model.encoder.inputs)
    return {
        "inputs": inputs,
        "encoder": _count(model.encoder) - inputs,
        "readouts": _count(model.readouts),
        **{f"heads/{name}": _count(head) for name, head in model.heads.items()},
        **{f"objectives/{name}": _count(objective) for name, objective in model.objectives.items()},
        "total": _count(model),
    }


def _inputs(specification: ModelSpecification) -> EncoderInputs:
    config = specification.model
    return EncoderInputs(
        specification.atoms,
        specification.bonds,
        {name: encoding.parts for name, encoding in specification.encoded.items()},
        config.inputs.encodings,
        width=config.inputs.width,
        dropout=config.inputs.dropout,
    )


def _readouts(specification: ModelSpecification, encoder: Encoder) -> dict[str, nn.Module]:
    """Return the read-outs of those levels of the tasks that the encoder does not represent itself."""
    levels = {task.level for task in specification.tasks.values()}
    nodes, config = encoder.widths.nodes, specification.model.readout
    made: dict[str, nn.Module] = {}
    if "graph" in levels and encoder.widths.graphs is None:
        made["graph"] = readouts.build(config.name, nodes, **config.options)
    if "edge" in levels and encoder.widths.edges is None:
        made["edge"] = EdgeReadout(nodes, [feature.size for feature in specification.bonds])
    if "node_pair" in levels and encoder.widths.pairs is None:
        made["node_pair"] = PairReadout(nodes)
    return made


def _items(level: Level, batch: GraphBatch, span: Span) -> slice:
    """Return which nodes, edges or pairs are those of the graphs of a span."""
    # Reading a pointer makes the processor wait for the GPU.
    if span == (0, batch.num_graphs):
        return slice(None)
    first, last = batch.item_ptr(level)[list(span)].tolist()
    return slice(first, last)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
