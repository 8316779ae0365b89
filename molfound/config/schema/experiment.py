"""A whole experiment."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from molfound.config.schema.data import DataConfig
from molfound.config.schema.model import FeaturesConfig, ModelConfig, TaskConfig
from molfound.config.schema.objectives import CorruptionConfig
from molfound.config.schema.training import FROZEN_BASELINES, RunConfig, TrainingConfig
from molfound.config.schema.values import Key, Name, Section, Seed, TakesOutNull, Text, Texts
from molfound.errors import did_you_mean

DEFAULT_ENCODINGS: dict[str, dict[str, Any]] = {"laplacian": {"pairs": 8}, "random_walk": {"steps": 16}}
DEFAULT_ENCODING_ENCODERS: dict[str, dict[str, Any]] = {
    "laplacian": {"name": "deepset", "width": 32},
    "random_walk": {"name": "mlp", "width": 32},
}


Options = dict[Text, Any]


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
    encodings: Annotated[dict[Key, Options], TakesOutNull] = DEFAULT_ENCODINGS
    """Positional and structural encodings by name, with their options; null takes an inherited one out, and with it its
    encoding encoder. One without an encoding encoder is computed all the same, for a model.encoder that reads it from
    the batch itself, which the shipped ones do not."""
    model: ModelConfig
    """The model up to the heads."""
    tasks: Annotated[dict[Key, TaskConfig], TakesOutNull] = Field(default_factory=dict)
    """The tasks by name; null takes an inherited one out."""
    objectives: Annotated[dict[Key, Options], TakesOutNull] = Field(default_factory=dict)
    """What is learned without labels, beside the tasks or instead of them: objectives by name, with their options; null
    takes an inherited one out."""
    corruption: CorruptionConfig = CorruptionConfig()
    """What a batch loses for the objectives to restore."""
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
        """Refuse references to what is not there: datasets of tasks, encodings of encoders, the run of baselines."""
        if not self.tasks and not self.objectives:
            raise _unknown("tasks", "there is nothing to learn: name tasks, or objectives")
        for name, task in self.tasks.items():
            if task.dataset not in self.data.datasets:
                near = did_you_mean(task.dataset, self.data.datasets)
                raise _unknown(f"tasks.{name}.dataset", f"no dataset '{task.dataset}' under data.datasets{near}")
        for name in self.model.inputs.encodings:
            if name not in self.encodings:
                near = did_you_mean(name, self.encodings)
                raise _unknown(f"model.inputs.encodings.{name}", f"no encoding '{name}' under encodings{near}")
        embedded = [name for name in self.run.baselines if name in FROZEN_BASELINES]
        if embedded and self.training.pretrained is None:
            problem = f"{embedded[0]} is fitted to embeddings of a pretrained run: name one in training.pretrained.run"
            raise _unknown("run.baselines", problem)
        return self
