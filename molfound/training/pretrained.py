"""Fine-tuning: a training that starts from the encoder of another run, and perhaps from one of its heads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from molfound.config.component import Component
from molfound.config.schema import Experiment, PretrainedConfig
from molfound.errors import MolfoundError, did_you_mean
from molfound.model import MolecularModel, load_model, load_specification
from molfound.model.files import SPECIFICATION_FILE, WEIGHTS_FILE
from molfound.model.specification import ModelSpecification, specify
from molfound.nn.encoders import encoders
from molfound.nn.readouts import readouts
from molfound.registry import Registry
from molfound.runs import find_run
from molfound.tasks.heads import heads
from molfound.tasks.task import Task


def pretrained_specification(folder: Path) -> ModelSpecification:
    """Return what the model of a run folder is made of.

    Raises:
        MolfoundError: there is no model, or none whose weights are there yet.
    """
    if not (folder / SPECIFICATION_FILE).is_file():
        raise MolfoundError(f"{folder} holds no model to start from: it has no {SPECIFICATION_FILE}")
    specification = load_specification(folder)
    if not (folder / WEIGHTS_FILE).is_file():
        raise MolfoundError(f"{folder} holds no weights yet: its training has not completed an epoch")
    return specification


def check_pretrained(experiment: Experiment) -> None:
    """Refuse a run to start from that is not there, whose encoder is another, or that lacks the head asked for.

    Raises:
        MolfoundError: names what differs.
    """
    config = experiment.training.pretrained
    if config is None:
        return
    pretrained = pretrained_specification(find_run(config.run))
    _check_same_encoder(pretrained, specify(experiment, {}), config)
    if config.head is None:
        return
    if config.head not in pretrained.tasks:
        known = f"; it has {', '.join(pretrained.tasks)}" if pretrained.tasks else "; it has none at all"
        raise MolfoundError(
            f"{config.run} has no task '{config.head}' to take the head of"
            f"{did_you_mean(config.head, pretrained.tasks)}{known}"
        )
    if len(experiment.tasks) != 1:
        raise MolfoundError(
            f"training.pretrained.head is for an experiment with one task; this one has {', '.join(experiment.tasks)}"
        )
    if config.layers is not None:
        raise MolfoundError(
            "training.pretrained.head has been trained on all blocks of the run and no other, which "
            "training.pretrained.layers changes: choose one"
        )


def check_head(experiment: Experiment, tasks: Mapping[str, Task]) -> None:
    """Refuse a task that cannot start from the head that an experiment, whose run has it, asks for.

    Raises:
        MolfoundError: names what differs.
    """
    config = experiment.training.pretrained
    if config is None or config.head is None:
        return
    pretrained, (task,) = load_specification(find_run(config.run)), tasks.values()
    before = pretrained.tasks[config.head]
    differing = [
        f"{name} is {getattr(before, name)}, here {getattr(task, name)}"
        for name in ("level", "kind", "classes", "normalize", "predicts_variance")
        if getattr(before, name) != getattr(task, name)
    ]
    if len(before.labels) != len(task.labels):
        differing.append(f"it predicts {len(before.labels)} labels ({_listed(before.labels)}), here {len(task.labels)}")
    elif set(before.labels) == set(task.labels) and before.labels != task.labels:
        differing.append(f"its labels come in the order {_listed(before.labels)}")
    differing += _differences("head", heads, before.head, task.head)
    if task.level == "graph":
        wholes = [_settings(encoders, of.model.encoder, free=()).get("graph") for of in (pretrained, experiment)]
        differing += [] if wholes[0] == wholes[1] else [f"molecules are its {wholes[0]}, here {wholes[1]}"]
        differing += _differences("readout", readouts, pretrained.model.readout, experiment.model.readout)
    if differing:
        raise MolfoundError(
            f"task '{task.name}' cannot start from the head of '{config.head}' in {config.run}: {'; '.join(differing)}"
        )


def start_from(model: MolecularModel, config: PretrainedConfig) -> None:
    """Give a model the weights of the encoder in a run folder and, where asked for, of a head.

    With the head come the read-out that it was trained on and the normalisation of its labels. Blocks that are not
    taken over change little at the start of what the others make, where the encoder can do that.

    Raises:
        MolfoundError: no model there, or one with another encoder.
    """
    folder = find_run(config.run)
    _check_same_encoder(load_specification(folder), model.specification, config)
    pretrained = load_model(folder)
    if config.layers is not None:
        model.encoder.quieten(config.layers)
    new = {id(tensor) for stage in _stages(model, config).new for tensor in stage.state_dict(keep_vars=True).values()}
    weights = pretrained.encoder.state_dict()
    model.encoder.load_state_dict(
        {
            name: tensor if id(tensor) in new else weights[name]
            for name, tensor in model.encoder.state_dict(keep_vars=True).items()
        }
    )
    if config.head is not None:
        (name,) = model.tasks
        level = model.tasks[name].level
        model.heads[name].load_state_dict(pretrained.heads[config.head].state_dict())
        model.normalizers[name].load_state_dict(pretrained.normalizers[config.head].state_dict())
        if level in model.readouts:
            model.readouts[level].load_state_dict(pretrained.readouts[level].state_dict())


def learning_rate_shares(model: MolecularModel, config: PretrainedConfig | None) -> dict[nn.Parameter, float]:
    """Return what share of the learning rate the encoder's parameters get: less, the nearer they are to the inputs.

    Blocks that are not the run's learn at the full rate, as the heads do, and are left out.
    """
    if config is None:
        return {}
    taken = _stages(model, config).taken
    return {
        parameter: config.layer_decay ** (len(taken) - number)
        for number, stage in enumerate(taken)
        for parameter in stage.parameters()
    }


def freeze(model: MolecularModel, config: PretrainedConfig | None, epoch: int) -> None:
    """Let those stages of the encoder alone be trained that an epoch (from 1) is to train, and all that are new.

    Args:
        model: of the training.
        config: which stages are frozen, and until when; None: none ever.
        epoch: its number.
    """
    if config is None:
        return
    taken = _stages(model, config).taken
    count = len(taken) if config.frozen == "all" else config.frozen
    thawed = config.thaw_epoch is not None and epoch >= config.thaw_epoch
    for number, stage in enumerate(taken):
        learns = thawed or number >= count
        stage.requires_grad_(learns)
        for module in stage.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.train(learns)  # else its running mean would go on


class _Stages(NamedTuple):
    """The stages of an encoder, its inputs first: those taken over from the run, and those that start anew."""

    taken: Sequence[nn.Module]
    new: Sequence[nn.Module]


def _stages(model: MolecularModel, config: PretrainedConfig) -> _Stages:
    stages = model.encoder.stages()
    count = len(stages) if config.layers is None else 1 + config.layers
    return _Stages(stages[:count], stages[count:])


def _check_same_encoder(pretrained: ModelSpecification, wanted: ModelSpecification, config: PretrainedConfig) -> None:
    """Raise MolfoundError unless two models read the same codes with encoders of one shape."""
    same = {
        "features.atoms": pretrained.atoms == wanted.atoms,
        "features.bonds": pretrained.bonds == wanted.bonds,
        "encodings": pretrained.encodings == wanted.encodings,
        "model.inputs": pretrained.model.inputs == wanted.model.inputs,
    }
    for kind, is_same in same.items():
        if not is_same:
            raise MolfoundError(
                f"the encoder of {config.run} was trained with other {kind}: take over its configuration"
            )
    before, now = _settings(encoders, pretrained.model.encoder), _settings(encoders, wanted.model.encoder)
    if config.layers is not None:
        _check_layers(config, config.layers, before.pop("depth", None), now.pop("depth", None))
    if config.layers is None:
        _check_frozen(config, now.get("depth"))
    differing = [key for key in before | now if before.get(key) != now.get(key)]
    if differing:
        shown = ", ".join(f"{key} is {before.get(key)!r}, here {now.get(key)!r}" for key in sorted(differing)[:3])
        hint = "; training.pretrained.layers says how many of its blocks to take over" if differing == ["depth"] else ""
        raise MolfoundError(f"the encoder of {config.run} is another: {shown}{hint}")


def _check_layers(config: PretrainedConfig, layers: int, before: object, now: object) -> None:
    """Raise MolfoundError unless so many blocks can be taken from one depth to another, and no new one is frozen."""
    if not isinstance(before, int) or before < layers:
        blocks = f"has {before} blocks" if isinstance(before, int) else "is not given by its depth"
        raise MolfoundError(f"training.pretrained.layers is {layers}, and the encoder of {config.run} {blocks}")
    if not isinstance(now, int) or now < layers:
        raise MolfoundError(f"training.pretrained.layers is {layers}, and model.encoder.depth less: {now}")
    if config.frozen != "all" and config.frozen > 1 + layers:
        raise MolfoundError(
            f"training.pretrained.frozen is {config.frozen}, and {1 + layers} stages come from {config.run}: the "
            f"inputs and {layers} blocks (training.pretrained.layers); the others are new"
        )


def _check_frozen(config: PretrainedConfig, depth: object) -> None:
    """Raise MolfoundError where more stages are to be frozen than an encoder of that depth has."""
    if isinstance(depth, int) and config.frozen != "all" and config.frozen > 1 + depth:
        raise MolfoundError(
            f"training.pretrained.frozen is {config.frozen}, and the encoder of {config.run} has {1 + depth} stages, "
            f"the inputs and {depth} blocks; all: every one"
        )


_FREE = ("dropout", "attention_dropout", "triangle_dropout", "drop_path", "checkpointing", "graph", "init")
"""Options that change no parameter's shape or meaning, so that a fine-tuning may choose them anew."""


def _settings(registry: Registry[Any], component: Component, free: Sequence[str] = _FREE) -> dict[str, object]:
    """Return the name of a component and its options, those that are not given by their defaults."""
    defaults = {name: option.default for name, option in registry.options(component.name).items()}
    settings = {**defaults, **component.options, "name": component.name}
    return {name: value for name, value in settings.items() if name not in free}


def _differences(what: str, registry: Registry[Any], before: Component, now: Component) -> list[str]:
    ours, theirs = _settings(registry, now), _settings(registry, before)
    return [] if ours == theirs else [f"its {what} is {before.to_mapping()}, here {now.to_mapping()}"]


def _listed(labels: tuple[str, ...]) -> str:
    return ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")
