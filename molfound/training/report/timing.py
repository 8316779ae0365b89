"""The time that a training took."""

from collections.abc import Mapping

import numpy as np

from molfound.training.report.content import Timing
from molfound.training.report.plots import line_plot
from molfound.training.report.tables import table


def timing_figures(timing: Timing) -> dict[str, str]:
    """Return what is told of the time of a training, as escaped text by name."""
    training, waiting, rest, molecules = (
        sum(getattr(epoch, name) for epoch in timing.epochs) for name in ("training", "waiting", "rest", "molecules")
    )
    return {
        "parameters": f"{timing.parameters:,}",
        "epochs": str(len({epoch.epoch for epoch in timing.epochs})),
        "training": duration(training),
        "of it waiting for batches": f"{waiting / training:.1%}" if training else "",
        "validation and checkpoints": duration(rest),
        "molecules per second of training": f"{molecules / training:,.0f}" if training else "",
        "processes": str(timing.processes),
        "threads of each": str(timing.threads),
    }


def timing_table(timing: Timing) -> str:
    """Return the figures of a training's time as a table, and what it ran on."""
    rows = [[name, text] for name, text in timing_figures(timing).items()]
    return table(["", timing.device], rows, text_columns=1, name="time of the training")


def timing_plots(timings: Mapping[str, Timing | None], *, legend: bool) -> list[str]:
    """Return molecules per second and seconds of each epoch, of one training or several by name, some without any."""
    told = {name: timing.epochs if timing is not None else () for name, timing in timings.items()}
    across = {name: np.array([epoch.epoch for epoch in epochs], np.float64) for name, epochs in told.items()}
    rates = {
        name: (across[name], np.array([epoch.molecules / max(epoch.training, 1e-9) for epoch in epochs]))
        for name, epochs in told.items()
    }
    seconds = {
        name: (across[name], np.array([epoch.training + epoch.rest for epoch in epochs]))
        for name, epochs in told.items()
    }
    return [
        line_plot("molecules per second of training", rates, x_label="epoch", y_label="molecules/s", legend=legend),
        line_plot("seconds, validation included", seconds, x_label="epoch", y_label="s", legend=legend),
    ]


def duration(seconds: float) -> str:
    """Return seconds as text of two units at most.

    Example:
        >>> duration(4.26), duration(75.0), duration(7260.0)
        ('4.3 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s"
