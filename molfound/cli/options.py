"""Options that several verbs share."""

import click

device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
    help="Where the model computes; auto: a GPU where there is one.",
)
plugins_option = click.option(
    "--allow-plugins", is_flag=True, help="Execute the run's own copies of plugins whose originals are gone."
)
