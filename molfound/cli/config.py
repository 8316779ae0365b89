"""`molfound config show`, `schema` and `params`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from molfound.config import Experiment
    from molfound.config.schema import TaskConfig
    from molfound.data.manifest import Manifest, TaskSpec

OVERRIDES = "[KEY=VALUE]..."


@click.group("config")
def command() -> None:
    """Show an experiment's configuration, the schema of all keys, or the size of its model."""


@command.command("show")
@click.argument("config")
@click.argument("overrides", nargs=-1, metavar=OVERRIDES)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(config: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print the configuration in force: CONFIG, what it extends, the overrides and every default."""
    from molfound.config import load_config, to_yaml

    experiment = load_config(config, overrides)
    click.echo(experiment.model_dump_json(indent=2) if as_json else to_yaml(experiment).rstrip())


@command.command("schema")
def schema() -> None:
    """Print the JSON schema of an experiment: every key, its type, its default and what it means."""
    from molfound.config import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@command.command("params")
@click.argument("config")
@click.argument("overrides", nargs=-1, metavar=OVERRIDES)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def params(config: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Count the parameters of CONFIG's model, part by part, without allocating it.

    Where a task's labels have a wildcard (alert_*) and the manifest does not say how many columns it stands for, the
    dataset's table is opened, for their number; a generated table (embedded) is made for that, in data.store, if it is
    not there yet. Otherwise no data are needed.
    """
    from molfound.config import load_config
    from molfound.model import count_parameters, specify
    from molfound.plugins import load_plugins
    from molfound.tasks.resolve import resolve_tasks

    experiment = load_config(config, overrides)
    load_plugins(Path(path) for path in experiment.plugins)
    parts = count_parameters(specify(experiment, resolve_tasks(experiment, *_manifests_and_columns(experiment))))
    total = parts.pop("total")
    if as_json:
        click.echo(json.dumps({"parameters": total, "parts": parts}))
        return
    width = max(len(name) for name in parts)
    for name, count in (*parts.items(), ("total", total)):
        click.echo(f"{name:<{width}}  {count:>12,}")


def _manifests_and_columns(experiment: "Experiment") -> tuple[dict[str, "Manifest"], dict[str, list[str]]]:
    """Return the datasets' manifests and columns; a table is opened only where nothing else tells how many there are.

    Where the manifest tells how many columns a wildcard stands for, others stand in for them.
    """
    from molfound.data.mixture import load_manifests, table_columns

    manifests = load_manifests(experiment)
    columns: dict[str, list[str]] = {}
    for name, manifest in manifests.items():
        tasks = {key: task for key, task in experiment.tasks.items() if task.dataset == name}
        counted = [_counted_columns(task, manifest.tasks.get(task.task or key)) for key, task in tasks.items()]
        known = [labels for labels in counted if labels is not None]
        if len(known) < len(counted):
            columns |= table_columns(experiment, {name: manifest})
        else:
            columns[name] = [label for labels in known for label in labels]
    return manifests, columns


def _counted_columns(task: "TaskConfig", described: "TaskSpec | None") -> tuple[str, ...] | None:
    """Return the columns of a task, or as many that stand in for them; None where only the table tells how many."""
    from molfound.data.tables import is_wildcard

    if task.labels is not None:
        return None if any(map(is_wildcard, task.labels)) else task.labels
    return () if described is None else described.counted_columns()
