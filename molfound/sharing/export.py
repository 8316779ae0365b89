"""`molfound export`: a run as a folder or an archive that can be given away."""

import gzip
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from molfound.data.shards import partial_file, write_atomically, writing_to
from molfound.errors import MolfoundError
from molfound.inference import load
from molfound.model import ensemble_members, load_specification
from molfound.runs import find_run
from molfound.runs.archives import has_model, holds_model
from molfound.sharing.card import model_card, stated_licence
from molfound.sharing.content import read_content
from molfound.sharing.portable import portable_files
from molfound.sharing.program import SUFFIX as PROGRAM
from molfound.training.run_folder import RunFolder

CARD = "README.md"
ZIP, TAR = (".zip",), (".tar.gz", ".tgz")
OTHER_ARCHIVES = (".tar", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")


def export_run(
    name: str | Path,
    output: Path,
    *,
    licence: str | None = None,
    overwrite: bool = False,
    allow_plugins: bool = False,
) -> list[str]:
    """Write a run's model and what is known of it, without paths of this machine, with a model card.

    Weights, specification, calibration, scores, baselines, configuration, plugins and manifests of one's own are there,
    of an ensemble those of its members too, and what a cross-validation tells of its folds; predictions, checkpoints
    and the course of the training stay behind.
    `molfound.load` takes the result.

    Args:
        name: of the run, see `molfound.runs.find_run`.
        output: a folder, or an archive (``.zip``, ``.tar.gz``); there once complete. The card is titled by its name.
        licence: of the weights, for the card; None: that of the run's own card, if it has one that states any.
        overwrite: whether what an earlier export wrote there may be replaced.
        allow_plugins: whether the run's own copies of plugins may be executed: the model is loaded, to be sure of it.

    Returns:
        The names of the files, sorted.

    Raises:
        MolfoundError: no such run, one that cannot be loaded, a manifest of it that is gone, or an output that is there
            already or cannot be written.
    """
    run = RunFolder(find_run(name))
    check_output(output, overwrite=overwrite)
    model = load(run.path, device="cpu", allow_plugins=allow_plugins).model
    with writing_to(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", suffix=".partial", dir=output.parent) as scratch:
            folder = Path(scratch) / "run"
            _write_files(run, folder)
            stated = licence or stated_licence(run.path / CARD)
            card = model_card(_title(output), read_content(run, model), name=output.resolve().name, licence=stated)
            write_atomically(folder / CARD, card.encode())
            names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
            if output.name.endswith(ZIP):
                _zip(folder, names, output)
            elif output.name.endswith(TAR):
                _tar(folder, names, output)
            else:
                _put_in_place(folder, output, Path(scratch) / "replaced")
    return names


def check_output(output: Path, *, overwrite: bool) -> None:
    """Refuse to write over anything but an earlier export that may be replaced.

    Raises:
        MolfoundError: names what is there, or a file of another kind.
    """
    if output.suffix == PROGRAM:
        raise MolfoundError(f"{output} would be a program of torch.export: say --format torch-export")
    if output.name.endswith(OTHER_ARCHIVES) and not output.name.endswith(TAR):
        raise MolfoundError(
            f"{output} would be an archive of another kind: name a folder, or an archive that ends in .zip or .tar.gz"
        )
    with writing_to(output):
        is_there, is_folder = output.exists(), output.is_dir()
    if not is_there or (is_folder and not any(output.iterdir())):
        return
    if not overwrite:
        raise MolfoundError(f"{output} is there already: replace it (--overwrite) or name another")
    if is_folder and not ((output / CARD).is_file() and has_model(output)):
        raise MolfoundError(f"{output} is not replaced: it is not a folder that an export has written")
    with writing_to(output):
        is_archive = not is_folder and output.name.endswith((*ZIP, *TAR)) and holds_model(output)
    if not is_folder and not is_archive:
        raise MolfoundError(f"{output} is not replaced: it is not an archive that an export has written")


def _put_in_place(folder: Path, output: Path, replaced: Path) -> None:
    """Rename a folder to the output; what is there goes aside, and comes back where that fails."""
    if output.exists():
        output.rename(replaced)
    try:
        folder.rename(output)
    except OSError:
        if replaced.exists():
            replaced.rename(output)
        raise


def _title(output: Path) -> str:
    name = output.resolve().name
    return next((name.removesuffix(suffix) for suffix in (*ZIP, *TAR) if name.endswith(suffix)), name)


def _write_files(run: RunFolder, folder: Path) -> None:
    """Write all of a run that leaves its machine, but for the card, and the runs of an ensemble's members."""
    for name, content in portable_files(run).items():
        write_atomically(folder / name, content)
    copied = [
        run.model,
        run.ensemble,
        run.calibration,
        run.known_molecules,
        run.data,
        run.seen,
        run.scores,
        run.folds,
        run.objectives,
        run.baselines,
    ]
    if not run.ensemble.is_file():  # whose members have their own
        copied += [run.plugins / record.copy for record in load_specification(run.path).plugins]
    for path in copied:
        if path.is_file():
            copy = folder / path.relative_to(run.path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    for member in ensemble_members(run.path):
        _write_files(RunFolder(member), folder / member.relative_to(run.path))


def _zip(folder: Path, names: Sequence[str], output: Path) -> None:
    with partial_file(output) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name in names:
            entry = zipfile.ZipInfo(name)  # dated 1980: the same files are the same archive
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            with (folder / name).open("rb") as file, archive.open(entry, "w", force_zip64=True) as packed:
                shutil.copyfileobj(file, packed)


def _tar(folder: Path, names: Sequence[str], output: Path) -> None:
    with (
        partial_file(output) as partial,
        partial.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = (folder / name).stat().st_size, 0o644
            with (folder / name).open("rb") as file:
                archive.addfile(entry, file)
