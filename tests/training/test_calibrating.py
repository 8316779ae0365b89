"""The calibration that a run keeps: made of its validation part, told on its test part, used by its predictions."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit, logit

import molfound as mf
from molfound.config import Experiment
from molfound.errors import MolfoundError
from molfound.inference import Predictor
from molfound.tasks.calibration import ProbabilityCalibration
from molfound.training.mixture import load_task_mixture
from molfound.training.report import write_report
from molfound.training.run_folder import RunFolder
from molfound.training.train import train
from tests.training.conftest import SMILES, MakeExperiment

# Halves, so that there are enough molecules to calibrate on.
PARTS = "data.datasets.props.split={kind: random, fractions: [0.3, 0.5, 0.2], seed: 1}"


@pytest.fixture
def chosen(experiment: MakeExperiment) -> Experiment:
    return experiment("training.epochs=2", PARTS)


@pytest.fixture
def run(chosen: Experiment) -> RunFolder:
    return train(chosen)


def rows_of(chosen: Experiment, part: str) -> pd.DataFrame:
    """Return the molecules of a part of the dataset `props`, with their labels."""
    mixture = load_task_mixture(chosen, lambda line: None)
    positions = mixture.graphs.positions(part)
    first, last = mixture.graphs.collection.ranges["props"]
    rows = mixture.graphs.collection.rows.numpy()[positions[(positions >= first) & (positions < last)]]
    return pd.read_parquet(Path(chosen.data.root) / "props.parquet").iloc[rows]


def test_a_run_keeps_the_intervals_of_its_validation_part(run: RunFolder, chosen: Experiment) -> None:
    kept = json.loads(run.calibration.read_text())
    model = mf.load(run.path)
    table = rows_of(chosen, "val")
    predicted = model.predict(table.smiles, tasks=["logp"])
    for place, label in enumerate(("logp", "tpsa")):
        off = np.sort(np.abs(predicted[f"logp.{label}"] - table[label]).dropna())
        for level in ("0.5", "0.8"):
            rank = int(np.ceil((len(off) + 1) * float(level) - 1e-9))
            assert kept["intervals"]["logp"]["widths"][level][place] == pytest.approx(off[rank - 1], rel=1e-3)
        assert kept["intervals"]["logp"]["widths"]["0.99"][place] is None
    test = rows_of(chosen, "test")
    bounds = model.predict(test.smiles, tasks=["logp"], interval=0.8)
    inside = [
        ((test[label] >= bounds[f"logp.{label}.low"]) & (test[label] <= bounds[f"logp.{label}.high"]))[
            test[label].notna()
        ].mean()
        for label in ("logp", "tpsa")
    ]
    assert kept["test"]["logp"]["coverage_0.8"] == pytest.approx(np.mean(inside))
    assert "share of test values inside" in write_report(run.path).read_text()


def test_bounds_stand_around_predictions_at_every_level(run: RunFolder) -> None:
    model = mf.load(run.path)
    table = model.predict(SMILES[:5], interval=0.5)
    assert [name for name in table.columns if name.startswith("logp.")] == [
        *("logp.logp", "logp.logp.low", "logp.logp.high", "logp.tpsa", "logp.tpsa.low", "logp.tpsa.high")
    ]
    for name in ("logp.logp", "neighbours.neighbours"):
        for middle, low, high in zip(table[name], table[f"{name}.low"], table[f"{name}.high"], strict=True):
            np.testing.assert_allclose(middle, (np.asarray(low) + high) / 2, rtol=1e-5, atol=1e-5)
            assert np.all(np.asarray(high) > low)
    assert "acid.acid.low" not in table


def test_probabilities_are_moved_along_the_fitted_line(run: RunFolder) -> None:
    model = mf.load(run.path)
    kept = json.loads(run.calibration.read_text())["probabilities"]["acid"]
    plain = model.predict(SMILES, tasks=["acid"])["acid.acid"]
    moved = model.predict(SMILES, tasks=["acid"], calibrated=True)["acid.acid"]
    np.testing.assert_allclose(moved, expit(kept["scale"][0] * logit(plain) + kept["shift"][0]), atol=1e-5)
    # Logits whose probability float32 rounds to 0 or 1 are told apart all the same.
    assert model.calibration is not None
    line = ProbabilityCalibration(scale=(0.2,), shift=(-1.0,))
    model.calibration = model.calibration.model_copy(update={"probabilities": {"acid": line}})
    sure = torch.tensor([[-40.0], [-20.0], [15.0], [20.0], [40.0]])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(model.model, "draws", lambda *_: [dict.fromkeys(model.tasks, sure)])
        found = model.predict(["C"] * 5, tasks=["acid"], calibrated=True)["acid.acid"]
    np.testing.assert_allclose(found, expit(0.2 * sure[:, 0].double().numpy() - 1), rtol=1e-5)


def test_what_a_run_does_not_keep_is_named(run: RunFolder) -> None:
    model = mf.load(run.path)
    with pytest.raises(MolfoundError, match=r"no intervals of coverage 0\.85; known: 0\.5, 0\.68, 0\.8, 0\.9"):
        model.predict(["C"], interval=0.85)
    with pytest.raises(
        MolfoundError, match=r"too few molecules held out for intervals of coverage 0\.99; those it has"
    ):
        model.predict(["C"], tasks=["logp"], interval=0.99)
    with pytest.raises(MolfoundError, match="no regression with an interval among the tasks acid"):
        model.predict(["C"], tasks=["acid"], interval=0.9)
    with pytest.raises(MolfoundError, match="no calibrated binary task among the tasks logp"):
        model.predict(["C"], tasks=["logp"], calibrated=True)
    assert model.calibration is not None
    few = {name: found for name, found in model.calibration.intervals.items() if name == "logp"}
    some = Predictor(model.model, model.calibration.model_copy(update={"intervals": few})).predict(["C"], interval=0.5)
    assert "logp.logp.low" in some
    assert "neighbours.neighbours.low" not in some
    run.calibration.unlink()
    with pytest.raises(MolfoundError, match=r"the run keeps no calibration\.json"):
        mf.load(run.path).predict(["C"], interval=0.9)
