"""The assembled model: what its heads see, what it predicts, and that its files bring it back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from molfound.chem.features import atom_features
from molfound.config.component import Component
from molfound.config.schema import Experiment
from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError
from molfound.model import (
    ModelSpecification,
    MolecularModel,
    count_parameters,
    load_model,
    load_specification,
    load_weights,
    save_model,
    specify,
)
from molfound.nn.encoder_inputs import EncoderInputs
from molfound.nn.encoders import Encoder, encoders
from molfound.nn.inputs import InputNetwork
from molfound.nn.representations import Representations, Widths
from molfound.plugins import PluginRecord
from molfound.tasks.resolve import make_task
from molfound.tasks.task import Task
from tests.nn.graphs import ATOMS, BONDS, Graph, collate, random_graph

PAIRS, STEPS = 4, 6
FEATURES = {"atoms": [feature.name for feature in ATOMS], "bonds": [feature.name for feature in BONDS]}


def experiment(**model: Any) -> Experiment:
    encoder = {"name": "gnn", "layer": "gine", "width": 16, "depth": 2, "dropout": 0.2}
    return Experiment.model_validate(
        {
            "name": "test",
            "data": {"datasets": {name: {"manifest": name} for name in ("one", "two")}},
            "features": FEATURES,
            "encodings": {"laplacian": {"pairs": PAIRS}, "random_walk": {"steps": STEPS}},
            "model": {"inputs": {"width": 12}, "encoder": encoder, **model},
            "tasks": {"energy": {"dataset": "one"}},
        }
    )


def all_tasks() -> dict[str, Task]:
    tasks = [
        make_task("energy", "one", "graph", "regression", ["gap", "mu"]),
        make_task("toxic", "two", "graph", "binary", ["a", "b", "c"], head=Component("linear")),
        make_task("charges", "two", "node", "regression", ["q"]),
        make_task("orders", "one", "edge", "regression", ["order"]),
        make_task("distances", "two", "node_pair", "multiclass", ["bin"], classes=4),
    ]
    return {task.name: task for task in tasks}


@pytest.fixture
def specification() -> ModelSpecification:
    return specify(experiment(), all_tasks())


@pytest.fixture
def model(specification: ModelSpecification) -> MolecularModel:
    torch.manual_seed(0)
    return MolecularModel(specification).eval()


@pytest.fixture
def graphs() -> list[Graph]:
    rng = np.random.default_rng(1)
    return [random_graph(rng, nodes) for nodes in (6, 1, 4, 3, 8)]


@pytest.fixture
def batch(graphs: list[Graph]) -> GraphBatch:
    return collate(graphs, {"one": (0, 2), "two": (2, 5)})


def rows(graphs: list[Graph], level: str) -> int:
    count = {
        "graph": lambda graph: 1,
        "node": lambda graph: len(graph.codes),
        "edge": lambda graph: 2 * len(graph.bonds),
        "node_pair": lambda graph: len(graph.codes) ** 2,
    }[level]
    return sum(count(graph) for graph in graphs)


def test_forward_gives_a_row_for_each_item_of_the_tasks_dataset(
    model: MolecularModel, batch: GraphBatch, graphs: list[Graph]
) -> None:
    predictions = model(batch)
    assert list(predictions) == list(model.tasks)
    for name, task in model.tasks.items():
        shape = (rows(graphs[slice(*batch.datasets[task.dataset])], task.level), len(task.labels))
        assert predictions[name].shape == (shape if task.classes is None else (*shape, task.classes))


@torch.no_grad()
def test_what_a_molecule_yields_does_not_depend_on_its_batch(model: MolecularModel, graphs: list[Graph]) -> None:
    together = model.predict(collate(graphs))
    alone = [model.predict(collate([graph])) for graph in graphs]
    for name in model.tasks:
        torch.testing.assert_close(together[name], torch.cat([each[name] for each in alone]), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_predict_covers_every_graph_and_forward_those_of_its_dataset(
    model: MolecularModel, batch: GraphBatch, graphs: list[Graph]
) -> None:
    with torch.no_grad():
        model.normalizers["energy"].mean.copy_(torch.tensor([2.0, -1.0]))
        model.normalizers["energy"].deviation.copy_(torch.tensor([3.0, 0.5]))
    raw, everything = model(batch), model.predict(batch)
    for name, task in model.tasks.items():
        first, last = batch.datasets[task.dataset]
        start, count = rows(graphs[:first], task.level), rows(graphs[first:last], task.level)
        assert len(everything[name]) == rows(graphs, task.level)
        finished = {
            "regression": lambda values, name=name: model.normalizers[name].denormalize(values),
            "binary": torch.sigmoid,
            "multiclass": lambda values: torch.softmax(values, -1),
        }[task.kind](raw[name])
        torch.testing.assert_close(everything[name][start : start + count], finished)
    torch.testing.assert_close(
        everything["energy"][:2], raw["energy"] * torch.tensor([3.0, 0.5]) + torch.tensor([2.0, -1.0])
    )


def test_a_task_whose_dataset_is_not_in_the_batch_is_left_out(model: MolecularModel, graphs: list[Graph]) -> None:
    assert list(model(collate(graphs, {"one": (0, 5)}))) == ["energy", "orders"]


def test_the_make_up_of_a_mixtures_batch_does_not_compile_the_model_anew(graphs: list[Graph]) -> None:
    torch._dynamo.reset()
    compilations: list[object] = []

    def backend(module: torch.fx.GraphModule, _: object) -> Callable[..., Any]:
        compilations.append(module)
        return module.forward

    tasks = {name: task for name, task in all_tasks().items() if task.level == "graph"}
    model = MolecularModel(specify(experiment(), tasks)).eval()
    compiled = torch.compile(model, backend=backend, dynamic=True, fullgraph=True)
    for split in (6, 7, 8):
        batch = collate(graphs * 3, {"one": (0, split), "two": (split, 15)})
        torch.testing.assert_close(compiled(batch), model(batch), atol=1e-5, rtol=1e-5)
    assert len(compilations) == 1


class OwnEdges(Encoder):
    """Represents edges and pairs itself: of each its number in the batch, which shows what a head is given."""

    def __init__(self, inputs: EncoderInputs) -> None:
        super().__init__(inputs)
        self.inputs = InputNetwork(inputs)
        self.widths = Widths(nodes=inputs.width, edges=2, pairs=3)

    def forward(self, batch: GraphBatch) -> Representations:
        edges, pairs = (torch.arange(int(batch.item_ptr(level)[-1])) for level in ("edge", "node_pair"))
        nodes = self.inputs(batch)
        return Representations(nodes, edges[:, None].expand(-1, 2).float(), pairs[:, None].expand(-1, 3).float())


def test_heads_read_the_edges_and_pairs_that_an_encoder_makes_itself(
    batch: GraphBatch, graphs: list[Graph], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(encoders._components, "own", OwnEdges)
    tasks = {name: task for name, task in all_tasks().items() if name in ("orders", "distances")}
    model = MolecularModel(specify(experiment(encoder={"name": "own"}), tasks)).eval()
    assert not model.readouts
    given: dict[str, torch.Tensor] = {}
    for name, head in model.heads.items():
        head.register_forward_pre_hook(lambda _, inputs, name=name: given.update({name: inputs[0][:, 0]}))
    predictions = model(batch)
    for name, task in tasks.items():
        first, last = batch.datasets[task.dataset]
        start, count = rows(graphs[:first], task.level), rows(graphs[first:last], task.level)
        assert given[name].tolist() == list(range(start, start + count))
        assert len(predictions[name]) == count
    model.predict(batch)
    assert {name: len(values) for name, values in given.items()} == {
        name: rows(graphs, task.level) for name, task in tasks.items()
    }
    made = model.represent(batch)
    assert made.edges is not None
    assert made.pairs is not None
    assert (made.edges.shape[1], made.pairs.shape[1]) == (2, 3)


def test_represent_gives_every_level_of_the_tasks(
    model: MolecularModel, batch: GraphBatch, graphs: list[Graph]
) -> None:
    made = model.represent(batch)
    levels = {"graph": made.graphs, "node": made.nodes, "edge": made.edges, "node_pair": made.pairs}
    assert {level: len(values) for level, values in levels.items()} == {level: rows(graphs, level) for level in levels}
    only_graphs = MolecularModel(specify(experiment(), {"energy": all_tasks()["energy"]})).represent(batch)
    assert only_graphs.edges is None
    assert only_graphs.pairs is None
    assert only_graphs.graphs.shape == (len(graphs), 16)


def test_gradients_reach_every_parameter(model: MolecularModel, batch: GraphBatch) -> None:
    sum(values.square().sum() for values in model.train()(batch).values()).backward()
    assert not [name for name, parameter in model.named_parameters() if parameter.grad is None]


def test_files_bring_the_model_back(model: MolecularModel, batch: GraphBatch, tmp_path: Path) -> None:
    model.normalizers["charges"].mean.fill_(7.0)
    save_model(model, tmp_path)
    loaded = load_model(tmp_path).eval()
    assert loaded.specification == model.specification
    assert list(loaded.tasks) == list(model.tasks)
    for name, values in model.predict(batch).items():
        assert torch.equal(loaded.predict(batch)[name], values)


def test_the_specification_says_what_predicting_from_smiles_needs(tmp_path: Path) -> None:
    record = PluginRecord("/somewhere/heads.py", "00_heads.py", "0" * 64)
    specification = specify(experiment(), all_tasks(), [record])
    save_model(MolecularModel(specification), tmp_path)
    loaded = load_specification(tmp_path)
    assert loaded == specification
    assert (loaded.atom_features, loaded.bond_features) == (FEATURES["atoms"], FEATURES["bonds"])
    assert loaded.encodings == {"laplacian": {"pairs": PAIRS}, "random_walk": {"steps": STEPS}}
    assert loaded.max_heavy_atoms == 1000
    assert loaded.plugins == (record,)
    assert loaded.atoms[1].values == atom_features["charge"].vocabulary.values
    assert {"molfound", "torch", "rdkit"} <= set(loaded.versions)


def test_parameters_are_counted_as_they_are_built(specification: ModelSpecification, model: MolecularModel) -> None:
    counted = count_parameters(specification)
    assert counted.pop("total") == sum(parameter.numel() for parameter in model.parameters()) == sum(counted.values())
    assert list(counted) == ["inputs", "encoder", "readouts", *(f"heads/{name}" for name in model.tasks)]
    assert all(count > 0 for part, count in counted.items())


def test_parameters_are_counted_without_being_allocated() -> None:
    encoder = {"name": "gnn", "layer": "gin", "width": 100_000, "depth": 40}
    tasks = {"energy": all_tasks()["energy"]}
    assert count_parameters(specify(experiment(encoder=encoder), tasks))["total"] > 40 * 2 * 100_000**2


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"encoder": {"name": "gnm"}}, "unknown encoder 'gnm'; did you mean 'gnn'"),
        ({"encoder": {"name": "gnn", "layr": "gin"}}, "encoder 'gnn' has no option 'layr'; did you mean 'layer'"),
        ({"encoder": {"name": "gnn", "layer": "gatt"}}, "unknown layer 'gatt'"),
        ({"readout": {"name": "pool", "pooling": ["summ"]}}, "readout 'pool', option 'pooling.0'"),
        ({"inputs": {"encodings": {"laplacian": "mpl"}}}, "unknown encoding encoder 'mpl'; did you mean 'mlp'"),
    ],
)
def test_mistakes_in_the_model_are_named_before_anything_is_allocated(model: dict[str, Any], message: str) -> None:
    with pytest.raises(MolfoundError, match=message):
        count_parameters(specify(experiment(**model), all_tasks()))


def test_a_task_name_that_torch_uses_itself_is_refused() -> None:
    task = make_task("train", "one", "graph", "regression", ["gap"])
    with pytest.raises(MolfoundError, match="a task cannot be called 'train'"):
        MolecularModel(specify(experiment(), {"train": task}))


def change_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_files_that_are_not_a_models_are_refused(model: MolecularModel, tmp_path: Path) -> None:
    with pytest.raises(MolfoundError, match=r"cannot read .*model\.json"):
        load_model(tmp_path)
    save_model(model, tmp_path)
    path = tmp_path / "model.json"
    whole = path.read_text()
    for changes, message in [
        ({"schema_version": 99}, "has schema version 99, this molfound reads up to 1: update molfound"),
        ({"schema_version": None}, "it has no schema_version"),
        ({"colour": "blue"}, "does not describe a model: colour"),
        ({"tasks": 3}, "does not describe a model: tasks"),
    ]:
        path.write_text(whole)
        change_json(path, **changes)
        with pytest.raises(MolfoundError, match=message):
            load_model(tmp_path)
    path.write_text(whole[:100])
    with pytest.raises(MolfoundError, match="is not valid JSON"):
        load_model(tmp_path)


def test_codes_that_mean_something_else_today_are_refused(model: MolecularModel, tmp_path: Path) -> None:
    save_model(model, tmp_path)
    path = tmp_path / "model.json"
    whole = json.loads(path.read_text())
    changed = json.loads(path.read_text())
    changed["atoms"][0]["values"][:2] = changed["atoms"][0]["values"][1::-1]
    path.write_text(json.dumps(changed))
    with pytest.raises(MolfoundError, match="atom feature 'atomic_number', whose codes differ from today's"):
        load_model(tmp_path)
    whole["encoded"]["laplacian"]["version"] += 1
    path.write_text(json.dumps(whole))
    with pytest.raises(MolfoundError, match="of encoding 'laplacian', not with today's"):
        load_model(tmp_path)


def test_weights_of_another_model_are_refused(model: MolecularModel, tmp_path: Path) -> None:
    with pytest.raises(MolfoundError, match="no weights"):
        load_weights(model, tmp_path / "model.safetensors")
    save_model(model, tmp_path)
    fewer = {name: task for name, task in all_tasks().items() if name != "toxic"}
    smaller = MolecularModel(specify(experiment(), fewer))
    with pytest.raises(MolfoundError, match=r"'heads\.toxic\.linear\.bias' is not of this model \(and"):
        load_weights(smaller, tmp_path / "model.safetensors")
    save_model(smaller, tmp_path)
    with pytest.raises(MolfoundError, match=r"'heads\.toxic\.linear\.weight' is missing"):
        load_weights(model, tmp_path / "model.safetensors")
    inputs = {"encodings": {"laplacian": {"name": "deepset", "width": 9}}}
    save_model(MolecularModel(specify(experiment(inputs={"width": 12, **inputs}), all_tasks())), tmp_path)
    with pytest.raises(MolfoundError, match="does not hold the weights of this model"):
        load_weights(model, tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(MolfoundError, match="not a readable safetensors file"):
        load_weights(model, tmp_path / "model.safetensors")
