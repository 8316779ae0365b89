"""Deviations of predictions: of dropout samples, of heads that predict a variance, and of both together."""

import numpy as np
import pytest
import torch

import molfound as mf
from molfound.config.component import Component
from molfound.errors import MolfoundError
from molfound.inference import Predictor
from molfound.model import DropoutSamples, Ensemble, MolecularModel, specify
from molfound.model.dropout_samples import _Mask
from molfound.nn.blocks import Dropout
from molfound.nn.two_track.dropout import DropPath
from molfound.tasks.normalization import Normalizer
from molfound.tasks.resolve import make_task
from tests.inference.test_predictor import MANY
from tests.test_model import all_tasks, experiment

NOISY = make_task("noisy", "one", "graph", "regression", ["x", "y"], loss=Component("gaussian_nll"))


def made(seed: int, **model: object) -> MolecularModel:
    torch.manual_seed(seed)
    bins = make_task("bins", "one", "graph", "multiclass", ["size"], classes=3)
    found = MolecularModel(specify(experiment(**model), all_tasks() | {"bins": bins, "noisy": NOISY})).eval()
    found.normalizers["noisy"] = Normalizer(torch.tensor([5.0, -1.0]), torch.tensor([3.0, 0.5]))
    return found


@pytest.fixture(scope="module")
def model() -> MolecularModel:
    torch.set_num_threads(1)
    return made(0)


def test_a_dropout_sample_is_one_network_for_all_molecules(model: MolecularModel) -> None:
    predictor = Predictor(model)
    plain = predictor.predict(MANY)
    together = predictor.predict(MANY, dropout_samples=4, batch_size=3)
    for place, text in enumerate(MANY):
        alone = predictor.predict([text], dropout_samples=4)
        for name in ("energy.gap", "energy.gap.deviation", "toxic.b.deviation", "charges.q.deviation", "bins.size"):
            np.testing.assert_allclose(together[name][place], alone[name][0], atol=1e-5, err_msg=f"{name} of {text}")
    assert np.shape(together["bins.size.deviation"][0]) == (3,)
    assert (together["energy.gap.deviation"] > 0).all()
    assert not np.allclose(together["energy.gap"], plain["energy.gap"], atol=1e-4)
    np.testing.assert_array_equal(predictor.predict(MANY)["energy.gap"], plain["energy.gap"])


def test_samples_are_averaged(model: MolecularModel) -> None:
    sampled = DropoutSamples(model, 3)
    predictor = Predictor(model)
    each = []
    for sample in range(3):
        with sampled._without_units(sample):
            each.append(predictor.predict(MANY, tasks=["energy", "toxic"]))
    assert not np.allclose(each[0]["energy.mu"], each[1]["energy.mu"], atol=1e-4)
    table = predictor.predict(MANY, dropout_samples=3)
    for name in ("energy.mu", "toxic.a"):
        values = np.stack([one[name] for one in each])
        np.testing.assert_allclose(table[name], values.mean(0), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(table[f"{name}.deviation"], values.std(0), rtol=1e-3, atol=1e-6)


def test_masks_leave_out_their_share_and_keep_the_mean() -> None:
    values = torch.ones(2, 4, 2000)
    left = _Mask(Dropout(0.25), [0, 1])(Dropout(0.25), (values,), values)
    assert torch.equal(left[0, 0].expand_as(left), left)
    assert left.unique().tolist() == [0.0, pytest.approx(4 / 3)]
    assert float((left == 0).float().mean()) == pytest.approx(0.25, abs=0.03)
    # A wider layer begins as a narrower one does: how far a batch is padded changes nothing.
    assert torch.equal(_Mask(Dropout(0.25), [0, 1])(Dropout(0.25), (values[..., :7],), values), left[..., :7])
    path = DropPath(0.5)
    whole = [float(_Mask(path, [sample, 0])(path, (values,), values).unique()) for sample in range(200)]
    assert set(whole) == {0.0, 2.0}
    assert 60 < whole.count(0.0) < 140


def test_a_head_predicts_its_own_deviation(model: MolecularModel) -> None:
    table = Predictor(model).predict(MANY, deviation=True)
    assert [name for name in table.columns if name.endswith("deviation")] == ["noisy.x.deviation", "noisy.y.deviation"]
    arrays, _ = Predictor(model).featurize(MANY)
    ((_, raw),) = Predictor(model)._forward(arrays, lambda b: dict(model.draws(b)[0]), {"noisy": "graph"}, 1, 99)
    np.testing.assert_allclose(table["noisy.x"], 3 * raw["noisy"][:, 0, 0] + 5, rtol=1e-5)
    np.testing.assert_allclose(table["noisy.y.deviation"], 0.5 * (raw["noisy"][:, 1, 1] / 2).exp(), rtol=1e-4)


def test_variances_within_and_between_members_add_up(model: MolecularModel) -> None:
    members = [model, made(1)]
    members[1].normalizers["noisy"] = Normalizer(torch.tensor([7.0, 0.0]), torch.tensor([1.0, 2.0]))
    table = Predictor(Ensemble(members)).predict(MANY, tasks=["noisy"], deviation=True)
    each = [Predictor(member).predict(MANY, tasks=["noisy"], deviation=True) for member in members]
    for name in ("noisy.x", "noisy.y"):
        means, deviations = (np.stack([one[column] for one in each]) for column in (name, f"{name}.deviation"))
        variance = (deviations**2).mean(0) + means.var(0)
        np.testing.assert_allclose(table[name], means.mean(0), rtol=1e-5)
        np.testing.assert_allclose(table[f"{name}.deviation"], np.sqrt(variance), rtol=1e-4)
    sampled = Predictor(Ensemble(members)).predict(MANY, tasks=["noisy"], dropout_samples=2)
    assert (sampled["noisy.x.deviation"] > 0).all()


def test_what_knows_no_deviation_is_named(model: MolecularModel) -> None:
    with pytest.raises(MolfoundError, match="a single model knows no deviation of energy"):
        Predictor(model).predict(["C"], tasks=["energy"], deviation=True)
    with pytest.raises(MolfoundError, match="two dropout samples at least, not 1"):
        Predictor(model).predict(["C"], dropout_samples=1)
    with pytest.raises(MolfoundError, match="predictions without dropout samples"):
        Predictor(model).predict(["C"], dropout_samples=5, interval=0.9)
    dry = made(0, encoder={"name": "gnn", "layer": "gin", "width": 16, "depth": 2})
    with pytest.raises(MolfoundError, match="the model has no dropout"):
        Predictor(dry).predict(["C"], dropout_samples=5)


def test_dropout_in_a_head_deviates_its_own_task_alone() -> None:
    model = mf.load("toymix-gine")  # which has dropout in the head of Tox21 alone
    table = model.predict(MANY, dropout_samples=4)
    deviating = [name for name in table.columns if name.endswith(".deviation")]
    assert {name.partition(".")[0] for name in deviating} == {"tox21"}
    assert (table[deviating].dropna() > 0).to_numpy().all()
    with pytest.raises(MolfoundError, match="no dropout acts on the predictions of zinc12k"):
        model.predict(["CCO"], tasks=["zinc12k"], dropout_samples=4)
