"""A compiled model trains, averages its weights and is resumed like any other."""

import json

import pytest
import torch
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler

from molfound.training.train import resume, train
from tests.training.conftest import MakeExperiment
from tests.training.test_resume import EVERY_STEP, assert_same_run, train_until


def has_compiler() -> bool:
    """Whether torch finds the C++ compiler by which it compiles for a CPU."""
    try:
        return bool(get_cpp_compiler())
    except InvalidCxxCompiler:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not has_compiler(), reason="torch.compile needs a C++ compiler, and finds none")
def test_a_compiled_training_ends_in_the_same_bits_when_resumed(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch._dynamo.reset()
    compiled = (EVERY_STEP, "training.compile=true")
    whole = train(experiment(*compiled, run="whole"))
    killed = experiment(*compiled, run="killed")
    train_until(killed, 7, monkeypatch)
    assert_same_run(whole, resume(killed.run_folder))
    figures = [json.loads(line) for line in whole.metrics.read_text().splitlines()]
    losses = [f["value"] for f in figures if (f["part"], f["task"], f["name"]) == ("train", None, "loss")]
    assert losses[-1] < losses[0]
