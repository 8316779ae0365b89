"""A trial of a sweep: what was tried, and how it went."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from molfound.sweep.sweep_file import Parameter

State = Literal["finished", "pruned", "failed", "running"]
Mode = Literal["min", "max"]


@dataclass(frozen=True)
class Trial:
    """One training of a sweep.

    Attributes:
        number: from 0.
        state: finished; pruned, for others were better; failed; or running, which one that was interrupted is too.
        values: of the keys in the space.
        course: the monitored figure after each epoch, NaN where it was undefined.
        reason: why it failed.
    """

    number: int
    state: State
    values: Mapping[str, Any]
    course: Mapping[int, float]
    reason: str | None = None

    def best_epoch(self, mode: Mode) -> int | None:
        """Return the epoch with the best value, the first of equals, None where there is none."""
        sign = 1 if mode == "min" else -1
        defined = {epoch: sign * value for epoch, value in sorted(self.course.items()) if not math.isnan(value)}
        return min(defined, key=lambda epoch: defined[epoch]) if defined else None

    def value(self, mode: Mode) -> float | None:
        """Return the best epoch's value."""
        epoch = self.best_epoch(mode)
        return None if epoch is None else self.course[epoch]


@dataclass(frozen=True)
class Results:
    """All that a sweep has found.

    Attributes:
        name: of the sweep.
        experiment: what is trained, as the sweep's file names it.
        monitor: the figure that is compared, of the validation part.
        mode: whether a smaller or a larger one is better.
        space: the keys that are varied.
        wanted: how many trials there are to be.
        trials: those that were begun, by number.
        importances: the share of each key in the variance of the finished trials' values.
    """

    name: str
    experiment: str
    monitor: str
    mode: Mode
    space: Mapping[str, Parameter]
    wanted: int
    trials: Sequence[Trial]
    importances: Mapping[str, float]

    @property
    def best(self) -> Trial | None:
        """The finished trial with the best value."""
        return best_trial(self.trials, self.mode)

    def count(self, state: State) -> int:
        """Return how many trials are in a state."""
        return sum(trial.state == state for trial in self.trials)


def best_trial(trials: Iterable[Trial], mode: Mode) -> Trial | None:
    """Return the finished trial with the best value, the first of equals, None where none is finished.

    Example:
        >>> course = [{1: 0.5, 2: 0.25}, {1: 0.125}, {1: 0.75, 2: 0.5}]
        >>> trials = [Trial(n, "pruned" if n == 1 else "finished", {}, course[n]) for n in range(3)]
        >>> best_trial(trials, "min").number, best_trial(trials, "max").number
        (0, 2)
    """
    best: Trial | None = None
    for trial in trials:
        value, reached = trial.value(mode), None if best is None else best.value(mode)
        if trial.state != "finished" or value is None:
            continue
        if reached is None or (value < reached if mode == "min" else value > reached):
            best = trial
    return best


def shown(value: Any) -> str:
    """Return a value of a key as a table shows it: numbers to four digits, the rest as in YAML.

    >>> shown(0.00123456), shown(3), shown("gine"), shown(None), shown(["sum", "max"]), shown(1e-5), shown(True)
    ('0.001235', '3', 'gine', 'null', '[sum, max]', '1e-05', 'true')
    """
    match value:
        case float():
            return f"{value:.4g}"
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case list() | tuple():
            return f"[{', '.join(map(shown, value))}]"
        case dict():
            return f"{{{', '.join(f'{key}: {shown(item)}' for key, item in value.items())}}}"
        case _:
            return str(value)
