"""`molfound convert`."""

from pathlib import Path

import click

from molfound.errors import MolfoundError


@click.command("convert")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace a run that is in the folder already.")
def command(checkpoint: Path, run: Path, overwrite: bool) -> None:
    """Convert a published checkpoint of Uni-Mol2 to the run folder RUN.

    CHECKPOINT is a file of torch.save with the state dict under the key `model`; nothing in it is executed. RUN gets a
    model without tasks, with the objectives masked_atoms and denoising (model.json, model.safetensors).
    """
    from molfound.model.published_checkpoint import convert_checkpoint
    from molfound.training.run_folder import RunFolder

    folder = RunFolder(run)
    folder.check_place()
    is_taken = folder.has_progress or folder.config.exists() or folder.specification.exists()
    if is_taken and not overwrite:
        raise MolfoundError(f"{run} holds a run already: replace it (--overwrite) or name another folder")
    # Read first: a checkpoint that is refused must not cost the run that is to be replaced.
    converted = convert_checkpoint(checkpoint)
    if is_taken:
        folder.clear()
        folder.config.unlink(missing_ok=True)
    converted.save(run)
    dimensions = converted.dimensions
    parts = f"{dimensions.depth} blocks, width {dimensions.width}, {dimensions.heads} heads"
    name = "no published size" if dimensions.size is None else f"Uni-Mol2 {dimensions.size}"
    click.echo(f"{name}: {parts}, {converted.parameters:,} parameters -> {run}")
