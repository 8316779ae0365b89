"""`molfound config show`, `schema` and `params`."""

import json
from pathlib import Path

import click

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
    """Count the parameters of CONFIG's model, part by part, without allocating it."""
    from molfound.config import load_config
    from molfound.model import count_parameters
    from molfound.plugins import load_plugins

    experiment = load_config(config, overrides)
    load_plugins(Path(path) for path in experiment.plugins)
    counts = count_parameters(experiment)
    if as_json:
        click.echo(json.dumps(counts))
    else:
        width = max(len(name) for name in counts)
        for name, count in counts.items():
            click.echo(f"{name:<{width}}  {count:>12,}")
