"""`molfound data list`, `fetch`, `describe` and `sampling`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

data_option = click.option(
    "--data",
    "root",
    type=click.Path(path_type=Path),
    help="Folder of the datasets' files; default: $MOLFOUND_DATA, or data.",
)

if TYPE_CHECKING:
    from molfound.data.fetch import FetchedFile
    from molfound.data.manifest import DataFile, Manifest
    from molfound.data.sampling_report import SamplingReport


@click.group("data")
def command() -> None:
    """List the datasets that molfound knows, fetch and describe them, and show what sampling by scaffold does."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_datasets(as_json: bool) -> None:
    """List the shipped datasets: name, tasks, licence, title."""
    from molfound.data.manifest import list_manifests, load_manifest

    manifests = {name: load_manifest(name) for name in list_manifests()}
    if as_json:
        rows = [
            {"name": name, "title": manifest.title, "licence": manifest.licence, "tasks": list(manifest.tasks)}
            for name, manifest in manifests.items()
        ]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    width = max(map(len, manifests), default=0)
    for name, manifest in manifests.items():
        click.echo(f"{name:<{width}}  {manifest.title} ({', '.join(manifest.tasks)}; {manifest.licence})")


@command.command("fetch")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@data_option
@click.option(
    "--from",
    "mirror",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Copy from this folder instead of fetching from the web.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def fetch(names: tuple[str, ...], root: Path | None, mirror: Path | None, as_json: bool) -> None:
    """Fetch the files of datasets, their split files included, into the data folder.

    NAME is a shipped dataset (toymix/qm9), a folder of them (toymix) or the path of a manifest. What is there already
    is verified; a transfer that was cut is continued. The checksum that a file has the first time is kept in
    checksums.json, in the data folder.
    """
    from molfound.config.locations import data_folder
    from molfound.data.fetch import fetch_dataset
    from molfound.data.manifest import list_manifests, load_manifest

    shipped = list_manifests()
    expanded = [[other for other in shipped if other.startswith(f"{name.rstrip('/')}/")] or [name] for name in names]
    manifests = {name: load_manifest(name) for group in expanded for name in group}
    found = {}
    for name, manifest in manifests.items():
        found[name] = fetch_dataset(manifest, root or Path(data_folder()), mirror=mirror)
        if not as_json:
            click.echo("\n".join(_fetched_lines(name, found[name])))
    if as_json:
        rows = {name: [{**asdict(file), "path": str(file.path)} for file in files] for name, files in found.items()}
        click.echo(json.dumps(rows, indent=2))


@command.command("describe")
@click.argument("name")
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def describe(name: str, root: Path | None, as_json: bool) -> None:
    """Describe one dataset: NAME is a shipped one (toymix/qm9) or the path of a manifest."""
    from molfound.config.locations import data_folder
    from molfound.data.manifest import load_manifest

    manifest = load_manifest(name)
    if as_json:
        click.echo(manifest.model_dump_json(indent=2))
        return
    click.echo("\n".join(_lines(manifest, root or Path(data_folder()))))


@command.command("sampling")
@click.argument("config")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs to draw; default: training.epochs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def sampling(config: str, overrides: tuple[str, ...], epochs: int | None, as_json: bool) -> None:
    """Show which molecules a training of CONFIG draws from its datasets that have `scaffolds`.

    The datasets are prepared as for the training, where they are not yet. Effective epochs: samples per molecule met.
    """
    from molfound.config import load_config
    from molfound.data.datamodule import training_pool
    from molfound.data.sampling_report import sampling_report
    from molfound.data.scaffold_sampling import ScaffoldPool
    from molfound.errors import MolfoundError
    from molfound.plugins import load_plugins
    from molfound.training.mixture import load_task_mixture

    experiment = load_config(config, overrides)
    datasets = experiment.data.datasets
    if all(dataset.scaffolds is None for dataset in datasets.values()):
        raise MolfoundError(
            f"{config} draws no dataset by scaffold; to try it: "
            f"data.datasets.{next(iter(datasets))}.scaffolds.temperature=0.005"
        )
    load_plugins(Path(path) for path in experiment.plugins)
    graphs = load_task_mixture(experiment, lambda line: click.echo(line, err=True)).graphs
    pools = {name: training_pool(graphs, name, dataset) for name, dataset in datasets.items()}
    reports = {
        name: sampling_report(pool, experiment.seed, name, epochs or experiment.training.epochs)
        for name, pool in pools.items()
        if isinstance(pool, ScaffoldPool)
    }
    if as_json:
        click.echo(json.dumps({name: asdict(report) for name, report in reports.items()}, indent=2))
        return
    for name, report in reports.items():
        click.echo("\n".join(_sampling_lines(name, report)))


def _fetched_lines(name: str, files: "list[FetchedFile]") -> list[str]:
    """Return what is there of a dataset, line by line."""
    if not files:
        return [f"{name}: nothing to fetch"]
    return [f"{name}: {file.how} {file.path} ({file.size:,} bytes, sha256 {file.sha256})" for file in files]


def _sampling_lines(name: str, report: "SamplingReport") -> list[str]:
    """Return what sampling does to a dataset, line by line."""
    largest = f"{report.largest_molecules:.2%} of the molecules, {report.largest_samples:.2%} of the samples"
    lines = [
        f"{name}: {report.samples:,} samples (epochs: {report.epochs:,}, effective: {report.effective_epochs:.2f})",
        f"molecules met: {report.molecules_met:,} of {report.molecules:,}",
        f"scaffolds met: {report.scaffolds_met:,} of {report.scaffolds:,}",
        f"largest scaffold: {largest}",
        f"{'molecules per scaffold':>22}  {'scaffolds':>11}  {'of molecules':>12}  {'of samples':>10}",
    ]
    for part in report.bins:
        size = f"{part.first:,}" if part.first == part.last else f"{part.first:,} to {part.last:,}"
        lines.append(f"{size:>22}  {part.scaffolds:>11,}  {part.molecules:>12.2%}  {part.samples:>10.2%}")
    return lines


def _lines(manifest: "Manifest", root: Path) -> list[str]:
    """Return the description of a dataset, line by line."""
    lines = [f"{manifest.name}: {manifest.title}"]
    lines += [manifest.description.strip()] if manifest.description else []
    lines += [f"licence: {manifest.licence}", f"source: {manifest.source}", f"citation: {manifest.citation.strip()}"]
    if manifest.generator is not None:
        lines.append(f"generated by {manifest.generator.name}: nothing to download")
    lines += [_where(file, manifest, root) for file in manifest.files]
    lines.append(f"SMILES column: {manifest.smiles}")
    for task, spec in manifest.tasks.items():
        classes = f" of {spec.classes} classes" if spec.classes else ""
        shown = ", ".join(spec.labels[:20]) + (f" and {len(spec.labels) - 20} more" if len(spec.labels) > 20 else "")
        count = f" ({spec.count:,} columns)" if spec.count else ""
        lines.append(f"task {task}: {spec.level} {spec.kind}{classes}: {shown}{count}")
    for number, (split, rule) in enumerate(manifest.splits.items()):
        lines.append(f"split {split}: {rule.kind}{' (default)' if number == 0 else ''}")
        lines += [f"  {_where(manifest.split_files[split], manifest, root)}"] if split in manifest.split_files else []
    return lines


def _where(file: "DataFile", manifest: "Manifest", root: Path) -> str:
    """Return the line that says where a file of a dataset is, or whence it can be fetched."""
    from molfound.data.manifest import find_files

    found = find_files(file.name, manifest.folders(root))
    if found:
        return f"file {file.name}: in {found[0].parent}"
    return f"file {file.name}: not in {root}" + (f"; fetch it from {file.url}" if file.url else "")
