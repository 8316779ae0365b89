"""The plots of a sweep's report: values over the trials, courses over the epochs, importances, values over each key."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from molfound.sweep.sweep_file import Parameter
from molfound.sweep.trial import Mode, Results, Trial, best_trial, shown
from molfound.training.report.plots import BOTTOM, HEIGHT, LEFT, TOP, Axis, Frame
from molfound.training.report.rates import Values

COLOURS = {"finished": "c0", "pruned": "c1", "running": "c4"}
BEST = "c2"
CHOICE = 14  # characters of a choice that fit under a plot
WHOLE = 10  # whole numbers that are shown one by one
BARS = 8
FEW_LINES = 20


@dataclass(frozen=True)
class ChoiceAxis(Axis):
    """An axis of choices, at 0, 1, 2 and so on.

    Attributes:
        names: of the choices.
    """

    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: Iterable[str]) -> "ChoiceAxis":
        """Return the axis of choices with these names."""
        found = tuple(names)
        return cls(-0.5, len(found) - 0.5, names=found)

    def ticks(self) -> list[float]:
        """Return the places of the choices."""
        return [float(place) for place in range(len(self.names))]

    def label(self, tick: float) -> str:
        """Return the choice's name, cut where it is long."""
        name = self.names[round(tick)]
        return name if len(name) <= CHOICE else f"{name[: CHOICE - 1]}…"


def history_plot(results: Results) -> str:
    """Return the value of each trial, and the best so far as a line in steps."""
    trials = _with_value(results.trials, results.mode)
    numbers = np.array([trial.number for trial in trials], np.float64)
    values = _values(trials, results.mode)
    frame = Frame("best value over the trials", Axis.around(numbers), _value_axis(values), "trial", results.monitor)
    across, up = _best_so_far(results)
    return frame.svg([frame.line(across, up, f"line {BEST}", "best so far"), *_marks(frame, trials, numbers, values)])


def course_plot(results: Results) -> str:
    """Return the figure of each trial over its epochs, the best trial's line the strongest."""
    trials = _with_value(results.trials, results.mode)
    epochs = np.array([epoch for trial in trials for epoch in trial.course], np.float64)
    values = np.array([value for trial in trials for value in trial.course.values()], np.float64)
    frame = Frame("trials over their epochs", Axis.around(epochs), _value_axis(values), "epoch", results.monitor)
    best = results.best
    faint = "many " if len(trials) > FEW_LINES else ""
    lines = []
    # Where lines cross, the best is drawn last, above the others.
    for trial in sorted(trials, key=lambda trial: trial is best):
        x, y = (np.array(list(side), np.float64) for side in (trial.course.keys(), trial.course.values()))
        style = f"line {BEST}" if trial is best else f"line {faint}{COLOURS[trial.state]}"
        lines.append(frame.line(x, y, style, f"trial {trial.number}, {trial.state}"))
    return frame.svg(lines)


def importance_plot(importances: Mapping[str, float]) -> str:
    """Return a bar for each key, those of the largest share in the variance, each under its name."""
    chosen = list(importances.items())[:BARS]
    highest = max(share for _, share in chosen)
    frame = Frame("what mattered", Axis(0, 1.25 * highest), ChoiceAxis.of([""] * len(chosen)), "share of variance", "")
    height = (HEIGHT - TOP - BOTTOM) / len(chosen)
    thick = min(height / 3, 14)
    content = []
    for place, (key, share) in enumerate(chosen):
        top = TOP + height * place
        ((right, _),) = frame.points(np.array([share]), np.array([0.0]))
        middle = top + height / 2
        content.append(f'<text class="title" x="{LEFT + 4}" y="{middle - 2:g}">{escape(key)}</text>')
        box = f'x="{LEFT}" y="{middle + 2:g}" width="{max(right - LEFT, 1):g}" height="{thick:g}"'
        content.append(f'<rect class="bar" {box}/>')
        content.append(f'<text x="{right + 5:g}" y="{middle + 2 + thick:g}">{share:.2f}</text>')
    return frame.svg(content)


def key_plot(results: Results, key: str, parameter: Parameter) -> str:
    """Return the trials' values over what they took for a key."""
    trials = _with_value(results.trials, results.mode)
    axis = _key_axis(parameter)
    if isinstance(axis, ChoiceAxis):
        places = [_choice_place(parameter, trial) for trial in _valued(trials, key)]
    else:
        places = [float(value) for _, value in _valued(trials, key)]
    values = _values(trials, results.mode)
    frame = Frame(key, axis, _value_axis(values), key.rpartition(".")[2], results.monitor)
    return frame.svg(_marks(frame, trials, np.array(places, np.float64), values))


def legend(results: Results) -> str:
    """Return the meaning of the colours, as a line of HTML."""
    there = {trial.state for trial in results.trials}
    names = {f"{state} trial": colour for state, colour in COLOURS.items() if state in there} | {"best": BEST}
    marks = [
        f'<svg class="key" viewBox="0 0 12 12"><path class="{colour}" d="M2 6h8"/></svg> {name}'
        for name, colour in names.items()
    ]
    return f"<p>{' &nbsp; '.join(marks)}</p>"


def _with_value(trials: Iterable[Trial], mode: Mode) -> list[Trial]:
    """Return the trials that have a value to show; one that failed has none that counts."""
    return [trial for trial in trials if trial.state != "failed" and trial.value(mode) is not None]


def _values(trials: Sequence[Trial], mode: Mode) -> Values:
    return np.array([trial.value(mode) for trial in trials], np.float64)


def _valued(trials: Sequence[Trial], key: str) -> list[tuple[Trial, Any]]:
    return [(trial, trial.values[key]) for trial in trials]


def _best_so_far(results: Results) -> tuple[Values, Values]:
    """Return the corners of the line in steps: each time that a trial is better, and the last trial."""
    numbers: list[float] = []
    values: list[float] = []
    for place, trial in enumerate(results.trials):
        best = best_trial(results.trials[: place + 1], results.mode)
        value = None if best is None else best.value(results.mode)
        if value is None:
            continue
        if values and value != values[-1]:
            numbers.append(trial.number)
            values.append(values[-1])
        numbers.append(trial.number)
        values.append(value)
    return np.array(numbers, np.float64), np.array(values, np.float64)


def _value_axis(values: Values) -> Axis:
    finite = values[np.isfinite(values)]
    spread = len(finite) > 0 and finite.min() > 0 and finite.max() > 20 * finite.min()
    return Axis.around(values, logarithmic=bool(spread))


def _key_axis(parameter: Parameter) -> Axis:
    if parameter.choice is not None:
        return ChoiceAxis.of(map(shown, parameter.choice))
    if parameter.int is not None and parameter.count <= WHOLE:
        return ChoiceAxis.of(str(number) for number in range(parameter.int[0], parameter.int[1] + 1))
    return Axis.around(np.array(parameter.examples, np.float64), logarithmic=parameter.log_uniform is not None)


def _choice_place(parameter: Parameter, valued: tuple[Trial, Any]) -> float:
    """Return where a trial stands on an axis of choices: beside the others of its choice, not upon them."""
    trial, value = valued
    aside = 0.4 * ((trial.number * (math.sqrt(5) - 1) / 2) % 1 - 0.5)
    if parameter.choice is None:
        assert parameter.int is not None
        return float(value) - parameter.int[0] + aside
    return [json.dumps(choice) for choice in parameter.choice].index(json.dumps(value)) + aside


def _marks(frame: Frame, trials: Sequence[Trial], x: Values, y: Values) -> list[str]:
    """Return a dot for each trial, which tells its number and value under the pointer."""
    return [
        f'<path class="mark {COLOURS[trial.state]}" d="M{across:g} {down:g}h0">'
        f"<title>trial {trial.number}, {trial.state}: {value:.4g}</title></path>"
        for trial, (across, down), value in zip(trials, frame.points(x, y), y.tolist(), strict=True)
    ]
