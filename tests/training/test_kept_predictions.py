"""Predictions read piece by piece are those of the file, whatever it was cut into."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from molfound.training.report import kept_predictions
from molfound.training.report.kept_predictions import KeptPredictions

NAMES = ["b", "a", "none", "c"]  # the numbers of labels are their places, not their order


@pytest.fixture(params=["dictionary", "text"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, pd.DataFrame]:
    """A file whose row groups hold different labels, in a few of which a prediction or a target is not finite."""
    rng = np.random.default_rng(0)
    label = np.concatenate([rng.choice(["a", "b"], 300), rng.choice(["c", "a"], 300)])
    found = pd.DataFrame({"label": label, "prediction": rng.random(600), "target": rng.integers(0, 2, 600) + 0.0})
    found.loc[[3, 400], "prediction"] = [np.nan, np.inf]
    found.loc[77, "target"] = np.nan
    written = pa.table({name: pa.array(column.to_numpy()) for name, column in found.items()})
    if request.param == "dictionary":
        written = written.set_column(0, "label", written["label"].dictionary_encode())
    pq.write_table(written, tmp_path / "test.task.parquet", row_group_size=100)
    return tmp_path / "test.task.parquet", found[np.isfinite(found[["prediction", "target"]]).all(axis=1)]


@pytest.mark.parametrize(("rows", "held"), [(1 << 16, 1 << 22), (64, 200), (7, 1)])
def test_values_are_those_of_the_file(
    table: tuple[Path, pd.DataFrame], rows: int, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_predictions, "ROWS_AT_ONCE", rows)
    monkeypatch.setattr(kept_predictions, "VALUES_HELD", held)
    path, expected = table
    kept = KeptPredictions(path, NAMES)
    counts = kept.counts()
    of_class = expected.groupby(["label", "target"]).size().unstack().reindex(NAMES, fill_value=0)
    np.testing.assert_array_equal(counts, of_class.to_numpy())
    for number, values in zip([0, 1, 3], kept.of_labels([0, 1, 3], counts), strict=True):
        mine = expected[expected["label"] == NAMES[number]]
        assert (values.label == number).all()
        np.testing.assert_array_equal(values.prediction, mine["prediction"])
        np.testing.assert_array_equal(values.target, mine["target"])
    assert max(len(piece.label) for piece in kept.pieces()) <= rows
