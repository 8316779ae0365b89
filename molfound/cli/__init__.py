"""The command line: `main`, and the table of verbs, each loaded only when it is called."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from molfound import __version__
from molfound.errors import MolfoundError, did_you_mean

USER_ERROR = 2
INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group that knows its verbs' names and help lines, and imports a verb's module only when it is called.

    Args:
        verbs: from a verb's name to its module, which has the click command as `command`, and its help line.
    """

    def __init__(self, *args: Any, verbs: dict[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.verbs = verbs

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the verbs in the order of the table."""
        return list(self.verbs)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return the verb's command, or None if there is no such verb."""
        if name not in self.verbs:
            return None
        command = import_module(self.verbs[name][0]).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.verbs[name][0]}.command is {command!r}")
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb that the arguments begin with; an unknown one is answered with the nearest."""
        if args and not args[0].startswith("-") and self.get_command(context, args[0]) is None:
            context.fail(f"no command '{args[0]}'{did_you_mean(args[0], self.verbs)}")
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of verbs without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.verbs.items()])


@click.group(
    cls=LazyGroup,
    verbs={
        "train": ("molfound.cli.train", "Train an experiment."),
        "prepare": ("molfound.cli.prepare", "Prepare the graph stores of an experiment's datasets."),
        "evaluate": ("molfound.cli.evaluate", "Evaluate a run on a part of its data."),
        "report": ("molfound.cli.report", "Write the report of a run anew, or a comparison of several."),
        "predict": ("molfound.cli.predict", "Predict with a run for SMILES or a file of molecules."),
        "embed": ("molfound.cli.embed", "Embed SMILES or a file of molecules with a run."),
        "finetune": (
            "molfound.cli.finetune",
            "Fine-tune a run's encoder on a table of molecules, or as a CONFIG says.",
        ),
        "ensemble": ("molfound.cli.ensemble", "Make an ensemble of finished runs."),
        "export": ("molfound.cli.export", "Export a run with its model card, to be given away."),
        "convert": ("molfound.cli.convert", "Convert a published checkpoint of Uni-Mol2 to a run folder."),
        "sweep": ("molfound.cli.sweep", "Vary an experiment's keys, and find the values that do best."),
        "bench": ("molfound.cli.bench", "Measure the quality of models over a suite of datasets, or the code's speed."),
        "config": ("molfound.cli.config", "Show an experiment's configuration, its schema, its model's parameters."),
        "data": ("molfound.cli.data", "List, fetch and describe the datasets, show what sampling by scaffold does."),
        "doctor": ("molfound.cli.doctor", "Show versions, devices and what is missing, and test the installation."),
    },
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="molfound %(version)s")
def command() -> None:
    """Train, measure and use molecular graph models over mixtures of datasets and thousands of sparse tasks."""


def machine_is_busy() -> bool:
    """Return whether other work kept more than a quarter of the cores busy in the last minute, where that is known."""
    return sys.platform != "win32" and os.getloadavg()[0] > (os.cpu_count() or 1) / 4


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0, 2 at a user's mistake (one line), 130 at an interrupt, 1 at a defect of ours.

    Args:
        arguments: what follows the program's name; by default the process's own.
    """
    # Read once, when torch is loaded: OpenMP threads that spin while they wait starve each other on a busy machine.
    if machine_is_busy():
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        status = command.main(arguments, prog_name="molfound", standalone_mode=False)
    except click.exceptions.Abort as abort:
        # click turns both Ctrl-C and an EOFError into Abort; only the first is the user's.
        if isinstance(abort.__cause__, EOFError):
            raise abort.__cause__ from None
        _stop("interrupted", INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        _stop(error.format_message(), USER_ERROR)
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        hint = f" (see '{context.command_path} --help')" if context is not None else ""
        _stop(f"error: {error.format_message()}{hint}", USER_ERROR)
    except MolfoundError as error:
        _stop(f"error: {error}", USER_ERROR)
    sys.exit(status if isinstance(status, int) else 0)


def _stop(line: str, status: int) -> None:
    click.echo(line, err=True)
    sys.exit(status)
