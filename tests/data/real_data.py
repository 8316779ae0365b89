"""Where the real data lie, for the tests that need them."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("MOLFOUND_DATA", "data"))
needs_data = pytest.mark.skipif(
    not (DATA / "toymix").is_dir(), reason="needs the real data: set MOLFOUND_DATA to a folder that has toymix/"
)
