"""Write ``docs/commands.md``, the reference of the command line, from its commands."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from molfound.cli import command

PAGE = Path(__file__).parent / "commands.md"
HEAD = """# Command line

Every command with its options, made from the commands by `docs/write_commands.py`; `molfound COMMAND --help` prints
the same. A mistake in what was typed is answered with one line and exit status 2, an interruption with 130.
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())


def page() -> str:
    """Return the page's text."""
    return HEAD + "".join(sections(command, click.Context(command, info_name="molfound")))


def sections(group: click.Group, context: click.Context) -> Iterator[str]:
    """Yield the section of each command of a group; a group's own is followed by those of its commands."""
    for name in group.list_commands(context):
        verb = group.get_command(context, name)
        assert verb is not None
        inside = click.Context(verb, info_name=name, parent=context)
        yield section(verb, inside)
        if isinstance(verb, click.Group):
            yield from sections(verb, inside)


def section(verb: click.Command, context: click.Context) -> str:
    """Return what is told of a command: how it is called, what it does, its options."""
    depth = "#" * len(context.command_path.split())
    usage = " ".join([context.command_path, *verb.collect_usage_pieces(context)])
    parts = [f"{depth} {context.command_path}", f"```text\n{usage}\n```", described(verb.help or "")]
    records = [option.get_help_record(context) for option in verb.params if isinstance(option, click.Option)]
    rows = [f"| `{in_table(name)}` | {in_table(plain(text))} |" for name, text in filter(None, records)]
    if rows:
        parts.append("\n".join(["| option | what it does |", "|---|---|", *rows]))
    return "\n" + "\n\n".join(parts) + "\n"


def described(text: str) -> str:
    r"""Return a help text as Markdown, each paragraph in one line.

    >>> described("Train CONFIG in\n    runs/<name>.\n\n    With *.")
    'Train CONFIG in runs/&lt;name>.\n\nWith \\*.'
    """
    return "\n\n".join(plain(" ".join(part.split())) for part in re.split(r"\n\s*\n", inspect.cleandoc(text)))


def plain(text: str) -> str:
    """Return a text with what Markdown would read as its own marked as text."""
    return text.replace("*", "\\*").replace("<", "&lt;")


def in_table(text: str) -> str:
    """Return a text as a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
