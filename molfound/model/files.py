"""The files that keep a model: ``model.json`` (its specification) and ``model.safetensors`` (its weights)."""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from molfound.data.shards import write_atomically
from molfound.errors import MolfoundError
from molfound.model.molecular_model import MolecularModel
from molfound.model.specification import SCHEMA_VERSION, ModelSpecification

SPECIFICATION_FILE = "model.json"
WEIGHTS_FILE = "model.safetensors"
ENSEMBLE_FILE = "ensemble.json"


def save_model(model: MolecularModel, folder: Path) -> None:
    """Write a model into a folder, its specification and its weights."""
    save_specification(model.specification, folder / SPECIFICATION_FILE)
    save_weights(model.state_dict(), folder / WEIGHTS_FILE)


def load_model(folder: Path) -> MolecularModel:
    """Return the model of a folder, on the CPU; its plugins must be loaded.

    Raises:
        MolfoundError: a file is missing or unreadable, made by a newer molfound, the weights are not those of the
            specification, or a feature or encoding has changed its meaning since.
    """
    specification = load_specification(folder)
    specification.check_codes()
    model = MolecularModel(specification)
    load_weights(model, folder / WEIGHTS_FILE)
    return model


def save_specification(specification: ModelSpecification, path: Path) -> None:
    """Write a specification as JSON."""
    write_atomically(path, (specification.model_dump_json(indent=1) + "\n").encode())


def load_specification(folder: Path) -> ModelSpecification:
    """Return the specification of the model in a folder.

    Raises:
        MolfoundError: it is missing, not a specification, made by a newer molfound, or that of an ensemble.
    """
    path = folder / SPECIFICATION_FILE
    if (folder / ENSEMBLE_FILE).is_file():
        raise MolfoundError(f"{folder} is an ensemble of models: name one of them, in {folder / 'members'}")
    try:
        text = path.read_bytes()
    except OSError as error:
        raise MolfoundError(f"cannot read {path}: {error.strerror}") from None
    try:
        content = json.loads(text)
    except ValueError as error:
        raise MolfoundError(f"{path} is not valid JSON: {error}") from None
    schema = content.get("schema_version") if isinstance(content, dict) else None
    if not isinstance(schema, int):
        raise MolfoundError(f"{path} does not describe a model: it has no schema_version")
    if schema > SCHEMA_VERSION:
        raise MolfoundError(
            f"{path} has schema version {schema}, this molfound reads up to {SCHEMA_VERSION}: update molfound"
        )
    try:
        return ModelSpecification.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise MolfoundError(f"{path} does not describe a model: {place}: {first['msg']}") from None


def save_weights(state: Mapping[str, Tensor], path: Path) -> None:
    """Write a model's state as safetensors."""
    write_atomically(path, save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}))


def load_weights(model: MolecularModel, path: Path) -> None:
    """Load a model's state from safetensors.

    Raises:
        MolfoundError: the file is missing or unreadable, or its tensors are not the model's; names the first.
    """
    if not path.is_file():
        raise MolfoundError(f"no weights: {path} does not exist")
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise MolfoundError(f"{path} is not a readable safetensors file: {error}") from None
    expected = model.state_dict()
    problems = [
        *(f"'{name}' is missing" for name in expected if name not in state),
        *(f"'{name}' is not of this model" for name in state if name not in expected),
        *(
            f"'{name}' has the shape {list(state[name].shape)} instead of {list(tensor.shape)}"
            for name, tensor in expected.items()
            if name in state and state[name].shape != tensor.shape
        ),
    ]
    if problems:
        more = f" (and {len(problems) - 1} more such)" if len(problems) > 1 else ""
        raise MolfoundError(f"{path} does not hold the weights of this model: {problems[0]}{more}")
    model.load_state_dict(state)
