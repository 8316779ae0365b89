"""Fine-tuning: a training that starts from the encoder of another run."""

from pathlib import Path

from torch import nn

from molfound.config.schema import Experiment, PretrainedConfig
from molfound.errors import MolfoundError
from molfound.model import MolecularModel, load_model, load_specification
from molfound.model.specification import ModelSpecification, specify
from molfound.nn.encoders import encoders


def check_pretrained(experiment: Experiment) -> None:
    """Refuse a run to start from that is not there or whose encoder is another.

    Raises:
        MolfoundError: names what differs.
    """
    config = experiment.training.pretrained
    if config is not None:
        _check_same_encoder(load_specification(Path(config.run)), specify(experiment, {}), config.run)


def start_from(model: MolecularModel, folder: Path) -> None:
    """Give a model the weights of the encoder in a run folder.

    Raises:
        MolfoundError: no model there, or one with another encoder.
    """
    _check_same_encoder(load_specification(folder), model.specification, str(folder))
    model.encoder.load_state_dict(load_model(folder).encoder.state_dict())


def learning_rate_shares(model: MolecularModel, config: PretrainedConfig | None) -> dict[nn.Parameter, float]:
    """Return what share of the learning rate the encoder's parameters get: less, the nearer they are to the inputs."""
    if config is None:
        return {}
    stages = model.encoder.stages()
    return {
        parameter: config.layer_decay ** (len(stages) - number)
        for number, stage in enumerate(stages)
        for parameter in stage.parameters()
    }


def freeze(model: MolecularModel, config: PretrainedConfig | None, epoch: int) -> None:
    """Let those stages of the encoder alone be trained that an epoch (from 1) is to train.

    Args:
        model: of the training.
        config: which stages are frozen, and until when; None: none ever.
        epoch: its number.
    """
    if config is None:
        return
    stages = model.encoder.stages()
    count = len(stages) if config.frozen == "all" else config.frozen
    thawed = config.thaw_epoch is not None and epoch >= config.thaw_epoch
    for number, stage in enumerate(stages):
        stage.requires_grad_(thawed or number >= count)


def _check_same_encoder(pretrained: ModelSpecification, wanted: ModelSpecification, run: str) -> None:
    """Raise MolfoundError unless two models read the same codes with encoders of one shape."""
    same = {
        "features.atoms": pretrained.atoms == wanted.atoms,
        "features.bonds": pretrained.bonds == wanted.bonds,
        "encodings": pretrained.encodings == wanted.encodings,
        "model.inputs": pretrained.model.inputs == wanted.model.inputs,
    }
    for kind, is_same in same.items():
        if not is_same:
            raise MolfoundError(f"the encoder of {run} was trained with other {kind}: take over its configuration")
    before, now = _settings(pretrained), _settings(wanted)
    differing = [key for key in before | now if before.get(key) != now.get(key)]
    if differing:
        shown = ", ".join(f"{key} is {before.get(key)!r}, here {now.get(key)!r}" for key in sorted(differing)[:3])
        raise MolfoundError(f"the encoder of {run} is another: {shown}")


_FREE = ("dropout", "attention_dropout", "triangle_dropout", "drop_path", "checkpointing", "graph", "init")
"""Options that change no parameter's shape or meaning, so that a fine-tuning may choose them anew."""


def _settings(specification: ModelSpecification) -> dict[str, object]:
    """Return the name of an encoder and its options, those that are not given by their defaults."""
    component = specification.model.encoder
    defaults = {name: option.default for name, option in encoders.options(component.name).items()}
    settings = {**defaults, **component.options, "name": component.name}
    return {name: value for name, value in settings.items() if name not in _FREE}
