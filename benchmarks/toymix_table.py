"""The table of `docs/results/toymix.md` from run folders: test figures of each, one JSON object last."""

import argparse
import json
from pathlib import Path
from typing import Any

from molfound.model import count_parameters
from molfound.model.files import load_specification

COLUMNS = [
    ("QM9 MAE", "qm9", "mae"),
    ("Tox21 AUROC", "tox21", "auroc"),
    ("Tox21 AP", "tox21", "ap"),
    ("Tox21 BCE", "tox21", "bce"),
    ("ZINC12k MAE", "zinc12k", "mae"),
    ("ZINC12k R²", "zinc12k", "r2"),
]


def main() -> None:
    """Print the table and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="run folders of the ToyMix configurations")
    runs = {run.name: figures(run) for run in parser.parse_args().runs}
    print("| run | parameters | epochs, kept | " + " | ".join(title for title, _, _ in COLUMNS) + " |")
    print("|---" * (3 + len(COLUMNS)) + "|")
    for name, values in runs.items():
        shown = (f"{values[title]:.4f}".lstrip("0") if title in values else "-" for title, _, _ in COLUMNS)
        print(f"| {name} | {values['parameters']:,} | {values['epochs']}, {values['kept']} | {' | '.join(shown)} |")
    print(json.dumps(runs))


def figures(run: Path) -> dict[str, Any]:
    """Return a run's parameters, epochs, the epoch whose weights it kept, and its test figures."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = {r["epoch"]: r["value"] for r in records if (r["part"], r["task"], r["name"]) == ("val", None, "loss")}
    test = json.loads((run / "scores.json").read_text())["test"]
    return {
        "parameters": count_parameters(load_specification(run))["total"],
        "epochs": max(losses),
        "kept": min(losses, key=lambda epoch: losses[epoch]),
        **{title: test[task][metric]["mean"] for title, task, metric in COLUMNS if task in test},
    }


if __name__ == "__main__":
    main()
