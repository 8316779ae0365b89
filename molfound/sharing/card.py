"""The model card: what a model is, in the words of its own run, for people and for hubs that read its head."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rdkit import Chem

import molfound
from molfound.config.documents import write_text
from molfound.config.schema import SplitSpec
from molfound.data.manifest import Manifest
from molfound.sharing.content import CardContent
from molfound.tasks.task import Task

UNKNOWN = "unknown"
LABELS_LISTED = 100
"""Labels of a task that have a row of their own; of a task with more, their number is told."""
KINDS = {
    "regression": "number, in the unit of the data",
    "binary": "probability of class 1",
    "multiclass": "probability of each class",
}
LEVELS = {"graph": "molecule", "node": "atom", "edge": "bond, in each direction", "node_pair": "pair of atoms"}


def model_card(title: str, content: CardContent, *, name: str | None = None, licence: str | None = None) -> str:
    """Return the card of a model as Markdown, headed by what hubs read, in YAML.

    Everything in it is of the run: what the run does not keep is left out or said to be unknown.

    Args:
        title: what the model is called.
        content: of its run.
        name: what commands call it, its folder or archive; None: by its title.
        licence: of the weights, as hubs name it (``apache-2.0``); None: none is stated.
    """
    sections = (
        _opening(title, content),
        _use(name or title, content),
        _predicts(content),
        _data(content, licence),
        _training(content),
        _test(content),
        _labels(content),
        _uncertainty(content),
        _limits(content),
        _versions(content),
    )
    return _head(content, licence) + "\n" + "\n\n".join(section for section in sections if section) + "\n"


def stated_licence(path: Path) -> str | None:
    """Return the licence of the weights that a card states, or None where it states none, or there is no such card."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = re.search(r"\A---\nlicense: (?P<licence>\S+)\n", text)
    return None if found is None or found["licence"] == UNKNOWN else found["licence"]


def _head(content: CardContent, licence: str | None) -> str:
    encoder = content.model.specification.model.encoder.name
    head = {
        # What the data allow, their licences say: none is claimed but by whoever exports.
        "license": licence or UNKNOWN,
        "library_name": "molfound",
        "pipeline_tag": "graph-ml",
        "tags": ["molfound", "chemistry", "molecules", encoder, *(task.kind for task in _tasks(content))],
    }
    head["tags"] = list(dict.fromkeys(head["tags"]))
    return f"---\n{write_text(head)}---\n"


def _opening(title: str, content: CardContent) -> str:
    model = content.model
    parameters = sum(parameter.numel() for parameter in model.parameters())
    labels = sum(len(task.labels) for task in _tasks(content))
    makes = (
        f"{_counted(labels, 'label')} in {_counted(len(model.tasks), 'task')}"
        if model.tasks
        else "embeddings of molecules, for it has no task"
    )
    return (
        f"# {title}\n\nA molecular graph model of {parameters:,} parameters, made with molfound. From SMILES it gives "
        f"{makes}."
    )


def _use(name: str, content: CardContent) -> str:
    method = "predict" if content.model.tasks else "embed"
    return f"""## Use

```sh
molfound {method} {name} CCO c1ccccc1O
molfound finetune {name} assay.csv --label y
```

```python
import molfound as mf

model = mf.load("{name}")  # this folder, or the archive
model.{method}(["CCO", "c1ccccc1O"])
```"""


def _predicts(content: CardContent) -> str:
    rows = [
        [name, LEVELS[task.level], KINDS[task.kind], f"{len(task.labels):,}", task.dataset]
        for name, task in content.model.tasks.items()
    ]
    return _section("What it predicts", _table(["task", "for each", "what", "labels", "learned from"], rows))


def _data(content: CardContent, licence: str | None) -> str:
    if content.experiment is None:
        return "## Data\n\nThe run does not say what it was trained on."
    stated = "No licence of the weights is stated here." if licence is None else f"Licence of the weights: {licence}."
    parts = [f"{stated} Those of the data:"]
    for name, manifest in content.manifests.items():
        chosen = content.experiment.data.datasets[name]
        seen = content.seen.get(name)
        split = _split(chosen.split, manifest) + (f", {seen['molecules']:,} training molecules" if seen else "")
        facts = {
            "Licence": manifest.licence,
            "Source": manifest.source,
            "To cite": manifest.citation,
            "Split": split + (f"; {chosen.share:g} of them an epoch" if chosen.share != 1 else ""),
        }
        told = _list(f"{what}: {fact}" for what, fact in facts.items())
        parts.append(f"**{name}**: {manifest.title}. {manifest.description}".rstrip() + f"\n\n{told}")
    return _section("Data", "\n\n".join(parts))


def _split(chosen: str | SplitSpec | None, manifest: Manifest) -> str:
    """Return the name of a dataset's split, or of which kind one is that has no name."""
    if chosen is None:
        return next(iter(manifest.splits))
    return chosen if isinstance(chosen, str) else chosen.kind


def _training(content: CardContent) -> str:
    experiment, specification = content.experiment, content.model.specification
    encoder = specification.model.encoder
    options = ", ".join(f"{name} {value}" for name, value in encoder.options.items())
    rows = [
        f"Encoder: {encoder.name} ({options})" if options else f"Encoder: {encoder.name}",
        f"Atom features: {', '.join(specification.atom_features)}",
        f"Bond features: {', '.join(specification.bond_features)}",
        f"Encodings: {', '.join(specification.encodings) or 'none'}",
    ]
    if experiment is not None:
        training = experiment.training
        start = training.pretrained
        rows += [
            f"{training.epochs} epochs at most, batches of {experiment.data.batch.size}, seed {experiment.seed}",
            f"Optimiser {training.optimizer.name}, learning rate {training.optimizer.lr:g} ({training.schedule.name}), "
            f"weight decay {training.optimizer.weight_decay:g}; the weights kept are the best by {training.monitor}",
            *([f"Started from the encoder of {start.run}"] if start is not None else []),
            *([f"Objectives: {', '.join(experiment.objectives)}"] if experiment.objectives else []),
            _again(content),
        ]
    return _section("How it was trained", _list(rows))


def _again(content: CardContent) -> str:
    """Return what trains the model again: of an ensemble, each member has a configuration of its own."""
    if not content.members:
        return "`config.yaml` is all of it: `molfound train config.yaml` trains it again"
    what = ", one for each fold of a cross-validation," if content.is_cross_validation else ""
    return (
        f"All this is of the first of {content.members} members{what} whose predictions are averaged; each has its own "
        "`config.yaml` in `members/`: `molfound train members/1/config.yaml` trains the first again"
    )


def _test(content: CardContent) -> str:
    if not content.scores:
        return "## Test figures\n\nThe run keeps none."
    names = list(dict.fromkeys(name for of_task in content.baselines.values() for name in of_task))
    rows = []
    for task, metrics in content.scores.items():
        for number, (metric, score) in enumerate(metrics.items()):
            beside = [content.baselines.get(task, {}).get(name, {}).get(metric) for name in names]
            used = f"{sum(score['used'].values()):,}" if number == 0 and score.get("used") else ""
            rows.append([task if number == 0 else "", metric, *map(_number, (score["mean"], *beside)), used])
    where = (
        "On all folds, each as predicted by the member that has not learned from it"
        if content.is_cross_validation
        else "On the test part"
    )
    told = f"{where}, mean over labels."
    if any(task.kind == "regression" for task in _tasks(content)):
        told += " Errors of a regression are those of standardised labels; `_original`: in the units of the data."
    if names:
        told += f" Beside the model: {', '.join(names)}, fitted to the same training rows."
    heads = ["task", "metric", "model", *names, "test values"]
    return _section("Test figures", f"{told}\n\n{_table(heads, rows)}")


def _labels(content: CardContent) -> str:
    parts = []
    for name, task in content.model.tasks.items():
        if len(task.labels) > LABELS_LISTED:
            parts.append(f"**{name}**: {len(task.labels):,} labels, listed in `model.json`.")
        else:
            parts.append(f"**{name}**\n\n{_label_table(name, task, content)}")
    return _section("Labels", "\n\n".join(parts)) if parts else ""


def _label_table(name: str, task: Task, content: CardContent) -> str:
    scores = content.scores.get(name, {})
    metrics = [metric for metric in ("mae_original", "auroc", "accuracy") if scores.get(metric, {}).get("labels")]
    heads, columns = ["label"], [list(task.labels)]
    if task.kind == "regression" and task.normalize == "standard":
        normalizer = content.model.normalizers[name]
        heads += ["training mean", "training deviation"]
        columns += [[_number(value) for value in values.tolist()] for values in (normalizer.mean, normalizer.deviation)]
    for metric in metrics[:1]:
        heads += [f"test {metric}", "test values"]
        columns += [[_number(scores[metric]["labels"].get(label)) for label in task.labels]]
        columns += [[f"{scores[metric]['used'].get(label, 0):,}" for label in task.labels]]
    return _table(heads, zip(*columns, strict=True))


def _uncertainty(content: CardContent) -> str:
    calibration = content.calibration
    if calibration is None:
        return ""
    rows = []
    for name, interval in calibration.intervals.items():
        # Of too few molecules held out, the wider ones are unknown.
        finite = [level for level, widths in interval.widths.items() if any(width is not None for width in widths)]
        levels = ", ".join(f"{100 * float(level):.0f}" for level in finite)
        covered = calibration.test.get(name, {}).get("coverage_0.9")
        tried = f"; those of 90 % hold {100 * covered:.1f} % of the test values" if covered is not None else ""
        rows.append(f"{name}: intervals of {levels} % (`--interval 0.9`){tried}")
    for name in calibration.probabilities:
        test = calibration.test.get(name, {})
        before, after = test.get("calibration_error"), test.get("calibration_error_calibrated")
        tried = f"; calibration error on the test part {before:.3f}, calibrated {after:.3f}" if before and after else ""
        rows.append(f"{name}: calibrated probabilities (`--calibrated`){tried}")
    source = (
        "From the errors on all folds, each predicted by the member that has not learned from it (cross-conformal)"
        if content.is_cross_validation
        else "From the validation part"
    )
    told = f"{source}, kept in `calibration.json`; worth something for molecules like those alone."
    return _section("Uncertainty", f"{told}\n\n{_list(rows)}") if rows else ""


def _limits(content: CardContent) -> str:
    specification = content.model.specification
    rows = [f"A molecule of more than {specification.max_heavy_atoms:,} heavy atoms is rejected."]
    if specification.crop is not None:
        rows.append(f"A molecule of more than {specification.crop} atoms is cut to so many around its middle.")
    reads = "the coordinates of conformers too" if specification.conformers is not None else "no coordinates"
    rows.append(f"It reads the graph of one molecule, and {reads}: nothing of mixtures, of solvents or of doses.")
    for name, seen in content.seen.items():
        atoms = seen["atoms"]
        rows.append(
            f"Training molecules of {name}: {atoms['smallest']} to {atoms['largest']} atoms, median {atoms['median']}"
            + (
                f"; elements, with the number of molecules that have them: {_elements(seen['elements'])}."
                if seen["elements"]
                else "."
            )
        )
    unknown = [name for name in content.manifests if name not in content.seen]
    if unknown:
        rows.append(f"Which elements and sizes the training molecules of {', '.join(unknown)} had was not kept.")
    told = "`--applicability` tells which molecules are unlike them" if content.tells_unlike else "nothing says so"
    rows += [
        "For elements, sizes and chemistry that its training molecules do not have, its predictions are guesses: "
        f"{told}.",
        "A prediction is no measurement: it is not for decisions on the safety or the dose of anything.",
    ]
    return _section("Limits", _list(rows))


def _versions(content: CardContent) -> str:
    made = ", ".join(f"{name} {version}" for name, version in content.model.specification.versions.items())
    return _section(
        "Versions",
        f"Trained with {made}. This card was written by `molfound export` of molfound {molfound.__version__}.",
    )


def _elements(counts: dict[str, int]) -> str:
    table = Chem.GetPeriodicTable()
    names = {number: "others" if number == "other" else table.GetElementSymbol(int(number)) for number in counts}
    return ", ".join(f"{names[number]} {count:,}" for number, count in counts.items())


def _tasks(content: CardContent) -> Sequence[Task]:
    return list(content.model.tasks.values())


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}"


def _list(rows: Iterable[str]) -> str:
    return "\n".join(f"- {row}" for row in rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
