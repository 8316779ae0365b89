"""Where molfound keeps what it can make again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder of unpacked archives: ``$MOLFOUND_CACHE``, or ``~/.cache/molfound``."""
    given = os.environ.get("MOLFOUND_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "molfound"
