"""Tasks from configuration and manifest: defaults by kind, labels expanded, components checked."""

from collections.abc import Mapping, Sequence
from typing import Literal

from molfound.config.component import Component
from molfound.config.schema import Experiment, Kind, Level, TaskConfig
from molfound.data.manifest import Manifest, TaskSpec
from molfound.data.tables import expand_columns
from molfound.errors import MolfoundError, did_you_mean
from molfound.tasks.aggregation import ReportedMetric
from molfound.tasks.heads import heads
from molfound.tasks.losses import losses
from molfound.tasks.metrics import metrics as known_metrics
from molfound.tasks.task import Task

DEFAULT_LOSS: dict[Kind, str] = {"regression": "mae", "binary": "bce", "multiclass": "cross_entropy"}
DEFAULT_METRICS: dict[Kind, tuple[str, ...]] = {
    "regression": ("mae", "rmse", "r2", "pearson", "spearman"),
    "binary": ("auroc", "ap", "bce"),
    "multiclass": ("accuracy", "cross_entropy"),
}


def make_task(
    name: str,
    dataset: str,
    level: Level,
    kind: Kind,
    labels: Sequence[str],
    *,
    classes: int | None = None,
    head: Component | None = None,
    loss: Component | None = None,
    metrics: Sequence[Component] | None = None,
    normalize: Literal["standard", "none"] | None = None,
    reduction: Literal["value", "label"] = "value",
    weight: float = 1.0,
) -> Task:
    """Return a task; what is None takes the default of its kind.

    Raises:
        MolfoundError: an unknown head, loss, metric or option, one that does not fit the kind, a multiclass task
            without its number of classes, classes or normalisation where they have no meaning.

    Example:
        >>> task = make_task("tox21", "tox21", "graph", "binary", ["NR-AR", "SR-p53"])
        >>> task.loss.name, [metric.name for metric in task.metrics], task.normalize
        ('bce', ['auroc', 'ap', 'bce'], 'none')
    """
    task = Task(
        name=name,
        dataset=dataset,
        level=level,
        kind=kind,
        labels=tuple(labels),
        classes=classes,
        head=head or Component("mlp"),
        loss=loss or Component(DEFAULT_LOSS[kind]),
        metrics=tuple(Component(metric) for metric in DEFAULT_METRICS[kind]) if metrics is None else tuple(metrics),
        normalize=normalize or ("standard" if kind == "regression" else "none"),
        reduction=reduction,
        weight=weight,
    )
    _check(task)
    return task


def resolve_tasks(
    experiment: Experiment, manifests: Mapping[str, Manifest], columns_by_dataset: Mapping[str, Sequence[str]]
) -> dict[str, Task]:
    """Return the experiment's tasks by name: each of its keys from the experiment, else the manifest, else its kind.

    Args:
        experiment: whose tasks, after its plugins are loaded.
        manifests: by the dataset's name in the experiment.
        columns_by_dataset: the columns of each dataset's table, against which label wildcards are expanded.

    Raises:
        MolfoundError: a task that the manifest lacks, a label that the table lacks (each with the nearest name), or
            whatever `make_task` refuses.
    """
    return {
        name: _resolve(name, config, manifests[config.dataset], columns_by_dataset[config.dataset])
        for name, config in experiment.tasks.items()
    }


def _resolve(name: str, config: TaskConfig, manifest: Manifest, columns: Sequence[str]) -> Task:
    described = manifest.tasks.get(config.task or name)
    level, kind, labels = config.level, config.kind, config.labels
    if described is None:
        if config.task is not None or level is None or kind is None or labels is None:
            wanted = config.task or name
            near = did_you_mean(wanted, manifest.tasks)
            raise MolfoundError(
                f"task '{name}': the manifest of dataset '{config.dataset}' has no task '{wanted}'{near}"
            )
        classes = config.classes
    else:
        level, kind, labels = level or described.level, kind or described.kind, labels or tuple(described.labels)
        classes = config.classes or (described.classes if kind == described.kind else None)
    return make_task(
        name,
        config.dataset,
        level,
        kind,
        _expanded(name, labels, described if config.labels is None else None, columns),
        classes=classes,
        head=config.head,
        loss=config.loss,
        metrics=config.metrics,
        normalize=config.normalize,
        reduction=config.reduction,
        weight=config.weight,
    )


def _expanded(task: str, labels: Sequence[str], described: TaskSpec | None, columns: Sequence[str]) -> tuple[str, ...]:
    try:
        return expand_columns(labels, columns) if described is None else described.columns_among(columns)
    except MolfoundError as error:
        raise MolfoundError(f"task '{task}': {error}") from None


def _check(task: Task) -> None:
    heads.check(task.head.name, task.head.options)
    losses.check(task.loss.name, task.loss.options)
    losses.check_kind(task.loss.name, task.kind, task=task.name)
    reported = [ReportedMetric.of(metric) for metric in task.metrics]
    names = [metric.name for metric in reported]
    for metric in reported:
        known_metrics.check_kind(metric.metric, task.kind, task=task.name)
        if names.count(metric.name) > 1:
            raise MolfoundError(f"task '{task.name}': metric '{metric.name}' is there twice")
    if not task.labels:
        raise MolfoundError(f"task '{task.name}' has no labels")
    if task.kind == "multiclass" and task.classes is None:
        raise MolfoundError(f"task '{task.name}' is multiclass: say how many classes (classes: 3)")
    if task.kind != "multiclass" and task.classes is not None:
        raise MolfoundError(f"task '{task.name}' is {task.kind}: classes is for multiclass tasks only")
    if task.kind != "regression" and task.normalize != "none":
        raise MolfoundError(f"task '{task.name}' is {task.kind}: its labels cannot be normalised")
