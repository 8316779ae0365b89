"""From a published checkpoint of Uni-Mol2 (Ji et al., 2024, arXiv 2406.14969) to the files of a run folder."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor

from molfound.errors import MolfoundError
from molfound.model.files import SPECIFICATION_FILE, WEIGHTS_FILE, save_specification, save_weights
from molfound.model.published_layout import Dimensions, Place, published_layout, published_specification
from molfound.model.specification import ModelSpecification

_NAMED = 3


@dataclass(frozen=True)
class ConvertedCheckpoint:
    """A published checkpoint in the names of this library; all tensors are float32.

    Attributes:
        dimensions: of the model.
        specification: of a model without tasks, with the objectives ``masked_atoms`` and ``denoising``.
        weights: of that model.
        parameters: number of trained values among them.
    """

    dimensions: Dimensions
    specification: ModelSpecification
    weights: dict[str, Tensor]
    parameters: int

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` and then ``model.json`` into a folder.

        Raises:
            MolfoundError: the folder cannot be written, or the disk is full.
        """
        save_weights(self.weights, folder / WEIGHTS_FILE)
        save_specification(self.specification, folder / SPECIFICATION_FILE)


def convert_checkpoint(path: Path) -> ConvertedCheckpoint:
    """Read a published checkpoint: a file of `torch.save` whose state dict lies under the key ``model``.

    Depth, width and number of heads follow from the shapes. Nothing in the file is executed.

    Args:
        path: the file.

    Raises:
        MolfoundError: the file is missing, unreadable, or holds more than tensors and plain values; a key is unknown or
            missing, or its tensor of another shape or not of finite numbers; names the first.

    Example:
        >>> converted = convert_checkpoint(Path("84M.pt"))  # doctest: +SKIP
        >>> converted.dimensions.size, converted.parameters  # doctest: +SKIP
        ('84M', 84116080)
        >>> converted.save(Path("runs/84M"))  # doctest: +SKIP
    """
    state = _state(path)
    _check_keys(state, path)
    dimensions = _dimensions(state, path)
    layout = published_layout(dimensions)
    _check_shapes(state, layout, path)
    return ConvertedCheckpoint(
        dimensions,
        published_specification(dimensions),
        {place.name: _float32(state, key, path) for key, place in layout.items()},
        sum(place.shape.numel() for place in layout.values() if place.trained),
    )


def _state(path: Path) -> Mapping[str, object]:
    """Return the state dict of a checkpoint, whatever it holds."""
    if not path.is_file():
        raise MolfoundError(f"{path} is a folder, not a checkpoint" if path.is_dir() else f"file not found: {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # What an unpickler makes of arbitrary bytes may end in an error of any kind.
        unsafe = re.search(r"GLOBAL (\S+)", str(error))
        if unsafe is None:
            raise MolfoundError(f"{path} cannot be read: it is damaged, or no file of torch.save") from error
        raise MolfoundError(
            f"{path} is not read: it holds an object of {unsafe[1]}, which might execute code; only tensors and plain "
            'values are read: whoever trusts the file may save its state dict alone, {"model": …}'
        ) from error
    if not isinstance(content, dict) or "model" not in content:
        raise MolfoundError(f"{path} is no published checkpoint: it has no key 'model'")
    state = content["model"]
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise MolfoundError(f"{path} is no published checkpoint: its 'model' is no state dict")
    return state


def _depth(state: Mapping[str, object]) -> int:
    return max(len({match[1] for key in state if (match := re.match(r"encoder\.layers\.(\d+)\.", key))}), 1)


def _dimensions(state: Mapping[str, object], path: Path) -> Dimensions:
    """Return what the shapes tell."""

    def length(key: str, axis: int) -> int:
        shape = _tensor(state, key).shape
        if len(shape) <= axis or not shape[axis]:
            _refuse(path, f"of another shape: '{key}' is {list(shape)}")
        return shape[axis]

    return Dimensions(
        depth=_depth(state),
        width=length("embed_tokens.weight", 1),
        heads=length("encoder.layers.0.self_attn.linear_bias.weight", 0),
        pair_width=length("edge_feature.edge_encoder.weight", 1),
        pair_hidden=length("encoder.layers.0.pair_tri_mul.layer_norm_out.weight", 0),
        gaussians=length("se3_invariant_kernel.gaussian.mean", 0),
    )


def _check_keys(state: Mapping[str, object], path: Path) -> None:
    """Raise unless the state has exactly the keys of a model of its depth, each with floating-point numbers."""
    # The keys are the same for any width.
    layout = published_layout(Dimensions(_depth(state), width=1, heads=1))
    missing = [f"'{key}'" for key in layout if key not in state]
    unknown = [f"'{key}'" for key in state if key not in layout]
    problems = [f"{kind} {_first(keys)}" for kind, keys in (("missing", missing), ("unknown", unknown)) if keys]
    if problems:
        _refuse(path, "; ".join(problems))
    odd = [f"'{key}'" for key in layout if not _is_plain(state[key])]
    if odd:
        _refuse(path, f"no dense tensor of floating-point numbers: {_first(odd)}")


def _check_shapes(state: Mapping[str, object], layout: Mapping[str, Place], path: Path) -> None:
    """Raise unless each tensor has the shape of the layout."""
    misshapen = [
        f"'{key}' is {list(_tensor(state, key).shape)} instead of {list(place.shape)}"
        for key, place in layout.items()
        if _tensor(state, key).shape != place.shape
    ]
    if misshapen:
        _refuse(path, f"of another shape: {_first(misshapen)}")


def _tensor(state: Mapping[str, object], key: str) -> Tensor:
    tensor = state[key]
    assert isinstance(tensor, Tensor)
    return tensor


def _is_plain(value: object) -> bool:
    return (
        isinstance(value, Tensor)
        and value.is_floating_point()
        and value.layout == torch.strided
        and value.device.type == "cpu"
    )


def _float32(state: Mapping[str, object], key: str, path: Path) -> Tensor:
    # A copy of its own: tensors of a checkpoint may share memory, those of safetensors may not.
    tensor = _tensor(state, key).detach().to(torch.float32, copy=True)
    if not bool(tensor.isfinite().all()):
        _refuse(path, f"not finite in float32: '{key}'")
    return tensor


def _first(words: Sequence[str]) -> str:
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return ", ".join(words[:_NAMED]) + more


def _refuse(path: Path, problem: str) -> NoReturn:
    raise MolfoundError(f"{path} does not hold the published model: {problem}")
