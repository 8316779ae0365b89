"""From a run and a table, or a configuration, to an experiment that fine-tunes the run's encoder."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

from molfound.config import Experiment, load_config
from molfound.config.composition import with_overrides
from molfound.config.documents import write_text
from molfound.data.shards import write_atomically
from molfound.errors import MolfoundError, did_you_mean
from molfound.model import ModelSpecification
from molfound.plugins import restore_plugins
from molfound.runs import find_run
from molfound.training.assay import Assay, SplitKind
from molfound.training.pretrained import pretrained_specification
from molfound.training.run_folder import RunFolder

EXPERIMENT_FILE = "finetune.yaml"
MANIFEST_FILE = "assay.yaml"
BASELINES = ("mean", "forest", "probe", "knn")
TASK = "assay"


def training_defaults(molecules: int) -> dict[str, Any]:
    """Return how a pretrained network is trained on so many molecules, keys of ``data.batch`` and ``training``.

    - Batches of 16, 32 or 64, so that the smallest tables still make several steps an epoch.
    - 30 epochs, and up to 60 where an epoch has fewer than ten steps: a pretrained network is at its best soon, and the
      learning rate has to have fallen by then.
    - Early stopping after ten epochs without a lower validation loss; the weights kept are those of the lowest, and an
      average of the last hundred or so steps, because a few dozen molecules tell the best epoch badly.
    - A learning rate of 1e-3. Each stage of the encoder has a share of the rate of the stage after it, 0.8 or 0.9: what
      lies near the inputs is the most general, and the fewer molecules there are, the less they have to say about it.

    ``docs/results/finetuning.md`` says what else was tried.

    Args:
        molecules: in the training part.

    Example:
        >>> chosen = training_defaults(80)
        >>> chosen["data"]["batch"]["size"], chosen["training"]["epochs"], chosen["training"]["pretrained"]
        (16, 60, {'layer_decay': 0.8})
    """
    size = 16 if molecules < 500 else 32 if molecules < 3000 else 64
    epochs = min(60, max(30, 300 // max(molecules // size, 1)))
    return {
        "data": {"batch": {"size": size}},
        "training": {
            "epochs": epochs,
            "optimizer": {"name": "adamw", "lr": 1e-3, "weight_decay": 0.01},
            "schedule": {"name": "cosine", "warmup": 0.1},
            "average": 0.99,
            "early_stopping": {"monitor": "val/loss", "patience": 10},
            "pretrained": {"layer_decay": 0.8 if molecules < 3000 else 0.9},
        },
    }


def network_of(specification: ModelSpecification) -> dict[str, Any]:
    """Return the keys of a configuration that make the network of a run, its inputs included, as dotted keys."""
    conformers = specification.conformers
    return {
        "features": {"atoms": specification.atom_features, "bonds": specification.bond_features},
        "encodings": specification.encodings,
        "model": specification.model.model_dump(mode="json"),
        "data.max_heavy_atoms": specification.max_heavy_atoms,
        "data.crop": specification.crop,
        "data.conformers": None if conformers is None else conformers.model_dump(mode="json"),
    }


class FineTuning:
    """What fine-tunes the encoder of a run.

    Args:
        run: what it is called, see `molfound.runs.find_run`; written down so in what is fine-tuned.
        head: the run's task whose head is to be started from; None: a new head.
        allow_plugins: whether the run's own copies of plugins may be executed.

    Raises:
        MolfoundError: no model there, one that has no such task, or a plugin that may not be executed.
    """

    def __init__(self, run: str | Path, head: str | None = None, *, allow_plugins: bool = False) -> None:
        self.run, self.head = run, head
        folder = find_run(run)
        self.specification = pretrained_specification(folder)
        if head is not None and head not in self.specification.tasks:
            known = ", ".join(self.specification.tasks) or "none at all"
            near = did_you_mean(head, self.specification.tasks)
            raise MolfoundError(f"{run} has no task '{head}'{near}; it has {known}")
        records = self.specification.plugins
        self.plugins = restore_plugins(records, RunFolder(folder).plugins, allow_copies=allow_plugins)

    def of_configuration(self, name: str, overrides: Sequence[str] = (), folder: Path | None = None) -> Experiment:
        """Return the experiment of a configuration, its network and what it starts from taken from the run.

        Args:
            name: a path, or a name under ``configs/``.
            overrides: ``key=value`` changes.
            folder: of the run; None: as the configuration says.

        Raises:
            MolfoundError: anything wrong with the configuration.
        """
        return load_config(name, overrides, adapt=self._adapted(folder))

    def of_assay(
        self,
        assay: Assay,
        split: SplitKind,
        folder: Path,
        overrides: Sequence[str] = (),
        *,
        folds: int | None = None,
    ) -> Experiment:
        """Write a manifest and an experiment of a table into a folder and return the experiment, which also runs there.

        Args:
            assay: the table.
            split: how it is split.
            folder: it may exist.
            overrides: ``key=value`` changes; they are in what is written.
            folds: the experiment is the first of so many of a cross-validation, see
                `molfound.training.cross_validation.fold_experiments`; None: there is one alone.

        Raises:
            MolfoundError: anything wrong with the overrides.
        """
        path = folder / EXPERIMENT_FILE
        experiment = self._experiment(assay, folder, folds)
        if folds is not None:
            divided = {"kind": "folds", "folds": folds, "fold": 1, "scaffolds": split == "scaffold"}
            experiment = _with(experiment, f"data.datasets.{TASK}.split", divided)
        with undone_where_refused(folder):
            write_atomically(folder / MANIFEST_FILE, write_text(assay.manifest(split)).encode())
            write_atomically(path, write_text(experiment).encode())
            loaded = load_config(path, overrides)
        how = f"After a change: molfound train {path} --overwrite"
        how = (
            how
            if folds is None
            else f"The first of {folds} folds, which molfound finetune trains with --folds {folds}."
        )
        text = f"# Fine-tunes {self.run} on {assay.path}. {how}\n"
        write_atomically(path, (text + write_text(with_overrides(experiment, overrides))).encode())
        return loaded

    def _experiment(self, assay: Assay, folder: Path, folds: int | None) -> dict[str, Any]:
        defaults = training_defaults(
            assay.training_molecules if folds is None else assay.molecules * (folds - 2) // max(folds, 1)
        )
        task: dict[str, Any] = {"dataset": TASK, "head": {"name": "mlp", "hidden": [128], "dropout": 0.1}}
        experiment: dict[str, Any] = {
            "name": f"finetune-{_stem(assay.path)}",
            "data": {
                "root": str(assay.path.parent),
                "store": str(folder / "stores"),
                "datasets": {TASK: {"manifest": MANIFEST_FILE}},
                **defaults["data"],
            },
            "tasks": {TASK: task},
            "training": defaults["training"],
            "run": {"folder": str(folder)},
        }
        adapted: dict[str, Any] = self._adapted(None)(experiment)
        return adapted

    def _adapted(self, folder: Path | None) -> Callable[[Any], Any]:
        """Return what lays the run's network, its head and the baselines over what a configuration says."""

        def adapted(data: Any) -> Any:
            for key, value in network_of(self.specification).items():
                data = _with(data, key, value)
            if self.plugins:
                given = data.get("plugins", [])
                data = _with(data, "plugins", [*given, *(str(path) for path in self.plugins if str(path) not in given)])
            data = _with(data, "training.pretrained.run", str(self.run))
            if self.head is not None:
                before = self.specification.tasks[self.head]
                data = _with(data, "training.pretrained.head", self.head)
                for name, task in (data.get("tasks") or {}).items():
                    data = _with(data, f"tasks.{name}.head", before.head.to_mapping())
                    if before.predicts_variance and "loss" not in (task or {}):
                        data = _with(data, f"tasks.{name}.loss", before.loss.to_mapping())
                    if before.normalize == "none":
                        data = _with(data, f"tasks.{name}.normalize", "none")
            if folder is not None:
                data = _with(data, "run.folder", str(folder))
            if "baselines" not in (data.get("run") or {}):
                data = _with(data, "run.baselines", list(BASELINES))
            return data

        return adapted


def new_folder(table: Path, folder: Path | None, *, overwrite: bool) -> Path:
    """Return the folder of a fine-tuning on a table, by default ``runs/finetune-NAME``.

    Raises:
        MolfoundError: there is a run or an experiment that would be lost.
    """
    chosen = folder or Path("runs") / f"finetune-{_stem(table)}"
    run = RunFolder(chosen)
    run.check_place()
    if not overwrite and (run.has_progress or (chosen / EXPERIMENT_FILE).exists()):
        there = (
            f"go on with its members (molfound train --resume {chosen})"
            if run.ensemble.is_file()
            else f"train what is there (molfound train {chosen / EXPERIMENT_FILE})"
        )
        raise MolfoundError(
            f"{chosen} holds a fine-tuning already: {there}, replace it (--overwrite) or name another folder (-o)"
        )
    return chosen


@contextmanager
def undone_where_refused(folder: Path) -> Iterator[None]:
    """Take back what `FineTuning.of_assay` writes into a folder, and the folders made for it, where it is a mistake."""
    paths = [folder / name for name in (EXPERIMENT_FILE, MANIFEST_FILE)]
    made = list(takewhile(lambda path: not path.exists(), (folder, *folder.parents)))
    before = [path.read_bytes() if path.is_file() else None for path in paths]
    try:
        yield
    except MolfoundError:
        for path, content in zip(paths, before, strict=True):
            if content is None:
                path.unlink(missing_ok=True)
            else:
                write_atomically(path, content)
        for path in made:
            with suppress(OSError):  # one that is not there, or that something else has been put into
                path.rmdir()
        raise


def _stem(table: Path) -> str:
    """Return the name of a table without its endings, as the name of an experiment may be."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", table.name.partition(".")[0])[:80]


def _with(data: Any, key: str, value: Any) -> dict[str, Any]:
    """Return a mapping in which a dotted key has a value; what stands in its way and is no mapping is replaced."""
    name, _, rest = key.partition(".")
    base: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    return {**base, name: _with(base.get(name), rest, value) if rest else value}
