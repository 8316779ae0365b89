"""Training as a whole: what it learns, what it records, how it stops."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import mean_absolute_error, roc_auc_score

import molfound as mf
from molfound.data.datamodule import MixtureDataModule
from molfound.errors import MolfoundError
from molfound.model import MolecularModel, load_model, specify
from molfound.tasks.normalization import Normalizer
from molfound.training.evaluate_run import evaluate_run
from molfound.training.mixture import fit_label_statistics, fit_weighting, load_task_mixture
from molfound.training.objective import row_weights, task_losses, task_sums
from molfound.training.train import train
from tests.training.conftest import MakeExperiment


def quiet(_: str) -> None:
    pass


def test_loss_goes_down_on_a_fixed_batch(experiment: MakeExperiment) -> None:
    chosen = experiment("model.encoder.dropout=0.0", "model.inputs.dropout=0.0")
    mixture = load_task_mixture(chosen, quiet)
    torch.manual_seed(0)
    model = MolecularModel(specify(chosen, mixture.tasks))
    fit_label_statistics(model, mixture)
    weighting = fit_weighting(chosen.training.task_weights, model, mixture)
    batch = MixtureDataModule(mixture.graphs, chosen.data, seed=0).train_dataloader().collection.batch(range(0, 90, 4))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    values = []
    for _ in range(60):
        loss = weighting(task_losses(model, task_sums(model, model(batch), batch)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.3 * values[0]


def test_normalisation_uses_training_labels_only(experiment: MakeExperiment) -> None:
    mixture = load_task_mixture(experiment(), quiet)
    for name in ("logp", "neighbours"):
        task = mixture.tasks[name]
        labels = mixture.labelled(task, "train").labels.astype(np.float64)
        normalizer = Normalizer.of(mixture.training_labels[task.name], task.labels)
        assert np.allclose(normalizer.mean, np.nanmean(labels, axis=0), rtol=1e-6)
        assert np.allclose(normalizer.deviation, np.nanstd(labels, axis=0), rtol=1e-6)


def test_a_task_without_labels_in_the_batch_contributes_nothing(experiment: MakeExperiment) -> None:
    chosen = experiment()
    mixture = load_task_mixture(chosen, quiet)
    model = MolecularModel(specify(chosen, mixture.tasks))
    first, _ = mixture.graphs.collection.ranges["props"]
    unlabelled = [first + i for i in (0, 3, 6)]  # tpsa is missing in every third row
    batch = mixture.graphs.collection.batch(unlabelled)
    losses = task_losses(model, task_sums(model, model(batch), batch))
    assert set(losses) == {"logp", "acid"}
    losses["logp"].backward()
    last = model.heads["logp"].layers.state_dict(keep_vars=True)
    weight = [p for name, p in last.items() if p.shape[:1] == (2,)]
    assert weight
    for parameter in weight:  # row 0 is logp, row 1 the missing tpsa
        assert parameter.grad is not None
        assert (parameter.grad[1] == 0).all()
        assert (parameter.grad[0] != 0).any()


def test_row_weights_follow_molecules_and_their_atoms(experiment: MakeExperiment) -> None:
    mixture = load_task_mixture(experiment(), quiet)
    first, _ = mixture.graphs.collection.ranges["props"]
    batch = mixture.graphs.collection.batch([first + 1, first + 5])
    weights = row_weights(batch, mixture.tasks["logp"])
    assert weights is not None
    assert torch.allclose(weights, torch.from_numpy(np.linspace(0.5, 1.5, 60)[[1, 5]]).float())
    node_task = type(mixture.tasks["logp"])(**{**mixture.tasks["logp"].__dict__, "level": "node"})
    repeated = row_weights(batch, node_task)
    assert repeated is not None
    assert torch.equal(repeated, weights.repeat_interleave(batch.node_ptr.diff()))


def test_figures_are_recorded_for_every_epoch(experiment: MakeExperiment) -> None:
    done = train(experiment())
    figures = pd.DataFrame([json.loads(line) for line in done.metrics.read_text().splitlines()])
    assert sorted(figures["epoch"].unique()) == [1, 2, 3]
    losses = figures[(figures["part"] == "val") & (figures["name"] == "loss")].pivot(
        index="epoch", columns="task", values="value"
    )
    weighted = losses["logp"] + 0.5 * losses["acid"] + losses["neighbours"]
    total = figures[(figures["part"] == "val") & (figures["name"] == "loss") & figures["task"].isna()].set_index(
        "epoch"
    )["value"]
    assert np.allclose(weighted, total)


def test_evaluate_says_what_predict_says(experiment: MakeExperiment) -> None:
    done = train(experiment())
    tasks, scores = evaluate_run(done.path, "test")
    mixture = load_task_mixture(experiment(), quiet)
    model = mf.load(done.path)
    for name, metric, reference in (("logp", "mae_original", mean_absolute_error), ("acid", "auroc", roc_auc_score)):
        held_out = mixture.labelled(tasks[name], "test")
        predicted = model.predict(held_out.smiles)
        for i, label in enumerate(tasks[name].labels):
            there = ~np.isnan(held_out.labels[:, i])
            expected = reference(held_out.labels[there, i], predicted[f"{name}.{label}"][there])
            assert scores.tasks[name].values[metric][i] == pytest.approx(expected, rel=1e-6)
    atoms = mixture.labelled(tasks["neighbours"], "test")
    predicted = np.concatenate(model.predict(atoms.smiles)["neighbours.neighbours"].to_list())
    expected = mean_absolute_error(atoms.labels[:, 0], predicted)
    assert scores.tasks["neighbours"].values["mae_original"][0] == pytest.approx(expected, rel=1e-6)


def test_kept_predictions_are_those_of_the_model(experiment: MakeExperiment) -> None:
    done = train(experiment())
    kept = pd.read_parquet(done.predictions / "test.logp.parquet")
    scores = json.loads(done.scores.read_text())["test"]["logp"]["mae_original"]["labels"]
    for label, rows in kept.groupby("label", observed=True):
        assert mean_absolute_error(rows["target"], rows["prediction"]) == pytest.approx(scores[label], abs=1e-5)


def test_the_best_weights_are_kept(experiment: MakeExperiment) -> None:
    done = train(
        experiment(
            "training.epochs=4", "training.optimizer.lr=0.3", "training.average=null", "training.monitor=val/logp/mae"
        )
    )
    figures = [json.loads(line) for line in done.metrics.read_text().splitlines()]
    best = min(f["value"] for f in figures if (f["part"], f["task"], f["name"]) == ("val", "logp", "mae"))
    _, scores = evaluate_run(done.path, "val")
    assert scores.tasks["logp"].mean["mae"] == pytest.approx(best, abs=1e-6)


def test_early_stopping_ends_after_its_patience(experiment: MakeExperiment) -> None:
    done = train(
        experiment(
            "training.epochs=30",
            "training.optimizer.lr=1e-12",
            "training.early_stopping={monitor: val/logp/mae, patience: 2}",
            "training.average=null",
        )
    )
    figures = [json.loads(line) for line in done.metrics.read_text().splitlines()]
    watched = [f["value"] for f in figures if (f["part"], f["task"], f["name"]) == ("val", "logp", "mae")]
    best = next(i for i, value in enumerate(watched) if all(later >= value for later in watched[i + 1 : i + 3]))
    assert len(watched) == best + 3 < 30


def test_an_unknown_figure_to_monitor_is_named(experiment: MakeExperiment) -> None:
    with pytest.raises(MolfoundError, match="no figure 'val/logp/mea' to monitor; did you mean 'val/logp/mae'"):
        train(experiment("training.monitor=val/logp/mea"))


def test_a_loss_that_is_not_finite_stops_and_is_named(experiment: MakeExperiment) -> None:
    with pytest.raises(
        MolfoundError, match=r"the loss of .* is not finite at epoch \d+, step \d+ \(batch with .* rows \d+"
    ):
        train(experiment("training.optimizer.lr=1e30", "training.clip=null", "training.schedule.warmup=0.0"))


def test_a_loss_that_is_not_finite_may_be_skipped(
    experiment: MakeExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    done = train(
        experiment(
            "training.optimizer.lr=1e30",
            "training.clip=null",
            "training.schedule.warmup=0.0",
            "training.nonfinite=skip",
            "training.average=null",
            "training.monitor=train/loss",
        )
    )
    assert "skipped: the loss of" in capsys.readouterr().err
    figures = [json.loads(line) for line in done.metrics.read_text().splitlines()]
    totals = [f["value"] for f in figures if (f["part"], f["task"], f["name"]) == ("train", None, "loss")]
    assert totals[0] > 0
    assert totals[1:] == [None, None]
    kept = load_file(done.model)
    assert all(torch.isfinite(tensor).all() for tensor in kept.values())


def test_bf16_trains_and_its_weights_stay_float32(experiment: MakeExperiment) -> None:
    done = train(experiment("training.precision=bf16", "training.epochs=1"))
    assert {p.dtype for p in load_model(done.path).parameters()} == {torch.float32}
    figures = [json.loads(line)["value"] for line in done.metrics.read_text().splitlines()]
    assert figures
    assert None not in figures


def test_tensorboard_receives_the_figures(experiment: MakeExperiment) -> None:
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs the extra [track]"
    )
    done = train(experiment("run.tensorboard=true", "training.epochs=2"))
    events = reader.EventAccumulator(str(done.path / "tensorboard")).Reload()
    recorded = [event.value for event in events.Scalars("val/loss")]
    figures = [json.loads(line) for line in done.metrics.read_text().splitlines()]
    losses = [f["value"] for f in figures if (f["part"], f["task"], f["name"]) == ("val", None, "loss")]
    assert recorded == pytest.approx(losses)


def test_the_direction_of_a_figure_is_its_metric_s(experiment: MakeExperiment) -> None:
    done = train(experiment("training.monitor=val/acid/auroc", "training.optimizer.lr=0.3", "training.epochs=4"))
    figures = [json.loads(line) for line in done.metrics.read_text().splitlines()]
    best = max(f["value"] for f in figures if (f["part"], f["task"], f["name"]) == ("val", "acid", "auroc"))
    _, scores = evaluate_run(done.path, "val")
    assert scores.tasks["acid"].mean["auroc"] == pytest.approx(best)


def test_a_figure_of_a_part_that_is_not_there_is_named(experiment: MakeExperiment) -> None:
    splits = [f"data.datasets.{name}.split={{kind: random, fractions: [0.8, 0.0, 0.2]}}" for name in ("props", "atoms")]
    chosen = experiment(*splits)
    with pytest.raises(MolfoundError, match="no dataset has a part 'val', so there is no 'val/loss'"):
        train(chosen)
    assert not chosen.run_folder.exists()
    assert train(experiment(*splits, "training.monitor=train/loss", "training.epochs=1")).scores.exists()


def test_a_device_that_is_not_there_is_named(experiment: MakeExperiment) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    chosen = experiment("training.accelerator=gpu")
    with pytest.raises(MolfoundError, match=r"training\.accelerator=gpu"):
        train(chosen)
    assert not chosen.run_folder.exists()


def test_other_labels_are_not_scored_as_the_model_s(experiment: MakeExperiment, data_folder: Path) -> None:
    done = train(experiment("training.epochs=1"))
    with pytest.raises(MolfoundError, match=r"not those .*: the labels of task 'logp' differ"):
        evaluate_run(done.path, "test", ["tasks.logp.labels=[tpsa, logp]"])
    with pytest.raises(MolfoundError, match=r"not those .*: atoms differ"):
        evaluate_run(done.path, "test", ["features.atoms=[degree, atomic_number]"])
