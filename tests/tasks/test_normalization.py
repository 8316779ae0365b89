"""The label normaliser against scikit-learn's."""

import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from molfound.tasks.normalization import Normalizer
from tests.tasks.examples import fitted_normalizer


def _sparse(dense):
    rows, label = np.nonzero(~np.isnan(dense))
    return label.astype(np.int32), dense[rows, label].astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_equals_the_standard_scaler_on_the_present_labels(seed, scale):
    rng = np.random.default_rng(seed)
    dense = (rng.normal(2, 1, (40, 5)) * scale).astype(np.float32)
    dense[rng.random(dense.shape) < 0.4] = np.nan
    normalizer = fitted_normalizer(*_sparse(dense), list("abcde"))
    scaler = StandardScaler().fit(dense.astype(np.float64))
    np.testing.assert_allclose(normalizer.mean.numpy(), scaler.mean_, rtol=1e-6)
    np.testing.assert_allclose(normalizer.deviation.numpy(), scaler.scale_, rtol=1e-6)
    normalized = normalizer.normalize(torch.from_numpy(dense))
    np.testing.assert_allclose(normalized.numpy(), scaler.transform(dense), atol=1e-4)
    torch.testing.assert_close(
        normalizer.denormalize(normalized), torch.from_numpy(dense), rtol=1e-5, atol=1e-5 * scale, equal_nan=True
    )


def test_a_large_offset_costs_no_precision():
    values = np.float32(16_777_216) + np.array([0, 2, 4, 6], np.float32)
    normalizer = fitted_normalizer(np.zeros(4, np.int32), values, ["energy"])
    assert normalizer.deviation.item() == pytest.approx(np.sqrt(5), rel=1e-7)


def test_labels_that_cannot_be_scaled_keep_their_scale_and_are_named(caplog):
    label = np.array([0, 0, 1, 2, 2, 2])
    values = np.array([1.0, 2.0, 7.0, 0.1, 0.1, 0.1], np.float32)
    with caplog.at_level(logging.WARNING):
        normalizer = fitted_normalizer(label, values, ["fine", "single", "constant", "absent"])
    assert normalizer.deviation.tolist() == [0.5, 1.0, 1.0, 1.0]
    np.testing.assert_allclose(normalizer.mean.numpy(), [1.5, 7.0, 0.1, 0.0], rtol=1e-6)
    assert "3 of 4 labels" in caplog.text
    assert "single, constant, absent" in caplog.text


def test_nothing_is_said_when_all_labels_vary(caplog):
    fitted_normalizer(np.array([0, 0]), np.array([1.0, 2.0]), ["fine"])
    assert caplog.text == ""


def test_the_state_travels_with_the_model():
    fitted = fitted_normalizer(np.array([0, 0, 1, 1]), np.array([1.0, 2.0, -5.0, 5.0]), ["a", "b"])
    loaded = Normalizer.identity(2)
    loaded.load_state_dict(fitted.state_dict())
    predictions = torch.randn(3, 2)
    assert torch.equal(loaded.denormalize(predictions), fitted.denormalize(predictions))
    assert not list(fitted.parameters())
    assert torch.equal(Normalizer.identity(2).denormalize(predictions), predictions)
