"""A model as a program of `torch.export`, which runs without molfound's code, on graphs of any sizes."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.fx.experimental import _config

import molfound
from molfound.data.batch import GraphBatch, part_level
from molfound.data.collection import GraphCollection
from molfound.data.shards import partial_file, write_atomically
from molfound.errors import MolfoundError
from molfound.inference import Predictor, load
from molfound.model import TaskModel

SUFFIX = ".pt2"
TOLERANCE = 1e-4
"""Of a prediction's difference from the model's, as a share of 1 + its size."""
MOLECULES = (
    "[Na+]",
    "C",
    "CCO",
    "c1ccccc1O",
    "CC(=O)Oc1ccccc1C(=O)O",
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "[Na+].[O-]C(=O)c1ccccc1O",
    "CC(C)C1=C(C(=C(N1CCC(CC(CC(=O)O)O)O)C2=CC=C(C=C2)F)C3=CC=CC=C3)C(=O)NC4=CC=CC=C4",
    "CC1=C2C(C(=O)C3(C(CC4C(C3C(C(C2(C)C)(CC1OC(=O)C(C(C5=CC=CC=C5)NC(=O)C6=CC=CC=C6)O)O)OC(=O)C7=CC=CC=C7)"
    "(CO4)OC(=O)C)O)C)OC(=O)C",
)
"""Of 1 to 62 atoms, on which the program is compared with the model: each alone, and all together.

Those that are too large for the model are left out."""

_SHAPES: dict[str, tuple[str | int, ...]] = {
    "node_codes": ("N", "atom features"),
    "bond_codes": ("B", "bond features"),
    "edge_index": (2, "E"),
    "edge_bond": ("E",),
    "edge_reverse": ("E",),
    "node_ptr": ("G + 1",),
    "edge_ptr": ("G + 1",),
    "bond_ptr": ("G + 1",),
    "node_graph": ("N",),
}
_ROWS = {"graph": "G", "node": "N", "edge": "E", "node_pair": "P"}


def export_program(name: str | Path, output: Path, *, overwrite: bool = False, allow_plugins: bool = False) -> float:
    """Write the model of a run as a program for the CPU (``.pt2``), and beside it what it takes and gives (``.json``).

    ``torch.export.load(output).module()`` is called with the tensors of a batch, ``graphs`` and ``encodings`` as
    `program_inputs` has them, and returns by task what `molfound.model.TaskModel.predict` does: original units and
    probabilities. The numbers of graphs, nodes and edges are free.

    Args:
        name: of the run, see `molfound.runs.find_run`.
        output: the program's file; the other has its name with ``.json``.
        overwrite: whether files that are there may be replaced.
        allow_plugins: whether the run's own copies of plugins may be executed.

    Returns:
        The largest difference from the model's predictions, as a share of 1 + their size.

    Raises:
        MolfoundError: a model that has no task, or that torch.export cannot follow; predictions that differ by more
            than `TOLERANCE`; or a file that is there, is of another kind or cannot be written.
    """
    if output.suffix != SUFFIX:
        raise MolfoundError(f"a program of torch.export is a file that ends in {SUFFIX}, not {output}")
    described = output.with_suffix(".json")
    for path in (output, described):
        if path.exists() and not overwrite:
            raise MolfoundError(f"{path} is there already: replace it (--overwrite) or name another")
    # A program without its description may be anyone's, and so may a file that is no description.
    if (output.exists() or described.exists()) and not _describes_program(described):
        raise MolfoundError(
            f"{output} and {described} are not replaced: they are not what an export has written together"
        )
    predictor = load(name, device="cpu", allow_plugins=allow_plugins)
    exported = _exported(predictor)
    with partial_file(output) as partial:
        with partial.open("wb") as file, warnings.catch_warnings():
            # torch pieces a tensor together from its parts; whether rightly, the comparison tells.
            warnings.filterwarnings("ignore", "No complete tensor found")
            torch.export.save(exported, file)
        with partial.open("rb") as file:
            difference = largest_difference(torch.export.load(file).module(), predictor)
        if not difference <= TOLERANCE:
            raise MolfoundError(
                f"the program's predictions differ from the model's by {difference:.2g} of 1 + their size: not written"
            )
        content = {**describe(predictor), "largest_difference": difference}
        write_atomically(described, (json.dumps(content, indent=1) + "\n").encode())
    return difference


def program_inputs(predictor: Predictor, smiles: list[str]) -> dict[str, dict[str, Tensor]]:
    """Return what the program of a model takes for molecules that can be read, one graph each.

    Example:
        >>> import molfound as mf
        >>> inputs = program_inputs(mf.load("toymix-gine"), ["CCO", "C"])
        >>> inputs["graphs"]["node_ptr"].tolist(), inputs["encodings"]["laplacian.magnitudes"].shape
        ([0, 3, 4], torch.Size([4, 8]))
    """
    return _inputs(_batch(predictor, smiles))


def largest_difference(program: nn.Module, predictor: Predictor) -> float:
    """Return by how much a program's predictions for `MOLECULES` differ from the model's, as a share of 1 + their size.

    Each molecule is a batch of its own, and all are one.
    """
    differences = [0.0]
    taken = _taken(predictor)
    for molecules in (taken, *([each] for each in taken)):
        batch = _batch(predictor, molecules)
        with torch.no_grad():
            expected, found = predictor.model.predict(batch), program(**_inputs(batch))
        for task, values in expected.items():
            gap = (found[task] - values).abs() / (1 + values.abs())
            differences += [float(gap.max()) if gap.numel() else 0.0]
    return max(differences, key=lambda gap: float("inf") if gap != gap else gap)


def describe(predictor: Predictor) -> dict[str, Any]:
    """Return what a program takes and gives, as it is written beside it."""
    specification, inputs = predictor.specification, program_inputs(predictor, ["CCO"])
    parts = inputs["encodings"].items()
    return {
        "molfound": molfound.__version__,
        "torch": torch.__version__,
        "sizes": "G graphs, N nodes, B bonds, E = 2 B edges sorted by target, P: the sum of n * n over the graphs",
        "inputs": {
            "graphs": {name: _told(tensor, _SHAPES[name]) for name, tensor in inputs["graphs"].items()},
            "encodings": {part: _told(tensor, (_ROWS[part_level(part)], tensor.shape[1])) for part, tensor in parts},
        },
        "atom_features": [asdict(feature) for feature in specification.atoms],
        "bond_features": [asdict(feature) for feature in specification.bonds],
        "encodings": specification.encodings,
        "crop": specification.crop,
        "outputs": {
            name: {
                "kind": task.kind,
                "shape": [_ROWS[task.level], len(task.labels), *([task.classes] if task.classes else [])],
                "labels": list(task.labels),
            }
            for name, task in predictor.model.tasks.items()
        },
    }


class _Program(nn.Module):
    """A model as a function of a batch's tensors."""

    def __init__(self, model: TaskModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, graphs: Mapping[str, Tensor], encodings: Mapping[str, Tensor]) -> dict[str, Tensor]:
        # How many nodes the largest graph has is for those who pad.
        rest = {"rows": torch.arange(graphs["node_ptr"].shape[0] - 1), "datasets": {}, "largest": 1}
        batch: dict[str, Any] = {**graphs, **rest, "encodings": dict(encodings)}
        return self.model.predict(GraphBatch(**batch))


def _exported(predictor: Predictor) -> torch.export.ExportedProgram:
    model = predictor.model
    if not model.tasks:
        raise MolfoundError("the model has no task: a program is one that predicts")
    if model.represents_pairs:
        raise MolfoundError(
            "the model pads its molecules to the largest of a batch, which torch.export cannot follow: export the run "
            "itself"
        )
    inputs = program_inputs(predictor, _taken(predictor))
    dynamic = {
        "graphs": {name: {1 if name == "edge_index" else 0: Dim.DYNAMIC} for name in _SHAPES},
        "encodings": {part: {0: Dim.DYNAMIC} for part in inputs["encodings"]},
    }
    # Without this, one graph, or none of something, would be another program.
    oblivious = _config.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    try:
        with torch.no_grad(), oblivious:
            return torch.export.export(_Program(model), (), inputs, dynamic_shapes=dynamic)
    except Exception as error:
        reason = str(error).strip().splitlines() or [""]
        raise MolfoundError(f"torch.export cannot follow this model: {type(error).__name__}: {reason[0]}") from error


def _describes_program(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return False
    return isinstance(content, dict) and {"torch", "inputs", "largest_difference"} <= set(content)


def _taken(predictor: Predictor) -> list[str]:
    """Return those of `MOLECULES` that the model takes."""
    rejected = {position for position, _ in predictor.featurize(MOLECULES)[1]}
    return [smiles for position, smiles in enumerate(MOLECULES) if position not in rejected]


def _batch(predictor: Predictor, smiles: list[str]) -> GraphBatch:
    arrays, rejections = predictor.featurize(smiles)
    if rejections:
        position, rejection = rejections[0]
        raise MolfoundError(f"'{smiles[position]}' is no molecule: {rejection.reason}")
    return GraphCollection({"input": arrays}, crop=predictor.specification.crop).batch(np.arange(len(smiles)))


def _inputs(batch: GraphBatch) -> dict[str, dict[str, Tensor]]:
    return {"graphs": {name: getattr(batch, name) for name in _SHAPES}, "encodings": batch.encodings}


def _told(tensor: Tensor, shape: Sequence[str | int]) -> dict[str, Any]:
    return {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(shape)}
