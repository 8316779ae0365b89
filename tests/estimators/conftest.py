"""The untrained run of the tests of inference."""

from tests.inference.conftest import run as run
