"""Deep ensembles: several trained models as one, whose predictions are the mean of theirs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from molfound.data.batch import GraphBatch
from molfound.data.shards import write_atomically
from molfound.errors import MolfoundError
from molfound.model.files import ENSEMBLE_FILE, SPECIFICATION_FILE, WEIGHTS_FILE, load_model, load_specification
from molfound.model.molecular_model import MolecularModel
from molfound.model.specification import ModelSpecification
from molfound.model.task_model import Draw, Objectives, TaskModel

SCHEMA_VERSION = 1
"""Of ``ensemble.json``: to be raised when an older molfound could no longer read it rightly."""


class Ensemble(TaskModel):
    """Several models as one, each of which is a draw (Lakshminarayanan et al., 2017).

    Its specification, its units and its losses are those of the first member.

    Args:
        members: of the same features, encodings and tasks, see `check_alike`.
    """

    def __init__(self, members: Sequence[MolecularModel]) -> None:
        super().__init__()
        first = members[0]
        self.members = nn.ModuleList(members)
        self.specification, self.tasks = first.specification, first.tasks
        self.normalizers, self.losses = first.normalizers, first.losses
        self.objectives = Objectives()

    def draws(self, batch: GraphBatch, datasets: Mapping[str, str | None] | None = None) -> Sequence[Draw]:
        """Return what the heads of each member give, in the units of the first."""
        return [self._in_own_units(member, member.draws(batch, datasets)[0]) for member in self._models]

    @property
    def deviating(self) -> Sequence[str]:
        """All tasks."""
        return list(self.tasks)

    @property
    def represents_pairs(self) -> bool:
        """Whether the encoder of any member represents the pairs of atoms."""
        return any(member.represents_pairs for member in self._models)

    def __repr__(self) -> str:
        return f"Ensemble({len(self.members)} of {self.members[0]!r})"

    @property
    def _models(self) -> list[MolecularModel]:
        return [member for member in self.members if isinstance(member, MolecularModel)]

    def _in_own_units(self, member: MolecularModel, draw: Draw) -> dict[str, Tensor]:
        taken = dict(draw)
        for name, task in self.tasks.items():
            if name in draw and task.kind == "regression":
                own, other = self.normalizers[name], member.normalizers[name]
                convert = own.moments_taken_over if task.predicts_variance else own.taken_over
                taken[name] = convert(draw[name], other)
        return taken


def check_alike(members: Mapping[Path, ModelSpecification]) -> None:
    """Refuse models that read molecules in different ways, or predict other labels.

    Raises:
        MolfoundError: names two of them, and what differs.
    """
    (first, expected), *others = members.items()
    parts = {
        "atoms": "atom features",
        "bonds": "bond features",
        "encoded": "encodings",
        "max_heavy_atoms": "largest molecules",
        "crop": "crops",
        "conformers": "conformers",
    }
    if not expected.tasks:
        raise MolfoundError(f"{first} predicts no task, and an ensemble is of predictions")
    for path, given in others:
        differing = [name for part, name in parts.items() if getattr(expected, part) != getattr(given, part)]
        for name in dict.fromkeys([*expected.tasks, *given.tasks]):
            ours, theirs = (specification.tasks.get(name) for specification in (expected, given))
            meaning = ("dataset", "level", "kind", "labels", "classes", "predicts_variance")
            if any(getattr(ours, field, None) != getattr(theirs, field, None) for field in meaning):
                differing.append(f"task '{name}'")
        if differing:
            raise MolfoundError(f"{first} and {path} cannot be one ensemble: they differ in {', '.join(differing)}")


def save_ensemble(folder: Path, members: Sequence[Path]) -> None:
    """Write ``ensemble.json``, which lists the members, run folders inside the folder."""
    listed = [path.relative_to(folder).as_posix() for path in members]
    content = {"schema_version": SCHEMA_VERSION, "members": listed}
    write_atomically(folder / ENSEMBLE_FILE, (json.dumps(content, indent=1) + "\n").encode())


def ensemble_members(folder: Path) -> list[Path]:
    """Return the run folders of an ensemble's members, or none where the folder is no ensemble.

    Raises:
        MolfoundError: ``ensemble.json`` is none, was made by a newer molfound, or leads out of the folder.
    """
    path = folder / ENSEMBLE_FILE
    if not path.is_file():
        return []
    try:
        content = json.loads(path.read_bytes())
        schema, members = int(content["schema_version"]), [str(member) for member in content["members"]]
    except (ValueError, TypeError, KeyError):
        raise MolfoundError(f"{path} does not list the members of an ensemble") from None
    if schema > SCHEMA_VERSION:
        raise MolfoundError(
            f"{path} has schema version {schema}, this molfound reads up to {SCHEMA_VERSION}: update molfound"
        )
    if not members:
        raise MolfoundError(f"{path} lists no member")
    for member in members:
        if Path(member).is_absolute() or ".." in Path(member).parts:
            raise MolfoundError(f"{path} names a member outside of its folder: {member}")
    return [folder / member for member in members]


def complete_members(folder: Path) -> list[Path]:
    """Return what `ensemble_members` does, once all of them have a model.

    Raises:
        MolfoundError: names the first that has none yet.
    """
    members = ensemble_members(folder)
    for path in members:
        if not all((path / name).is_file() for name in (SPECIFICATION_FILE, WEIGHTS_FILE)):
            raise MolfoundError(
                f"the ensemble {folder} is not complete: {path} has no model yet; go on with molfound train --resume "
                f"{folder}"
            )
    return members


def load_ensemble(folder: Path) -> Ensemble:
    """Return the ensemble of a folder, on the CPU; the plugins of its members must be loaded.

    Raises:
        MolfoundError: a member is not there, cannot be read, or does not go with the others.
    """
    members = complete_members(folder)
    check_alike({path: load_specification(path) for path in members})
    return Ensemble([load_model(path) for path in members])
