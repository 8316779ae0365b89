"""Models as programs of torch.export: the model's own predictions, for graphs of all sizes, or a clear no."""

import json
from pathlib import Path

import pytest
import torch

import molfound as mf
from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError
from molfound.model import MolecularModel, load_specification, save_model, save_specification, specify
from molfound.sharing import export_program
from molfound.sharing.program import largest_difference, program_inputs
from molfound.tasks.resolve import make_task
from tests.inference.conftest import run as run
from tests.test_model import experiment

OTHERS = ["O", "[K+].[Br-]", "c1ccc2[nH]ccc2c1", "C1CC2CCC1C2", "N#Cc1ccccc1C(F)(F)F", "C" * 150]


def test_program_predicts_what_the_model_does(run: Path, tmp_path: Path) -> None:
    told = export_program(run, tmp_path / "model.pt2")
    program = torch.export.load(tmp_path / "model.pt2").module()
    model = mf.load(run, device="cpu")
    described = json.loads((tmp_path / "model.json").read_text())
    assert told == described["largest_difference"] < 1e-5
    for molecules in (OTHERS, *([each] for each in OTHERS)):
        inputs = program_inputs(model, molecules)
        found = program(**inputs)
        expected = model.predict(molecules)
        assert set(found) == set(described["outputs"]) == set(model.tasks)
        for name in ("energy", "toxic"):
            columns = [f"{name}.{label}" for label in model.tasks[name]]
            torch.testing.assert_close(found[name], torch.tensor(expected[columns].to_numpy()), rtol=1e-5, atol=1e-5)
        for group, tensors in described["inputs"].items():
            for part, tensor in inputs[group].items():
                assert str(tensor.dtype) == f"torch.{tensors[part]['dtype']}"
                for size, said in zip(tensor.shape, tensors[part]["shape"], strict=True):
                    assert isinstance(said, str) or size == said
    with pytest.raises(MolfoundError, match=r"is there already: replace it \(--overwrite\)"):
        export_program(run, tmp_path / "model.pt2")
    assert export_program(run, tmp_path / "model.pt2", overwrite=True) == told


def test_model_of_small_molecules_is_compared_on_those(run: Path, tmp_path: Path) -> None:
    specification = load_specification(run)
    save_specification(specification.model_copy(update={"max_heavy_atoms": 12}), run / "model.json")
    assert export_program(run, tmp_path / "model.pt2") < 1e-5


@pytest.mark.parametrize("content", ["{}", "[1]", "text"])
def test_file_of_another_kind_beside_it_is_not_replaced(run: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "assay.json").write_text(content)
    with pytest.raises(MolfoundError, match=r"assay\.json are not replaced"):
        export_program(run, tmp_path / "assay.pt2", overwrite=True)
    assert (tmp_path / "assay.json").read_text() == content
    (tmp_path / "alone.pt2").write_text("mine")
    with pytest.raises(MolfoundError, match=r"alone\.json are not replaced"):
        export_program(run, tmp_path / "alone.pt2", overwrite=True)
    assert (tmp_path / "alone.pt2").read_text() == "mine"


def test_another_models_program_is_found_out(run: Path) -> None:
    model, other = mf.load(run, device="cpu"), mf.load(run, device="cpu")

    class Program(torch.nn.Module):
        def forward(self, graphs, encodings):
            rows = torch.arange(len(graphs["node_ptr"]) - 1)
            return other.model.predict(GraphBatch(**graphs, rows=rows, datasets={}, encodings=encodings))

    assert largest_difference(Program(), model) < 1e-6
    other.model.normalizers["energy"].mean += 1
    assert largest_difference(Program(), model) > 0.1
    other.model.normalizers["energy"].mean *= float("nan")
    assert not largest_difference(Program(), model) <= 1


def test_models_that_pad_or_predict_nothing_are_refused(tmp_path: Path) -> None:
    encoder = {"name": "two_track", "depth": 1, "width": 16, "heads": 2}
    task = make_task("energy", "one", "graph", "regression", ["gap"])
    for tasks, config, problem in (({"energy": task}, {"encoder": encoder}, "pads its molecules"), ({}, {}, "no task")):
        folder = tmp_path / problem
        folder.mkdir()
        without = experiment(inputs={"width": 12, "encodings": {}}, **config).model_copy(update={"encodings": {}})
        save_model(MolecularModel(specify(without, tasks)), folder)
        with pytest.raises(MolfoundError, match=problem):
            export_program(folder, folder / "model.pt2")
        assert not list(folder.glob("*.pt2"))


def test_program_has_its_own_suffix(run: Path, tmp_path: Path) -> None:
    with pytest.raises(MolfoundError, match=r"ends in \.pt2"):
        export_program(run, tmp_path / "model.onnx")
