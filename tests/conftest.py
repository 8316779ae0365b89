"""What all tests share: no test has a deadline, for a busy machine is no defect; plugins can be forgotten."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import settings

from molfound.plugins import PREFIX
from molfound.registry import unregister

settings.register_profile("molfound", deadline=None)
settings.load_profile("molfound")


@contextmanager
def plugins_forgotten_after() -> Iterator[None]:
    """Forget what plugins have registered within the context."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(PREFIX):
            del sys.modules[name]
            unregister(name)


@pytest.fixture(scope="module")
def plugins_forgotten() -> Iterator[None]:
    """What plugins register within a module of tests is gone after it."""
    with plugins_forgotten_after():
        yield
