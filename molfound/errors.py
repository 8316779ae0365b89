"""The error that a user can mend, and the suggestion of the nearest right name."""

from collections.abc import Iterable
from difflib import get_close_matches


class MolfoundError(Exception):
    """A mistake of the user's: its message is one clear line that names the thing and how to mend it.

    The command line prints the message without a traceback and exits with code 2. Every other exception is a
    defect of ours and keeps its traceback.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'X'?"`` for the known name nearest to `name`, or the known names if none is near.

    >>> did_you_mean("gines", ["gcn", "gin", "gine"])
    "; did you mean 'gine'?"
    >>> did_you_mean("transformer", ["gcn", "gin"])
    '; known: gcn, gin'
    """
    names = [str(candidate) for candidate in known]
    folded = {candidate.lower(): candidate for candidate in reversed(names)}
    near = get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{folded[near[0]]}'?"
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"; known: {shown}" if names else ""
