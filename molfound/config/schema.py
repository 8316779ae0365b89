"""The typed, frozen configuration of an experiment: every key, its type, its default and what it means."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Strict, Tag, model_validator
from pydantic_core import PydanticCustomError

from molfound.config.component import Component
from molfound.errors import did_you_mean

Level = Literal["graph", "node", "edge", "node_pair"]
Kind = Literal["regression", "binary", "multiclass"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*$", max_length=100)]
Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], Strict(False)]
Count = Annotated[int, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Dropout = Annotated[float, Field(ge=0, lt=1)]


def _without_null(entries: Any) -> Any:
    if not isinstance(entries, Mapping):
        return entries
    return {key: entry for key, entry in entries.items() if entry is not None}


TakesOutNull = BeforeValidator(_without_null)
"""In a mapping of named entries, an entry set to null is taken out: so a child drops what its parent brought."""


class Section(BaseModel):
    """A part of the configuration: frozen, closed to unknown keys, strict about types (``"3"`` is no number)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class FileSplit(Section):
    """Parts given as row numbers in a ``.pt``, ``.npz`` or ``.csv`` file."""

    kind: Literal["file"]
    """Row numbers are read from a file."""
    file: Text
    """The file, sought where the dataset's files are: part name to row numbers."""
    url: Text | None = None
    """Where the file can be fetched."""
    sha256: Text | None = None
    """SHA-256 checksum, in hexadecimal digits, which the file has to have; null: any."""


def _fractions(value: Any) -> Any:
    numbers = isinstance(value, list | tuple) and all(type(part) in (int, float) for part in value)
    if not numbers or len(value) != 3 or not all(0 <= part <= 1 for part in value) or value[0] == 0:
        raise PydanticCustomError("fractions", "should be three shares from 0 to 1, train, val and test, train above 0")
    if sum(value) > 1 + 1e-9:
        raise PydanticCustomError("fractions", "the fractions sum to {total}, above 1", {"total": f"{sum(value):g}"})
    return tuple(float(part) for part in value)


Fractions = Annotated[tuple[float, float, float], BeforeValidator(_fractions)]


class RandomSplit(Section):
    """Parts drawn row by row at random."""

    kind: Literal["random"]
    """Rows are drawn at random."""
    fractions: Fractions = (0.8, 0.1, 0.1)
    """Shares of the rows for train, val and test; at most 1 in all, and what they leave is not used."""
    seed: Seed = 42
    """Seed of the draw."""


class ScaffoldSplit(Section):
    """Parts of whole Murcko scaffolds, so that no scaffold stands in two parts."""

    kind: Literal["scaffold"]
    """Whole Murcko scaffolds are drawn."""
    fractions: Fractions = (0.8, 0.1, 0.1)
    """Shares of the rows for train, val and test; at most 1 in all, and what they leave is not used."""
    seed: Seed = 42
    """Seed of the draw."""


class ColumnSplit(Section):
    """Parts named by a column of the table."""

    kind: Literal["column"]
    """A column names each row's part."""
    column: Text
    """The column; its values are part names (train, val, test, …), and a row without one is not used."""


SplitSpec = Annotated[FileSplit | RandomSplit | ScaffoldSplit | ColumnSplit, Field(discriminator="kind")]
"""How a dataset is split, in a manifest or in an experiment."""

SPLIT_KINDS = ("file", "random", "scaffold", "column")


def _split_form(value: Any) -> str | None:
    if isinstance(value, str):
        return "name"
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) else None


SplitChoice = Annotated[
    Annotated[Text, Tag("name")]
    | Annotated[FileSplit, Tag("file")]
    | Annotated[RandomSplit, Tag("random")]
    | Annotated[ScaffoldSplit, Tag("scaffold")]
    | Annotated[ColumnSplit, Tag("column")],
    Discriminator(
        _split_form,
        custom_error_type="split",
        custom_error_message="should be the name of a split of the manifest, or {kind: …} with kind one of "
        + ", ".join(SPLIT_KINDS),
    ),
]


class DatasetConfig(Section):
    """One dataset of the mixture."""

    manifest: Text
    """Name of a shipped manifest (toymix/qm9) or path of one."""
    split: SplitChoice | None = None
    """Name of one of the manifest's splits, or a split of one's own; null: the manifest's first."""
    share: Annotated[float, Field(gt=0, le=100)] = 1.0
    """How often an epoch sees the training rows: 0.5, a fresh half of them each time; 2, all of them twice."""


class BatchConfig(Section):
    """Bounds of a batch; it is full at whichever comes first."""

    size: Count = 200
    """Molecules."""
    nodes: Count | None = None
    """Nodes; null: no bound."""
    edges: Count | None = None
    """Edges, each bond counted in both directions; null: no bound."""


class DataConfig(Section):
    """The datasets, where they lie and how they are prepared and batched."""

    root: Text = "data"
    """Folder of the datasets' files, relative to the working directory; where no file names it, that of the environment
    variable MOLFOUND_DATA, or data."""
    store: Text = "stores"
    """Folder of the prepared graphs, relative to the working directory."""
    block_rows: Count = 8192
    """Input rows per shard of the store."""
    processes: Count | None = None
    """Processes that prepare; null: one per core."""
    max_rejected: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Preparation stops when more than this share of a dataset's rows is rejected."""
    max_heavy_atoms: Count = 1000
    """A molecule with more heavy atoms is rejected."""
    datasets: Annotated[dict[Key, DatasetConfig], Field(min_length=1), TakesOutNull]
    """The mixture, by the names that tasks use; null takes an inherited one out."""
    batch: BatchConfig = BatchConfig()
    """Bounds of a batch."""


class FeaturesConfig(Section):
    """The atom and bond features, in their order."""

    atoms: Annotated[Texts, Field(min_length=1)] = (
        "atomic_number",
        "group",
        "period",
        "total_valence",
        "degree",
        "charge",
        "radicals",
        "aromatic",
        "in_ring",
        "chirality",
        "hybridization",
        "hydrogens",
    )
    """Atom features."""
    bonds: Texts = ("bond_type", "stereo", "conjugated", "bond_in_ring")
    """Bond features."""


class InputsConfig(Section):
    """The network from codes and encodings to the encoder's input."""

    width: Count = 64
    """Width of the embedded features."""
    dropout: Dropout = 0.0
    """Dropout on the embedded input."""
    encodings: Annotated[dict[Key, Component], TakesOutNull] = {}
    """The encoding encoder of each encoding, by the encoding's name; by default a deepset of width 32 for laplacian and
    an mlp of width 32 for random_walk, where the experiment has these encodings; null takes an inherited one out."""


class ModelConfig(Section):
    """The model up to the heads."""

    inputs: InputsConfig = InputsConfig()
    """The input network."""
    encoder: Component
    """The network from a batch to representations."""
    readout: Component = Component("pool", {"pooling": ["sum"]})
    """From node representations to a graph's."""


class TaskConfig(Section):
    """One task: what one head predicts. What is null is taken from the dataset's manifest or from the task's kind."""

    dataset: Key
    """The dataset, by its name under data.datasets."""
    task: Text | None = None
    """The task's name in the dataset's manifest; null: the name it has here."""
    level: Level | None = None
    """Level of the labels; null: as the manifest says."""
    kind: Kind | None = None
    """What a label is; null: as the manifest says."""
    classes: Annotated[int, Field(ge=2)] | None = None
    """Number of classes of a multiclass task; null: as the manifest says."""
    labels: Annotated[Texts, Field(min_length=1)] | None = None
    """Label columns, wildcards allowed; null: as the manifest says."""
    head: Component = Component("mlp", {"hidden": [128]})
    """From representations to predictions."""
    loss: Component | None = None
    """Loss; null: mae for regression, bce for binary, cross_entropy for multiclass."""
    metrics: Annotated[tuple[Component, ...], Strict(False)] | None = None
    """Metrics; null: the usual ones of the kind."""
    normalize: Literal["standard", "none"] | None = None
    """Label normalisation, fitted on training labels; null: standard for regression, none for classes."""
    reduction: Literal["value", "label"] = "value"
    """Mean of the loss over all values of a batch, or over each label first and then over the labels."""
    weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the task's loss in the sum."""


class OptimizerConfig(Section):
    """The optimiser."""

    name: Literal["adamw"] = "adamw"
    """AdamW (Loshchilov and Hutter, 2019)."""
    lr: Annotated[float, Field(gt=0)] = 1e-3
    """Highest learning rate."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Decoupled weight decay."""
    betas: Annotated[tuple[Dropout, Dropout], Strict(False)] = (0.9, 0.999)
    """Decays of the running means of the gradient and of its square."""


class ScheduleConfig(Section):
    """The learning rate over the steps: a linear warm-up, then the named way down."""

    name: Literal["constant", "linear", "cosine"] = "linear"
    """Course after the warm-up."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Length of the warm-up as a share of all steps."""
    final: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Learning rate at the end as a share of the highest."""


class EarlyStoppingConfig(Section):
    """When to stop before the last epoch."""

    monitor: Text = "val/loss"
    """The figure watched."""
    patience: Count = 10
    """Epochs without improvement after which training stops."""
    mode: Literal["min", "max"] | None = None
    """Whether smaller or larger is better; null: as the metric says."""


def _precision(value: Any) -> Any:
    return str(value) if type(value) is int else value


class TrainingConfig(Section):
    """How the model is trained."""

    epochs: Count = 60
    """Epochs."""
    optimizer: OptimizerConfig = OptimizerConfig()
    """The optimiser."""
    schedule: ScheduleConfig = ScheduleConfig()
    """The learning-rate schedule."""
    clip: Annotated[float, Field(gt=0)] | None = 1.0
    """Largest norm of the gradient; null: not clipped."""
    accumulate: Count = 1
    """Batches per optimiser step."""
    precision: Annotated[Literal["32", "bf16"], BeforeValidator(_precision)] = "32"
    """Number format of the forward and backward pass."""
    average: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of the moving average of the weights, such as 0.999; null: none."""
    compile: bool = False
    """Compile the model (torch.compile)."""
    early_stopping: EarlyStoppingConfig | None = None
    """When to stop early; null: never."""
    monitor: Text = "val/loss"
    """The figure that says which checkpoint is best."""
    monitor_mode: Literal["min", "max"] | None = None
    """Whether a smaller or a larger figure is better; null: as the metric says."""
    nonfinite: Literal["stop", "skip"] = "stop"
    """What to do at a NaN or infinite loss: stop and name it, or skip the step."""
    threads: Count | None = None
    """Torch threads; null: torch's own choice."""
    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    """Kind of device."""
    checkpoint_steps: Count | None = None
    """Also keep the last checkpoint every so many steps; null: each epoch only."""


class RunConfig(Section):
    """What a training leaves behind."""

    folder: Text | None = None
    """The run folder, relative to the working directory; null: runs/ followed by the experiment's name."""
    baselines: Annotated[tuple[Literal["mean", "forest"], ...], Strict(False)] = ("mean",)
    """Fitted to the same training rows and scored on the same test rows: the training mean; a random forest on Morgan
    counts, which takes minutes where there are tens of thousands of molecules."""
    tensorboard: bool = False
    """Also write the figures for TensorBoard, into the run's folder tensorboard/; needs molfound[track]."""


DEFAULT_ENCODINGS: dict[str, dict[str, Any]] = {"laplacian": {"pairs": 8}, "random_walk": {"steps": 16}}
DEFAULT_ENCODING_ENCODERS: dict[str, dict[str, Any]] = {
    "laplacian": {"name": "deepset", "width": 32},
    "random_walk": {"name": "mlp", "width": 32},
}


def with_encoding_encoders(data: Any) -> Any:
    """Return an experiment's mapping with the encoding encoders that follow from its encodings.

    Where it gives no encoding encoder at all, each encoding that has a default one gets it; and an encoding that is
    taken out (null) takes its encoder along. What is not of that shape is returned as it is, for the schema to judge.
    """
    match data:
        case {"model": {"inputs": {"encodings": dict(encoders)}}, "encodings": dict(encodings)}:
            chosen = {name: encoder for name, encoder in encoders.items() if encodings.get(name, True) is not None}
        case {"model": {"inputs": {"encodings": _}}}:
            return data
        case {"model": dict(), "encodings": dict(encodings)}:
            present = [name for name, options in encodings.items() if options is not None]
            chosen = {name: DEFAULT_ENCODING_ENCODERS[name] for name in present if name in DEFAULT_ENCODING_ENCODERS}
        case {"model": dict()}:
            chosen = DEFAULT_ENCODING_ENCODERS
        case _:
            return data
    inputs = data["model"].get("inputs", {})
    if not isinstance(inputs, dict):
        return data
    return {**data, "model": {**data["model"], "inputs": {**inputs, "encodings": chosen}}}


def _unknown(path: str, problem: str) -> PydanticCustomError:
    return PydanticCustomError("reference", "{problem}", {"path": path, "problem": problem})


class Experiment(Section):
    """A whole experiment: data, model, tasks and training.

    Example:
        >>> experiment = Experiment.model_validate(
        ...     {
        ...         "name": "small",
        ...         "data": {"datasets": {"tox21": {"manifest": "toymix/tox21"}}},
        ...         "model": {"encoder": {"name": "gnn", "layer": "gin"}},
        ...         "tasks": {"tox21": {"dataset": "tox21"}},
        ...     }
        ... )
        >>> experiment.model.encoder.options["layer"], str(experiment.run_folder)
        ('gin', 'runs/small')
    """

    name: Name
    """Name of the experiment: letters, digits, dot, dash and underscore."""
    seed: Seed = 42
    """Seed of everything random in a training."""
    plugins: Texts = ()
    """Python files with components of one's own, relative to the file that names them."""
    data: DataConfig
    """Datasets, store and batches."""
    features: FeaturesConfig = FeaturesConfig()
    """Atom and bond features."""
    encodings: Annotated[dict[Key, dict[Text, Any]], TakesOutNull] = DEFAULT_ENCODINGS
    """Positional and structural encodings by name, with their options; null takes an inherited one out, and with it its
    encoding encoder."""
    model: ModelConfig
    """The model up to the heads."""
    tasks: Annotated[dict[Key, TaskConfig], Field(min_length=1), TakesOutNull]
    """The tasks by name; null takes an inherited one out."""
    training: TrainingConfig = TrainingConfig()
    """How the model is trained."""
    run: RunConfig = RunConfig()
    """What a training leaves behind."""

    @property
    def run_folder(self) -> Path:
        """The run folder: `run.folder`, or ``runs/<name>``."""
        return Path(self.run.folder or f"runs/{self.name}")

    @model_validator(mode="before")
    @classmethod
    def _settle_encoding_encoders(cls, data: Any) -> Any:
        return with_encoding_encoders(data)

    @model_validator(mode="after")
    def _check_references(self) -> "Experiment":
        """Refuse a task of an unknown dataset and an encoding encoder of an unknown encoding."""
        for name, task in self.tasks.items():
            if task.dataset not in self.data.datasets:
                near = did_you_mean(task.dataset, self.data.datasets)
                raise _unknown(f"tasks.{name}.dataset", f"no dataset '{task.dataset}' under data.datasets{near}")
        for name in self.model.inputs.encodings:
            if name not in self.encodings:
                near = did_you_mean(name, self.encodings)
                raise _unknown(f"model.inputs.encodings.{name}", f"no encoding '{name}' under encodings{near}")
        return self
