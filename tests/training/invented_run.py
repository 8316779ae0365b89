"""A run folder with invented content: a regression, a sparse binary and a multiclass task."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

EVIL = "<script>alert('x')</script>&\"quoted\""
TASKS = {
    "energies": ("graph", "regression", ["gap", "homo", EVIL]),
    "alerts": ("graph", "binary", [f"alert_{number}" for number in range(40)]),
    "kinds": ("node", "multiclass", ["hybridization"]),
}
METRICS = {"regression": ["mae", "r2"], "binary": ["auroc", "ap"], "multiclass": ["accuracy"]}


def write_run(
    folder: Path, *, seed: int = 0, lr: float = 1e-3, rows: int = 300, epochs: int = 8, labels: int = 40
) -> Path:
    """Write the run; `labels` are those of the binary task."""
    tasks = {**TASKS, "alerts": ("graph", "binary", [f"alert_{number}" for number in range(labels)])}
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(f"{yaml.safe_dump(_experiment(seed, lr))}# {EVIL}\n")
    (folder / "data.json").write_text(json.dumps({"toys": {"split": "5f", **{f"labels/{n}": "07" for n in TASKS}}}))
    model = {
        "versions": {"molfound": "0.1.0"},
        "tasks": {name: _task(*task) for name, task in tasks.items()},
    }
    (folder / "model.json").write_text(json.dumps(model))
    scores = {part: {task: _scores(rng, *tasks[task][1:]) for task in tasks} for part in ("val", "test")}
    (folder / "scores.json").write_text(json.dumps(scores))
    means = {task: {metric: entry["mean"] for metric, entry in scores["test"][task].items()} for task in TASKS}
    (folder / "baselines.json").write_text(json.dumps({t: {"mean": m, "forest": m} for t, m in means.items()}))
    with (folder / "metrics.jsonl").open("w") as file:
        for epoch in range(1, epochs + 1):
            for task in (None, *TASKS):
                for part in ("train", "val"):
                    value = None if epoch == 3 and part == "val" else 2 / epoch + 0.1 * rng.random()
                    line = {"step": 10 * epoch, "epoch": epoch, "part": part, "task": task, "name": "loss"}
                    file.write(json.dumps(line | {"value": value}) + "\n")
                    names = ["log_variance"] if part == "train" else METRICS[TASKS[task][1]] if task else []
                    for name in names if task else []:
                        file.write(json.dumps(line | {"name": name, "value": rng.random()}) + "\n")
        file.write('{"step": 90, "ep')
    (folder / "predictions").mkdir(exist_ok=True)
    for task, (_, kind, names) in tasks.items():
        if kind != "multiclass":
            pq.write_table(_predictions(rng, kind, names, rows), folder / "predictions" / f"test.{task}.parquet")
    worst = {"row": 7, "smiles": "C/C=C/C#N", "atom": None, "target": 1.25, "prediction": -3.5, "error": 9.75}
    (folder / "worst.json").write_text(json.dumps({"energies": [worst | {"label": EVIL}], "alerts": []}))
    with (folder / "timing.jsonl").open("w") as file:
        for epoch in range(1, epochs + 1):
            times = {"epoch": epoch, "molecules": 1000, "seconds": 2.0, "waiting": 0.5, "rest": 1.0}
            where = {"device": "A Processor", "processes": 1, "threads": 2, "parameters": 12345}
            file.write(json.dumps(times | where) + "\n")
    return folder


def _experiment(seed, lr):
    return {
        "name": "toy",
        "seed": seed,
        "data": {"datasets": {"toys": {"manifest": "embedded"}}},
        "model": {"encoder": {"name": "gnn"}},
        "tasks": {name: {"dataset": "toys"} for name in TASKS},
        "training": {"optimizer": {"name": "adamw", "lr": lr}},
    }


def _task(level, kind, labels):
    loss = {"name": {"regression": "mae", "binary": "bce", "multiclass": "cross_entropy"}[kind]}
    return {"level": level, "kind": kind, "labels": labels, "dataset": "toys", "loss": loss}


def _scores(rng, kind, labels):
    scores = {}
    for name in METRICS[kind]:
        values = dict(zip(labels, rng.random(len(labels)).tolist(), strict=True))
        if len(labels) > 1:
            values[labels[1]] = None
        defined = [value for value in values.values() if value is not None]
        used = dict.fromkeys(labels, 30)
        undefined = len(labels) - len(defined)
        scores[name] = {"mean": float(np.mean(defined)), "labels": values, "used": used, "undefined": undefined}
    return scores


def _predictions(rng, kind, labels, rows):
    label = rng.integers(0, len(labels), rows * len(labels))
    target = rng.normal(size=len(label)) if kind == "regression" else (rng.random(len(label)) < 0.3).astype(float)
    prediction = target + 0.4 * rng.normal(size=len(label))
    prediction = prediction if kind == "regression" else 1 / (1 + np.exp(-prediction))
    return pa.table(
        {
            "row": np.arange(len(label)),
            "item": pa.nulls(len(label), pa.int64()),
            "label": pa.DictionaryArray.from_arrays(pa.array(label.astype(np.int32)), pa.array(labels)),
            "prediction": prediction.astype(np.float32),
            "target": target.astype(np.float32),
        }
    )
