"""Small plots as inline SVG, coloured by the page's style sheet: lines, histogram, parity, ROC."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

WIDTH, HEIGHT = 360, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 28, 42
COLOURS = 6  # classes c0 … c5 of the style sheet
POINTS = 2_000  # of a parity plot
VERTICES = 150  # of a ROC curve
BINS = 20
TITLE = 44  # characters that fit above a plot; the whole title is its label


@dataclass(frozen=True)
class Axis:
    """One axis: its range and its scale, from data to the share of its length, 0 to 1."""

    low: float
    high: float
    logarithmic: bool = False

    @classmethod
    def around(cls, values: Values, *, logarithmic: bool = False) -> "Axis":
        """Return an axis that holds the finite values, with a margin if linear; 0 to 1 if there are none."""
        values = values[np.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        if logarithmic:
            return cls(low / 1.1, high * 1.1, True)
        margin = 0.04 * (high - low) or 0.04 * abs(high) or 1.0
        return cls(low - margin, high + margin)

    def place(self, values: Values) -> Values:
        """Return where values lie between the ends of the axis, 0 to 1."""
        low, high = self.low, self.high
        if self.logarithmic:
            values, low, high = np.log(values), math.log(low), math.log(high)
        return (values - low) / (high - low)

    def ticks(self) -> list[float]:
        """Return about five round numbers on the axis: 1, 2 or 5 times a power of 10."""
        if self.logarithmic:
            powers = np.arange(np.floor(np.log10(self.low)), np.ceil(np.log10(self.high)) + 1)
            steps = (1, 2, 5) if len(powers) <= 3 else (1,)
            marks = [step * 10.0**power for power in powers for step in steps]
        else:
            rough = (self.high - self.low) / 5
            power = 10.0 ** np.floor(np.log10(rough))
            step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
            marks = [step * number for number in range(int(np.ceil(self.low / step)), int(self.high / step) + 1)]
        return [mark for mark in marks if self.low <= mark <= self.high]


@dataclass(frozen=True)
class Frame:
    """A titled pair of axes; its methods return SVG elements in the plot's coordinates."""

    title: str
    x: Axis
    y: Axis
    x_label: str
    y_label: str

    def points(self, x: Values, y: Values) -> list[tuple[float, float]]:
        """Return plot coordinates, rounded to a tenth of a pixel."""
        across = LEFT + self.x.place(x) * (WIDTH - LEFT - RIGHT)
        down = HEIGHT - BOTTOM - self.y.place(y) * (HEIGHT - TOP - BOTTOM)
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
            parts.append(f'<path class="grid" d="M{across:g} {TOP}V{bottom}"/>')
            parts.append(f'<text x="{across:g}" y="{bottom + 15}" text-anchor="middle">{value:.4g}</text>')
        for value, (_, down) in zip(ticks[1], self.points(np.full(len(ticks[1]), self.x.low), ticks[1]), strict=True):
            parts.append(f'<path class="grid" d="M{LEFT} {down:g}H{right}"/>')
            parts.append(f'<text x="{LEFT - 5}" y="{down + 4:g}" text-anchor="end">{value:.4g}</text>')
        middle_x, middle_y = (LEFT + right) / 2, (TOP + bottom) / 2
        parts.append(f'<text x="{middle_x:g}" y="{HEIGHT - 8}" text-anchor="middle">{escape(self.x_label)}</text>')
        parts.append(
            f'<text transform="translate(12 {middle_y:g}) rotate(-90)" text-anchor="middle">'
            f"{escape(self.y_label)}</text>"
        )
        name = escape(self.title, quote=True)
        inside = "".join([*parts, *content])
        return f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">{inside}</svg>'


def line_plot(title: str, series: Mapping[str, tuple[Values, Values]], *, x_label: str, y_label: str) -> str:
    """Return lines by name, on a logarithmic y axis where the values are positive and span a factor above 20."""
    x, y = (np.concatenate([values[axis] for values in series.values()]) for axis in (0, 1))
    finite = y[np.isfinite(y)]
    logarithmic = len(finite) > 0 and finite.min() > 0 and finite.max() > 20 * finite.min()
    frame = Frame(title, Axis.around(x), Axis.around(y, logarithmic=logarithmic), x_label, y_label)
    content = []
    for number, (name, (across, up)) in enumerate(series.items()):
        style, legend_y = f"line c{number % COLOURS}", TOP + 12 + 14 * number
        content.append(frame.line(across, up, style, name))
        content.append(f'<path class="{style}" d="M{WIDTH - 84} {legend_y - 4}h16"/>')
        content.append(f'<text x="{WIDTH - 63}" y="{legend_y}">{escape(name)}</text>')
    return frame.svg(content)


def histogram(title: str, values: Values, *, x_label: str, y_label: str = "labels") -> str:
    """Return how many of the finite values lie in each of `BINS` equal bins."""
    values = values[np.isfinite(values)]
    counts, edges = np.histogram(values, BINS)
    frame = Frame(title, Axis(edges[0], edges[-1]), Axis(0, 1.08 * max(int(counts.max()), 1)), x_label, y_label)
    bars = []
    for count, low, high in zip(counts.tolist(), edges[:-1], edges[1:], strict=True):
        (left, top), (right, bottom) = frame.points(np.array([low, high]), np.array([count, 0.0]))
        box = f'x="{left + 0.5:g}" y="{top:g}" width="{max(right - left - 1, 0.5):g}" height="{bottom - top:g}"'
        bars.append(f'<rect class="bar" {box}><title>{low:.4g} to {high:.4g}: {count}</title></rect>' if count else "")
    return frame.svg(bars)


def parity_plot(title: str, target: Values, prediction: Values) -> str:
    """Return predictions over targets with the diagonal, on one scale; at most `POINTS`, always the same ones."""
    finite = np.flatnonzero(np.isfinite(target) & np.isfinite(prediction))
    if len(finite) > POINTS:
        finite = np.sort(np.random.default_rng(0).choice(finite, POINTS, replace=False))
    target, prediction = target[finite], prediction[finite]
    axis = Axis.around(np.concatenate([target, prediction]))
    frame = Frame(title, axis, axis, "target", "prediction")
    ends = np.array([axis.low, axis.high])
    return frame.svg([frame.line(ends, ends, "diagonal"), frame.dots(target, prediction, "dots")])


def roc_plot(title: str, curves: Mapping[str, tuple[Values, Values]]) -> str:
    """Return ROC curves by name, each from `roc_curve`, with the diagonal of chance."""
    frame = Frame(title, Axis(0, 1), Axis(0, 1), "false positive rate", "true positive rate")
    ends = np.array([0.0, 1.0])
    style = "line c0 many" if len(curves) > 3 else "line c0"
    lines = [frame.line(false, true, style, name) for name, (false, true) in curves.items()]
    return frame.svg([frame.line(ends, ends, "diagonal"), *lines])


def roc_curve(target: Values, prediction: Values) -> tuple[Values, Values]:
    """Return false and true positive rates over descending thresholds, from (0, 0) to (1, 1), at most `VERTICES` each.

    Targets are 0 or 1, both there. Equal predictions are one threshold.
    """
    order = np.argsort(-prediction, kind="stable")
    last_of_tie = np.flatnonzero(np.diff(prediction[order], append=np.inf))
    positives = np.cumsum(target[order])[last_of_tie]
    negatives = last_of_tie + 1 - positives
    true = np.concatenate([[0.0], positives / positives[-1]])
    false = np.concatenate([[0.0], negatives / negatives[-1]])
    kept = np.unique(np.linspace(0, len(true) - 1, VERTICES).round().astype(np.int64))
    return false[kept], true[kept]
