"""From a configuration's name and overrides to one experiment: extends, overrides, interpolation, schema."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from molfound.config.documents import described, read_mapping, write_text
from molfound.config.interpolation import interpolated
from molfound.config.locations import SUFFIXES, data_folder, find_config, find_shipped
from molfound.config.merging import Layer, merged, override_layer
from molfound.config.places import place_of, with_defaults
from molfound.config.problems import located, validated
from molfound.config.schema import Experiment, with_encoding_encoders
from molfound.errors import MolfoundError

MAX_FILES = 64

_ROOT = place_of(Experiment)


def load_config(
    path_or_name: str | Path, overrides: Sequence[str] = (), *, adapt: Callable[[Any], Any] | None = None
) -> Experiment:
    """Return the experiment that a configuration file and overrides describe.

    What a file `extends` is read first, in the order given, then the file itself, each laid over what came before (see
    `merging.merged`). The schema's defaults are filled in where the files say nothing; then the overrides are laid over
    all that is in force, and ``${...}`` is replaced.

    Paths in `extends`, in `plugins` and of manifests (with ``.yaml``) are relative to the file that names them, in an
    override to the working directory; `data.root`, `data.store` and `run.folder` are relative to that always. Where
    nothing says `data.root`, it is `locations.data_folder`.

    Args:
        path_or_name: a path, or a name under ``configs/``, with or without ``.yaml``.
        overrides: ``key.of.it=value``, values as in YAML: ``training.optimizer.lr=1e-4``, ``training.clip=null``,
            ``features.bonds=[bond_type]``; nothing after ``=`` is the empty text.
        adapt: returns what is to stand in the place of what the files say together, before defaults and overrides.

    Raises:
        MolfoundError: anything wrong, in one line that names the file or override, the key and the nearest right one.
    """
    layers = _file_layers(find_config(str(path_or_name)), chain=(), seen=[])
    data: Any = {"data": {"root": data_folder()}}
    for layer in layers:
        data = merged(data, layer.data, _ROOT)
    data = with_encoding_encoders(with_defaults(data if adapt is None else adapt(data), _ROOT))
    for text in overrides:
        layer = override_layer(text, data, _ROOT)
        layer = Layer(layer.source, _with_paths(layer.data, Path()))
        layers.append(layer)
        data = merged(data, layer.data, _ROOT)

    def origin(path: tuple[str, ...]) -> str:
        return _origin(path, layers, of_whole=str(path_or_name))

    complete = interpolated(with_defaults(data, _ROOT), lambda path: located(path, origin))
    return validated(Experiment, complete, origin)


def to_yaml(experiment: Experiment) -> str:
    """Return the experiment as YAML with every default written out; it loads back equal."""
    return write_text(experiment.model_dump())


def with_overrides(data: Mapping[str, Any], overrides: Sequence[str]) -> Any:
    """Return a configuration's mapping with overrides laid over it, without the defaults that it does not name.

    Args:
        data: of a file that extends none.
        overrides: see `load_config`.
    """
    for text in overrides:
        layer = override_layer(text, with_defaults(data, _ROOT), _ROOT)
        data = merged(data, _with_paths(layer.data, Path()), _ROOT)
    return data


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a whole experiment, `extends` not included."""
    return Experiment.model_json_schema()


def _file_layers(path: Path, chain: tuple[Path, ...], seen: list[Path]) -> list[Layer]:
    """Return the layers of a file: what it extends, in order, then itself."""
    seen.append(path)
    if len(seen) > MAX_FILES:
        raise MolfoundError(f"{path}: more than {MAX_FILES} files through 'extends'")
    data = read_mapping(path)
    parents = data.pop("extends", None)
    chain = (*chain, path)
    layers: list[Layer] = []
    for name in _names(parents, path):
        try:
            parent = find_shipped(name, "configs", folder=path.parent)
        except MolfoundError as error:
            raise MolfoundError(f"{path}: extends: {error}") from None
        if any(parent.samefile(above) for above in chain):
            raise MolfoundError(f"{path}: extends goes in a circle: {' -> '.join(map(str, (*chain, parent)))}")
        layers += _file_layers(parent, chain, seen)
    return [*layers, Layer(str(path), _with_paths(data, path.parent))]


def _names(parents: Any, path: Path) -> list[str]:
    if parents is None:
        return []
    names = [parents] if isinstance(parents, str) else parents
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise MolfoundError(f"{path}: extends: should be a file or a list of files, not {described(parents)}")
    return names


def _with_paths(data: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """Return the layer with its plugins and the manifests that are files (``.yaml``) as absolute paths."""

    def absolute(path: Any) -> Any:
        keep = not isinstance(path, str) or not path or path.startswith("${")
        return path if keep else str((folder / path).resolve())

    def with_manifest(dataset: Any) -> Any:
        match dataset:
            case {"manifest": str(manifest)} if manifest.endswith(SUFFIXES):
                return {**dataset, "manifest": absolute(manifest)}
        return dataset

    match data:
        case {"plugins": [*plugins]}:
            data = {**data, "plugins": [absolute(plugin) for plugin in plugins]}
    match data:
        case {"data": {"datasets": dict(datasets)}}:
            found = {name: with_manifest(dataset) for name, dataset in datasets.items()}
            data = {**data, "data": {**data["data"], "datasets": found}}
    return data


def _origin(path: tuple[str, ...], layers: Sequence[Layer], of_whole: str) -> str:
    """Return the last layer that says something at the key or, failing that, at the key above it."""
    for length in range(len(path), 0, -1):
        for layer in reversed(layers):
            if layer.holds(path[:length]):
                return layer.source
    return of_whole
