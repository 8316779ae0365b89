"""The one registry class: named components whose options are checked before anything starts."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from pydantic import ConfigDict, TypeAdapter, ValidationError, create_model

from molfound.errors import MolfoundError, did_you_mean

Component = TypeVar("Component", bound=Callable[..., Any])

_registries: "WeakSet[Registry[Any]]" = WeakSet()


class Registry(Generic[Component]):
    """A mapping from name to component (a class or a function) of one kind.

    A component declares its options as *keyword-only* parameters with annotations and defaults; what the assembly
    supplies (dimensions, a block of graphs) comes first, positionally. So the registry can check a user's options
    without building anything.

    Args:
        kind: what the components are, in the singular, for messages: ``"layer"``.

    Example:
        >>> heads = Registry("head")
        >>> @heads.register("linear")
        ... class Linear:
        ...     def __init__(self, width: int, *, bias: bool = True) -> None:
        ...         self.width, self.bias = width, bias
        >>> heads.build("linear", 16, bias=False).bias
        False
        >>> heads.check("linear", {"bais": True})
        Traceback (most recent call last):
        ...
        molfound.errors.MolfoundError: head 'linear' has no option 'bais'; did you mean 'bias'?
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._components: dict[str, Component] = {}
        _registries.add(self)

    def register(self, name: str) -> Callable[[Component], Component]:
        """Return a decorator that registers its target under `name`; a second one of that name raises `ValueError`."""

        def add(component: Component) -> Component:
            if name in self._components:
                raise ValueError(f"{self.kind} '{name}' is registered already, by {self._components[name]!r}")
            self._components[name] = component
            return component

        return add

    def __getitem__(self, name: str) -> Component:
        """Return the component; raises `MolfoundError` with the nearest name if there is none."""
        try:
            return self._components[name]
        except KeyError:
            raise MolfoundError(f"unknown {self.kind} '{name}'{did_you_mean(name, self)}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._components

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._components))

    def __len__(self) -> int:
        return len(self._components)

    def __repr__(self) -> str:
        return f"Registry({self.kind}: {', '.join(self)})"

    def options(self, name: str) -> dict[str, inspect.Parameter]:
        """Return the options of a component: its keyword-only parameters by name, annotations in text evaluated.

        Raises:
            MolfoundError: an unknown component, or an annotation that names what its module has not imported.
        """
        try:
            parameters = inspect.signature(self[name], eval_str=True).parameters.values()
        except NameError as error:
            raise MolfoundError(
                f"{self.kind} '{name}': {error}, and an annotation names it: import it outside TYPE_CHECKING"
            ) from error
        return {p.name: p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}

    def check(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return `options` with their types checked and converted (``"3"`` is no number, ``3`` is a float's value).

        Raises:
            MolfoundError: an unknown component or option (with the nearest), a missing one, a value of a wrong type.
        """
        declared = self.options(name)
        for key in options:
            if key not in declared:
                raise MolfoundError(f"{self.kind} '{name}' has no option '{key}'{did_you_mean(key, declared)}")
        fields: dict[str, Any] = {
            p.name: (
                Any if p.annotation is p.empty else p.annotation,
                ... if p.default is p.empty else p.default,
            )
            for p in declared.values()
        }
        schema = create_model(
            f"{self.kind}_{name}", __config__=ConfigDict(strict=True, arbitrary_types_allowed=True), **fields
        )
        try:
            checked = TypeAdapter(schema).validate_python(dict(options))
        except ValidationError as error:
            first = error.errors()[0]
            option = ".".join(str(part) for part in first["loc"])
            raise MolfoundError(
                f"{self.kind} '{name}', option '{option}': {first['msg']} (got {first['input']!r})"
            ) from None
        return {key: getattr(checked, key) for key in options}

    def build(self, name: str, *args: Any, **options: Any) -> Any:
        """Call the component with what the assembly supplies and the checked options, and return the result."""
        return self[name](*args, **self.check(name, options))


def unregister(module: str) -> None:
    """Remove every component that was defined in the module of this name, so that they can be registered again."""
    for registry in _registries:
        for name in list(registry):
            if getattr(registry[name], "__module__", None) == module:
                del registry._components[name]
