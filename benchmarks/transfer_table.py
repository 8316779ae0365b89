"""The table of `docs/results/transfer.md` from the folder of the suite `transfer`; one JSON object last.

Each set by the metric that the Commons ranks it by: mean ± standard deviation over the seeds. `transfer` is the
fine-tuned network or the linear probe, whichever has the better figure on the validation part.
"""

import argparse
import json
import math
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

from molfound.benchmark.suite import load_suite
from molfound.config import load_config
from molfound.data.loader import evaluation_batches
from molfound.data.sampler import BatchLimits
from molfound.model import load_model
from molfound.runs.finding import find_run
from molfound.tasks.metrics import metrics
from molfound.training.frozen_baselines import embedded_molecules, frozen_scores
from molfound.training.mixture import load_task_mixture

RANKED = {
    "caco2_wang": "mae_original",
    "ppbr_az": "mae_original",
    "solubility_aqsoldb": "mae_original",
    "lipophilicity_astrazeneca": "mae_original",
    "half_life_obach": "spearman",
    "clearance_microsome_az": "spearman",
    "cyp2c9_veith": "ap",
    "cyp2d6_substrate_carbonmangels": "ap",
    "ames": "auroc",
    "bbb_martins": "auroc",
    "dili": "auroc",
}
BASELINES = ("mean", "forest", "boosting", "knn", "probe")
MODELS = ("scratch", "finetuned")
COLUMNS = (*BASELINES, *MODELS)
WINS = (("finetuned", "scratch"), ("probe", "scratch"), ("transfer", "scratch"), ("transfer", "forest"))


@dataclass(frozen=True)
class Figures:
    """A set's figures of each model and baseline, one per seed, and what `transfer` is there."""

    test: dict[str, list[float]]
    val: dict[str, list[float]]
    transfer: str


def main() -> None:
    """Print the table, in how many sets what wins, and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of the suite, such as bench/transfer")
    folder = parser.parse_args().folder
    sets = {name: figures(folder / name / "published", name) for name in RANKED}
    published = load_suite("admet").suite.published[0].values["ADMETboost"]["single"]
    print(f"| set | metric | {' | '.join(COLUMNS)} | transfer | ADMETboost |\n{'|---' * (len(COLUMNS) + 4)}|")
    for name, found in sets.items():
        better = "↑" if metrics.greater_is_better(RANKED[name]) else "↓"
        cells = [shown(found.test.get(column, [])) for column in COLUMNS]
        cells += [found.transfer, f"{published[name][RANKED[name]]:.3f}"]
        print(f"| {name} | {RANKED[name]} {better} | {' | '.join(cells)} |")
    for winner, loser in WINS:
        compared = {name: gain(name, found, winner, loser) for name, found in sets.items()}
        known = {name: value for name, value in compared.items() if value is not None}
        ahead = [name for name, (difference, _) in known.items() if difference > 0]
        beyond = [name for name in ahead if known[name][0] > 2 * (known[name][1] or math.inf)]
        print(
            f"{winner} beats {loser} in {len(ahead)} of {len(known)} sets; by over two deviations: {', '.join(beyond)}"
        )
    print(json.dumps({name: asdict(found) for name, found in sets.items()}))


def figures(folder: Path, name: str) -> Figures:
    """Return the figures of what is finished in a set's folder."""
    test: dict[str, list[float]] = {}
    val: dict[str, list[float]] = {}
    for baseline in BASELINES:
        for path in sorted(folder.glob(f"{baseline}/seed*/baselines.json")):
            value = json.loads(path.read_text())[name][baseline][RANKED[name]]
            test.setdefault(baseline, []).extend([] if value is None else [value])
    for model in MODELS:
        for path in sorted(folder.glob(f"{model}/seed*/scores.json")):
            scores = json.loads(path.read_text())
            for kept, part in ((test, "test"), (val, "val")):
                kept.setdefault(model, []).append(scores[part][name][RANKED[name]]["mean"])
    val["probe"] = [probe_on_validation(folder / "probe" / "seed0", name)]
    choices = [model for model in ("finetuned", "probe") if val.get(model)]
    chosen = max(choices, key=lambda model: statistics.mean(val[model]) * sign(name))
    return Figures(test | {"transfer": test[chosen]}, val, chosen)


def probe_on_validation(run: Path, name: str) -> float:
    """Return the probe's figure on the validation part, by which its penalty is chosen too."""
    experiment = load_config(run / "config.yaml")
    assert experiment.training.pretrained is not None
    mixture = load_task_mixture(experiment, None)
    model = load_model(find_run(experiment.training.pretrained.run)).eval()
    limits = BatchLimits.of(experiment.data.batch)
    task, parts = mixture.tasks[name], {}
    for part in ("train", "val"):
        batches = evaluation_batches(mixture.graphs.collection, mixture.graphs.positions(part), limits)
        parts[part] = embedded_molecules(model, batches, task)
    value = frozen_scores("probe", task, parts | {"test": parts["val"]})[RANKED[name]]
    assert value is not None
    return value


def sign(name: str) -> int:
    """Return 1 for a set of whose metric more is better, else -1."""
    return 1 if metrics.greater_is_better(RANKED[name]) else -1


def gain(name: str, found: Figures, winner: str, loser: str) -> tuple[float, float] | None:
    """Return by how much one is better than the other, and the root of the sum of their squared deviations.

    The latter is 0 where one of them, the probe excepted, which has nothing random in it, has one seed alone.
    """
    ours, theirs = (found.test.get(model) for model in (winner, loser))
    if not ours or not theirs:
        return None
    seeded = [ours, theirs] if winner != "probe" and found.transfer != "probe" else [theirs]
    spread = sum(statistics.variance(values) for values in seeded) ** 0.5 if min(map(len, seeded)) > 1 else 0.0
    return (statistics.mean(ours) - statistics.mean(theirs)) * sign(name), spread


def shown(values: list[float]) -> str:
    """Return mean ± standard deviation over the seeds, or an empty text for none."""
    if not values:
        return ""
    deviation = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{deviation}"


if __name__ == "__main__":
    main()
