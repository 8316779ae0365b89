"""`molfound evaluate`."""

import json

import click

from molfound.cli.options import device_option, plugins_option


@click.command("evaluate")
@click.argument("run")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--split", "part", default="test", show_default=True, help="The part to evaluate: train, val, test, …")
@device_option
@click.option("--json", "as_json", is_flag=True, help="Print {task or objective: {metric: value}} as JSON.")
@plugins_option
def command(run: str, overrides: tuple[str, ...], part: str, device: str, as_json: bool, allow_plugins: bool) -> None:
    """Evaluate the model of RUN on a part of its data.

    KEY=VALUE changes the run's configuration, such as where the data lie: data.root=FOLDER.

    RUN is a run folder, an archive of one, a model that comes with molfound (toymix-gine), or hf://OWNER/NAME.
    """
    from molfound.training.evaluate_run import evaluate_run
    from molfound.training.summary import print_objectives, print_scores

    tasks, scores = evaluate_run(run, part, overrides, device=device, allow_plugins=allow_plugins)
    if as_json:
        figures = {name: task.mean for name, task in scores.tasks.items()} | scores.restored()
        click.echo(json.dumps({name: {k: v if v == v else None for k, v in f.items()} for name, f in figures.items()}))
    else:
        print_scores(scores.to_dict(tasks), title=f"{part} part, mean over labels")
        print_objectives(scores.restored())
