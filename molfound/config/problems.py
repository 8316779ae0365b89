"""What a schema finds wrong, as one line that names the file or override, the key, and the nearest right one."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from molfound.config.documents import described
from molfound.config.places import Place, nearest_key, place_of
from molfound.errors import MolfoundError

Model = TypeVar("Model", bound=BaseModel)
Origin = Callable[[tuple[str, ...]], str]


def validated(model: type[Model], data: Any, origin: Origin) -> Model:
    """Return the model that the data describe.

    Args:
        model: a model whose keys are closed (``extra="forbid"``).
        data: what was read.
        origin: from a key's path to the file or override that set it.

    Raises:
        MolfoundError: the first thing wrong, and how many more there are.

    Example:
        >>> from molfound.config.schema import BatchConfig
        >>> validated(BatchConfig, {"sise": 3}, lambda path: "small.yaml")
        Traceback (most recent call last):
        ...
        molfound.errors.MolfoundError: small.yaml: unknown key 'sise'; did you mean 'size'?
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise MolfoundError(_message(error, data, origin, place_of(model))) from None


def located(path: Sequence[str | int], origin: Origin) -> str:
    """Return ``"file: key.of.it"`` for a path."""
    keys = tuple(str(key) for key in path)
    return f"{origin(keys)}: {'.'.join(keys)}" if keys else origin(keys)


def _message(error: ValidationError, data: Any, origin: Origin, root: Place) -> str:
    problems = error.errors(include_url=False)
    # An unknown key comes first: the misspelt key often is the one that another line finds missing.
    first = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{_sentence(first, data, origin, root)}{more}"


def _sentence(problem: Any, data: Any, origin: Origin, root: Place) -> str:
    path = _keys(problem["loc"], data)
    kind, context, given = problem["type"], problem.get("ctx", {}), problem["input"]
    if kind == "reference":
        path = tuple(context["path"].split("."))
        return f"{located(path, origin)}: {context['problem']}"
    if kind == "extra_forbidden":
        return f"{origin(path)}: unknown key '{'.'.join(path)}'{nearest_key(path, data, root)}"
    if kind == "missing":
        return f"{located(path, origin)}: is missing"
    if kind == "too_short":
        return f"{located(path, origin)}: should have at least one entry"
    if kind in ("component", "fractions", "parameter", "split"):
        return f"{located(path, origin)}: {problem['msg']}"
    return f"{located(path, origin)}: {_expected(kind, context, problem['msg'])}, not {described(given)}"


def _keys(location: Sequence[str | int], data: Any) -> tuple[str, ...]:
    """Return pydantic's location without the names it gives to the branches of a union."""
    keys = []
    for position, part in enumerate(location):
        last = position + 1 == len(location)
        if part == "[key]":
            continue
        if isinstance(data, dict) and (part in data or last):
            data = data.get(part)
        elif isinstance(data, list | tuple) and isinstance(part, int):
            data = data[part] if part < len(data) else None
        else:
            continue
        keys.append(str(part))
    return tuple(keys)


def _expected(kind: str, context: dict[str, Any], message: str) -> str:
    match kind:
        case "int_type" | "int_parsing" | "int_from_float":
            return "should be a whole number"
        case "float_type" | "float_parsing":
            return "should be a number"
        case "bool_type":
            return "should be true or false"
        case "string_type":
            return "should be text"
        case "model_type" | "model_attributes_type" | "dict_type" | "dataclass_type":
            return "should be a mapping of keys to values"
        case "tuple_type" | "list_type":
            return "should be a list"
        case "string_pattern_mismatch":
            return "should be a name of letters, digits, '-' and '_'"
        case "literal_error":
            return f"should be {context['expected']}"
        case _:
            return message.replace("Input should", "should").replace("String should", "should")
