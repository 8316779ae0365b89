"""Small plots as inline SVG, coloured by the page's style sheet: lines, dots, histogram."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from molfound.training.report.rates import Values

WIDTH, HEIGHT = 360, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 28, 42
COLOURS, DASHES = 6, 5  # classes c0 … c5 and d0 … d4 of the style sheet
POINTS = 2_000  # of a parity plot
NAMED = 300  # dots up to which each tells its name
MARKED = 12  # points up to which each point of a line is marked
LEGEND = 18  # the height of a line with the names of a plot's series
TICKS = 7  # the most on an axis
BINS = 20
TITLE = 44  # characters that fit above a plot; the whole title is its label


@dataclass(frozen=True)
class Axis:
    """One axis: its range and its scale, from data to the share of its length, 0 to 1; `whole`: of whole numbers."""

    low: float
    high: float
    logarithmic: bool = False
    whole: bool = False

    @classmethod
    def around(cls, values: Values, *, logarithmic: bool = False, whole: bool = False) -> "Axis":
        """Return an axis that holds the finite values, with a margin if linear; 0 to 1 if there are none."""
        values = values[np.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        if logarithmic:
            return cls(low / 1.1, high * 1.1, True)
        margin = 0.04 * (high - low) or 0.04 * abs(high) or 1.0
        return cls(low - margin, high + margin, whole=whole)

    def place(self, values: Values) -> Values:
        """Return where values lie between the ends of the axis, 0 to 1."""
        low, high = self.low, self.high
        if self.logarithmic:
            values, low, high = np.log(values), math.log(low), math.log(high)
        return (values - low) / (high - low)

    def ticks(self) -> list[float]:
        """Return about six round numbers on the axis: 1, 2 or 5 times a power of 10."""
        if self.logarithmic:
            powers = np.arange(np.floor(np.log10(self.low)), np.ceil(np.log10(self.high)) + 1)
            few = self.high / self.low < 10**2.5
            steps = (1, 2, 5) if few else (1,)
            marks = [
                step * 10.0**power for power in powers[:: 1 if few else -(-len(powers) // TICKS)] for step in steps
            ]
        else:
            rough = (self.high - self.low) / 6
            power = 10.0 ** np.floor(np.log10(rough))
            step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * 0.95)
            step = max(step, 1.0) if self.whole else step
            marks = [step * number for number in range(int(np.ceil(self.low / step)), int(self.high / step) + 1)]
        return [mark for mark in marks if self.low <= mark <= self.high]

    def label(self, tick: float) -> str:
        """Return how a tick is written."""
        return f"{tick:.4g}"


UNIT = Axis(-0.02, 1.02)
"""An axis for shares."""


@dataclass(frozen=True)
class Frame:
    """A titled pair of axes; its methods return SVG elements in the plot's coordinates.

    `legend` names the series by colour and dashes, in their order; there is none where it is empty.
    """

    title: str
    x: Axis
    y: Axis
    x_label: str
    y_label: str
    legend: tuple[str, ...] = ()

    @property
    def top(self) -> int:
        """Where the area of the plot begins."""
        return TOP + (LEGEND if self.legend else 0)

    def points(self, x: Values, y: Values) -> list[tuple[float, float]]:
        """Return plot coordinates, rounded to a tenth of a pixel."""
        across = LEFT + self.x.place(x) * (WIDTH - LEFT - RIGHT)
        down = HEIGHT - BOTTOM - self.y.place(y) * (HEIGHT - self.top - BOTTOM)
        return list(zip(across.round(1).tolist(), down.round(1).tolist(), strict=True))

    def line(self, x: Values, y: Values, style: str, name: str = "") -> str:
        """Return a line through the finite points."""
        finite = np.isfinite(x) & np.isfinite(y)
        places = " ".join(f"{a:g},{b:g}" for a, b in self.points(x[finite], y[finite]))
        title = f"<title>{escape(name)}</title>" if name else ""
        return f'<polyline class="{style}" points="{places}">{title}</polyline>'

    def dots(self, x: Values, y: Values, style: str) -> str:
        """Return the points as one path of dots, which is far smaller than a circle each."""
        return f'<path class="{style}" d="{"".join(f"M{a:g} {b:g}h0" for a, b in self.points(x, y))}"/>'

    def svg(self, content: Sequence[str]) -> str:
        """Return the whole plot: grid, ticks, labels, title and content."""
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        shown = self.title if len(self.title) <= TITLE else f"{self.title[: TITLE - 1]}…"
        parts = [f'<text class="title" x="{LEFT}" y="16">{escape(shown)}</text>']
        ticks = np.array(self.x.ticks()), np.array(self.y.ticks())
        for value, (across, _) in zip(ticks[0], self.points(ticks[0], np.full(len(ticks[0]), self.y.low)), strict=True):
            parts.append(f'<path class="grid" d="M{across:g} {self.top}V{bottom}"/>')
            label = escape(self.x.label(value))
            parts.append(f'<text x="{across:g}" y="{bottom + 15}" text-anchor="middle">{label}</text>')
        for value, (_, down) in zip(ticks[1], self.points(np.full(len(ticks[1]), self.x.low), ticks[1]), strict=True):
            parts.append(f'<path class="grid" d="M{LEFT} {down:g}H{right}"/>')
            label = escape(self.y.label(value))
            parts.append(f'<text x="{LEFT - 5}" y="{down + 4:g}" text-anchor="end">{label}</text>')
        middle_x, middle_y = (LEFT + right) / 2, (self.top + bottom) / 2
        parts.append(f'<text x="{middle_x:g}" y="{HEIGHT - 8}" text-anchor="middle">{escape(self.x_label)}</text>')
        parts.append(
            f'<text transform="translate(12 {middle_y:g}) rotate(-90)" text-anchor="middle">'
            f"{escape(self.y_label)}</text>"
        )
        name = escape(self.title, quote=True)
        inside = "".join([*parts, *self._legend(), *content])
        return f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">{inside}</svg>'

    def _legend(self) -> Iterator[str]:
        left = LEFT
        for number, name in enumerate(self.legend):
            yield f'<path class="line {series_style(number)}" d="M{left} {TOP + 2}h20"/>'
            yield f'<text x="{left + 24}" y="{TOP + 6}">{escape(name)}</text>'
            left += 36 + round(6.5 * len(name))


def series_style(number: int) -> str:
    """Return the classes of a series' colour and dashes; they differ for the first thirty."""
    return f"c{number % COLOURS} d{number % DASHES}"


def line_plot(
    title: str,
    series: Mapping[str, tuple[Values, Values]],
    *,
    x_label: str,
    y_label: str,
    legend: bool = True,
) -> str:
    """Return lines by name, on a logarithmic y axis where the values are positive and span a factor above 20.

    Args:
        title: of the plot.
        series: of each name the x, which are whole numbers, and y values; one without values keeps its colour.
        x_label: of the axis.
        y_label: of the axis.
        legend: whether the plot tells the names, which are short then.
    """
    x, y = (np.concatenate([values[axis] for values in series.values()]) for axis in (0, 1))
    finite = y[np.isfinite(y)]
    logarithmic = len(finite) > 0 and finite.min() > 0 and finite.max() > 20 * finite.min()
    axes = Axis.around(x, whole=True), Axis.around(y, logarithmic=logarithmic)
    frame = Frame(title, *axes, x_label, y_label, tuple(series) if legend else ())
    content = []
    for number, (name, (across, up)) in enumerate(series.items()):
        content.append(frame.line(across, up, f"line {series_style(number)}", name))
        there = np.isfinite(across) & np.isfinite(up)
        if there.sum() <= MARKED:
            content.append(frame.dots(across[there], up[there], f"dots c{number % COLOURS}"))
    return frame.svg(content)


def histogram(title: str, values: Values, *, x_label: str, y_label: str = "labels") -> str:
    """Return how many of the finite values lie in each of `BINS` equal bins."""
    values = values[np.isfinite(values)]
    counts, edges = np.histogram(values, BINS)
    frame = Frame(
        title, Axis(edges[0], edges[-1]), Axis(0, 1.08 * max(int(counts.max()), 1), whole=True), x_label, y_label
    )
    bars = []
    for count, low, high in zip(counts.tolist(), edges[:-1], edges[1:], strict=True):
        (left, top), (right, bottom) = frame.points(np.array([low, high]), np.array([count, 0.0]))
        box = f'x="{left + 0.5:g}" y="{top:g}" width="{max(right - left - 1, 0.5):g}" height="{bottom - top:g}"'
        bars.append(f'<rect class="bar" {box}><title>{low:.4g} to {high:.4g}: {count}</title></rect>' if count else "")
    return frame.svg(bars)


def scatter_plot(title: str, x: Values, y: Values, *, x_label: str, y_label: str, names: Sequence[str] = ()) -> str:
    """Return dots with the diagonal, both axes on one scale; at most `POINTS`, always the same ones.

    Args:
        title: of the plot.
        x: of each dot.
        y: of each dot.
        x_label: of the axis.
        y_label: of the axis.
        names: of the dots, told where the pointer is if there are at most `NAMED`.
    """
    finite = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if len(finite) > POINTS:
        finite = np.sort(np.random.default_rng(0).choice(finite, POINTS, replace=False))
    x, y = x[finite], y[finite]
    axis = Axis.around(np.concatenate([x, y]))
    frame = Frame(title, axis, axis, x_label, y_label)
    if names and len(names) <= NAMED:
        chosen = (names[number] for number in finite.tolist())
        return frame.svg([_diagonal(frame), *_named_dots(frame.points(x, y), chosen)])
    style = "dots c0" if len(finite) <= 100 else "dots faint c0"
    return frame.svg([_diagonal(frame), frame.dots(x, y, style)])


def roc_plot(title: str, curves: Mapping[str, tuple[Values, Values]]) -> str:
    """Return ROC curves by name, each from `roc_curve`, with the diagonal of chance."""
    frame = Frame(title, UNIT, UNIT, "false positive rate", "true positive rate")
    return frame.svg([_diagonal(frame), *_curves(frame, curves)])


def precision_recall_plot(title: str, curves: Mapping[str, tuple[Values, Values]]) -> str:
    """Return precision-recall curves by name, each from `precision_recall_curve`."""
    frame = Frame(title, UNIT, UNIT, "recall", "precision")
    return frame.svg(_curves(frame, curves))


def reliability_plot(title: str, said: Values, true: Values, counts: NDArray[np.int64]) -> str:
    """Return what `reliability` returns, with the diagonal of a calibrated model."""
    frame = Frame(title, UNIT, UNIT, "predicted probability", "share of actives")
    dots = _named_dots(frame.points(said, true), (f"{count} values" for count in counts.tolist()))
    return frame.svg([_diagonal(frame), frame.line(said, true, "line c0"), *dots])


def _named_dots(places: Iterable[tuple[float, float]], names: Iterable[str]) -> Iterator[str]:
    for (across, down), name in zip(places, names, strict=True):
        yield f'<circle class="dot c0" cx="{across:g}" cy="{down:g}" r="3.5"><title>{escape(name)}</title></circle>'


def _diagonal(frame: Frame) -> str:
    ends = np.array([frame.x.low, frame.x.high])
    return frame.line(ends, ends, "diagonal")


def _curves(frame: Frame, curves: Mapping[str, tuple[Values, Values]]) -> list[str]:
    style = "line c0 many" if len(curves) > 3 else "line c0"
    return [frame.line(x, y, style, name) for name, (x, y) in curves.items()]
