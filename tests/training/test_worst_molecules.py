"""The worst predictions that a report shows are the worst there are, once for each molecule."""

import json

import numpy as np
import pandas as pd
import pytest

import molfound as mf
from molfound.training.train import train
from molfound.training.worst_molecules import MOST, worst_values
from tests.training.html_document import Document
from tests.training.test_train import load_task_mixture, quiet

COLUMNS = ["row", "item", "label", "prediction", "target"]


def written(folder, rows):
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"prediction": "float32", "target": "float32"})
    table["label"] = table["label"].astype("category")
    table.to_parquet(folder / "test.toys.parquet", row_group_size=3)
    return folder / "test.toys.parquet"


def test_errors_are_counted_in_deviations_and_a_row_comes_once(tmp_path, monkeypatch):
    monkeypatch.setattr("molfound.training.worst_molecules.ROWS_AT_ONCE", 2)
    path = written(
        tmp_path,
        [
            (0, None, "large", 100.0, 0.0),  # 1 deviation
            (0, None, "small", 0.0, 0.5),  # 5 deviations
            (3, None, "large", 0.0, 900.0),  # 9 deviations
            (4, None, "large", np.nan, 0.0),
            (5, None, "small", 1.0, 1.0),
            (8, None, "small", -0.2, 0.0),  # 2 deviations
            (9, None, "small", 0.2, 0.0),  # as many, later
        ],
    )
    worst = worst_values(path, {"large": 100.0, "small": 0.1}, least=0.0, most=4)
    assert worst["row"].tolist() == [3, 0, 8, 9]
    assert worst["label"].tolist() == ["large", "small", "small", "small"]
    assert worst["error"].tolist() == pytest.approx([9, 5, 2, 2], rel=1e-6)


def test_of_probabilities_only_those_on_the_wrong_side_are_wrong(tmp_path):
    path = written(
        tmp_path,
        [(1, None, "a", 0.51, 0.0), (2, None, "a", 0.49, 0.0), (3, None, "b", 0.02, 1.0), (4, None, "a", 0.5, 1.0)],
    )
    worst = worst_values(path, {"a": 1.0, "b": 1.0}, least=0.5)
    assert worst["row"].tolist() == [3, 1]


def test_a_run_keeps_and_draws_the_worst_of_its_predictions(experiment):
    run = train(experiment("training.epochs=1"))
    worst = json.loads(run.worst.read_text())
    assert worst.keys() == {"logp", "acid", "neighbours"}
    mixture = load_task_mixture(experiment(), quiet)
    model = mf.load(run.path)

    held_out = mixture.labelled(mixture.tasks["logp"], "test")
    known = mixture.labelled(mixture.tasks["logp"], "train").labels
    predicted = model.predict(held_out.smiles, tasks=["logp"])[["logp.logp", "logp.tpsa"]].to_numpy()
    errors = np.abs(predicted - held_out.labels) / np.nanstd(known, axis=0)
    of_molecule = np.nanmax(errors, axis=1)
    order = np.argsort(-of_molecule)[:MOST]
    assert [value["smiles"] for value in worst["logp"]] == [held_out.smiles[place] for place in order]
    assert [value["error"] for value in worst["logp"]] == pytest.approx(of_molecule[order].tolist(), rel=1e-4)
    names = np.array(["logp", "tpsa"])[np.nanargmax(errors, axis=1)[order]]
    assert [value["label"] for value in worst["logp"]] == names.tolist()

    first = worst["neighbours"][0]
    said = model.predict([first["smiles"]], tasks=["neighbours"])["neighbours.neighbours"][0]
    assert said[first["atom"]] == pytest.approx(first["prediction"], rel=1e-5)
    assert first["target"] != pytest.approx(first["prediction"])

    html = run.report.read_text(encoding="utf-8")
    document = Document(html)
    tasks = [text for level, text in document.headings if level == 2 and text in worst]
    drawn = [attrs["aria-label"] for tag, attrs in document.elements if attrs.get("class") == "molecule"]
    assert drawn == [value["smiles"] for task in tasks for value in worst[task]]
