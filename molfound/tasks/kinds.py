"""A registry of components that know which kinds of task they are for."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from molfound.config.schema import Kind
from molfound.errors import MolfoundError
from molfound.registry import Registry

KINDS: tuple[Kind, ...] = ("regression", "binary", "multiclass")

Component = TypeVar("Component", bound=Callable[..., Any])


class KindRegistry(Registry[Component]):
    """A registry whose components say for which kinds of task they are; one that says nothing is for all.

    Example:
        >>> losses = KindRegistry("loss")
        >>> @losses.register("absolute", kinds=["regression"])
        ... def absolute(prediction, target):
        ...     return abs(prediction - target)
        >>> losses.check_kind("absolute", "binary", task="tox21")
        Traceback (most recent call last):
        ...
        molfound.errors.MolfoundError: task 'tox21': loss 'absolute' is not for binary tasks; those for it: none
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self._kinds: dict[str, tuple[Kind, ...]] = {}

    def register(self, name: str, *, kinds: Iterable[Kind] = KINDS) -> Callable[[Component], Component]:
        """Return a decorator that registers its target under `name`, for tasks of these kinds."""
        add = super().register(name)

        def add_with_kinds(component: Component) -> Component:
            registered = add(component)
            self._kinds[name] = tuple(kinds)
            return registered

        return add_with_kinds

    def kinds(self, name: str) -> tuple[Kind, ...]:
        """Return the kinds of task that a component is for; raises `MolfoundError` for an unknown name."""
        self[name]
        return self._kinds[name]

    def names_for(self, kind: Kind) -> list[str]:
        """Return the names of the components for this kind of task, sorted."""
        return [name for name in self if kind in self._kinds[name]]

    def check_kind(self, name: str, kind: Kind, *, task: str) -> None:
        """Raise `MolfoundError`, naming the task and what would fit, if the component is not for this kind."""
        if kind not in self.kinds(name):
            fitting = ", ".join(self.names_for(kind)) or "none"
            raise MolfoundError(f"task '{task}': {self.kind} '{name}' is not for {kind} tasks; those for it: {fitting}")
