"""Docstrings as mkdocstrings knows them: doctests, wherever they stand, are examples."""

import re
from typing import Any

from griffe import Extension, Object

EXAMPLE = re.compile(r"^( *)Example:$", re.MULTILINE)


class Examples(Extension):
    """Names the section ``Example:`` as Griffe does, and puts the doctests that stand in none under that name."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Change the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = examples_named(obj.docstring.value)


def examples_named(docstring: str) -> str:
    r"""Return a docstring whose doctests stand in a section ``Examples:``.

    >>> examples_named("What it is.\n\nExample:\n    >>> 1\n    1")
    'What it is.\n\nExamples:\n    >>> 1\n    1'
    >>> examples_named("What it is.\n\n>>> 1\n1")
    'What it is.\n\nExamples:\n    >>> 1\n    1'
    """
    named = EXAMPLE.sub(r"\1Examples:", docstring)
    bare = re.search(r"^>>> ", named, re.MULTILINE)
    if bare is None:
        return named
    code = named[bare.start() :]
    return named[: bare.start()] + "Examples:\n" + "\n".join(f"    {line}".rstrip() for line in code.splitlines())
