"""A published checkpoint, converted: every key finds its place, and the values are those of the published network."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import molfound as mf
from molfound.data.batch import GraphBatch
from molfound.data.collection import GraphCollection
from molfound.errors import MolfoundError
from molfound.inference import Predictor
from molfound.model import count_parameters
from molfound.model.published_checkpoint import convert_checkpoint
from molfound.model.published_layout import Dimensions, published_layout, published_specification
from molfound.nn.padding import Padding
from molfound.nn.two_track import SIZES
from tests.model.published import SMALL, PlainNetwork, State, published_shapes, random_state, write_checkpoint
from tests.nn.two_track.test_sizes import TOTALS

EXACT = {"rtol": 1e-10, "atol": 1e-10}
SMILES = ["C[C@H](N)C(=O)[O-].[Na+]", "C/C=C/c1ccc(O)nc1", "O"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder converted from a small random checkpoint."""
    folder = tmp_path_factory.mktemp("converted")
    convert_checkpoint(write_checkpoint(folder / "checkpoint.pt", random_state())).save(folder / "run")
    return folder / "run"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.pt"


def batch_of(predictor: Predictor, smiles: list[str]) -> GraphBatch:
    arrays, _ = predictor.featurize(smiles)
    batch = GraphCollection({"input": arrays}).batch(np.arange(len(smiles)))
    places = 2 * torch.randn(batch.num_nodes, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    return replace(batch, coordinates=places)


@pytest.mark.parametrize("name", SIZES)
def test_the_layout_is_that_of_the_published_sizes(name: str) -> None:
    size = SIZES[name]
    dimensions = Dimensions(size.depth, size.width, size.heads)
    layout = published_layout(dimensions)
    assert dimensions.size == name
    assert {key: tuple(place.shape) for key, place in layout.items()} == published_shapes(dimensions)
    assert sum(place.shape.numel() for place in layout.values() if place.trained) == TOTALS[name]
    names = [place.name for place in layout.values()]
    assert len(set(names)) == len(names)
    encoder = published_specification(dimensions).model.encoder
    assert encoder.options["size"] == name


def test_other_dimensions_have_no_name() -> None:
    size = SIZES["84M"]
    assert Dimensions(13, size.width, size.heads).size is None
    assert Dimensions(size.depth, size.width, size.heads, pair_hidden=32).size is None
    assert published_specification(SMALL).model.encoder.options["depth"] == SMALL.depth


@torch.no_grad()
@pytest.mark.parametrize("together", [False, True], ids=["alone", "padded"])
def test_a_converted_model_gives_what_the_published_network_gives(run: Path, together: bool) -> None:
    predictor = mf.load(run, device="cpu")
    model = predictor.model.double()
    token_head = model.get_submodule("objectives.masked_atoms.head")
    coordinate_head = model.get_submodule("objectives.denoising.head")
    plain = PlainNetwork(random_state(), SMALL)
    for group in [SMILES] if together else [[smiles] for smiles in SMILES]:
        batch = batch_of(predictor, group)
        made = model.represent(batch)
        assert made.padded is not None
        assert made.graphs is not None
        padding = made.padded.padding
        molecules = model.encoder.inputs(batch, padding)
        assert isinstance(padding, Padding)
        logits = token_head(made.padded.nodes)
        places = coordinate_head(made.padded.nodes, made.padded.pairs, molecules.coordinates, padding.mask)
        for b, n in enumerate(batch.node_ptr.diff().tolist()):
            expected = plain(
                replace(
                    molecules,
                    tokens=molecules.tokens[b : b + 1, :n],
                    degrees=molecules.degrees[b : b + 1, :n],
                    features=molecules.features[b : b + 1, :n],
                    shortest_paths=molecules.shortest_paths[b : b + 1, :n, :n],
                    bond_features=molecules.bond_features[b : b + 1, :n, :n],
                    coordinates=molecules.coordinates[b : b + 1, :n],
                )
            )
            torch.testing.assert_close(made.graphs[b], expected.molecule, **EXACT)
            torch.testing.assert_close(made.padded.nodes[b, :n], expected.x, **EXACT)
            torch.testing.assert_close(made.padded.pairs[b, :n, :n], expected.z, **EXACT)
            torch.testing.assert_close(logits[b, :n], expected.logits, **EXACT)
            torch.testing.assert_close(places[b, :n], expected.coordinates, **EXACT)


def test_nothing_of_a_checkpoint_is_lost(path: Path, tmp_path: Path) -> None:
    state = {key: torch.full_like(tensor, number) for number, (key, tensor) in enumerate(random_state().items())}
    converted = convert_checkpoint(write_checkpoint(path, state))
    assert sorted(float(tensor.flatten()[0]) for tensor in converted.weights.values()) == list(range(len(state)))
    total = sum(tensor.numel() for tensor in state.values()) - SMALL.gaussians
    assert converted.parameters == total
    assert count_parameters(converted.specification)["total"] == total
    assert converted.dimensions == SMALL


def test_a_converted_model_predicts_nothing_and_rejects_what_it_cannot_read(run: Path) -> None:
    predictor = mf.load(run, device="cpu")
    with pytest.raises(MolfoundError, match="the model has no task to predict: embed with it"):
        predictor.predict(["CCO"])
    table = predictor.embed(["CCO", "C1CC", "C" * 257])
    assert [str(reason).split(":")[0] for reason in table["rejected"]] == ["None", "invalid_smiles", "too_many_atoms"]
    count = f"{sum(tensor.numel() for tensor in random_state().values()) - SMALL.gaussians:,} parameters"
    assert repr(predictor) == f"Predictor(no tasks; {count})"
    assert repr(predictor.model) == f"MolecularModel(two_track, {count}, objectives: masked_atoms, denoising)"


def test_tensors_of_other_precision_that_share_memory_are_read(path: Path) -> None:
    state = {key: tensor.bfloat16() for key, tensor in random_state().items()}
    state["encoder.pair_layer_norm.weight"] = state["encoder.pair_layer_norm.bias"]
    converted = convert_checkpoint(write_checkpoint(path, state))
    converted.save(path.parent / "run")
    model = mf.load(path.parent / "run", device="cpu").model
    norm = model.get_parameter("encoder.network.pair_norm.weight")
    assert norm.dtype == torch.float32
    torch.testing.assert_close(norm, state["encoder.pair_layer_norm.bias"].float(), rtol=0, atol=0)


def without(*keys: str) -> Callable[[State], State]:
    return lambda state: {key: tensor for key, tensor in state.items() if key not in keys}


def with_tensor(key: str, tensor: object) -> Callable[[State], object]:
    return lambda state: {**state, key: tensor}


LAYER = "encoder.layers.1.pair_tri_mul.linear_g"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (without("embed_tokens.weight"), r"missing 'embed_tokens\.weight'$"),
        (without(f"{LAYER}.bias", "lm_head.bias"), rf"missing '{LAYER}\.bias', 'lm_head\.bias'$"),
        (with_tensor("classification_heads.weight", torch.ones(2)), r"unknown 'classification_heads\.weight'$"),
        (with_tensor("encoder.layers.1.opm.linear_in.scale", torch.ones(2)), r"unknown 'encoder\.layers\.1\.opm\..*'$"),
        (with_tensor("encoder.layers.7.ffn.linear_1.bias", torch.ones(12)), r"missing .*layers\.2.*; unknown .*\.7\."),
        (lambda state: {f"module.{key}": tensor for key, tensor in state.items()}, r"unknown 'module\.embed_tokens"),
        (lambda state: {}, r"missing .* and \d+ more$"),
        (
            with_tensor(f"{LAYER}.bias", torch.ones(9)),
            rf"of another shape: '{LAYER}\.bias' is \[9\] instead of \[10\]$",
        ),
        (with_tensor("embed_tokens.weight", torch.ones(128)), r"'embed_tokens\.weight' is \[128\]$"),
        (with_tensor("embed_tokens.weight", torch.ones(128, 0)), r"'embed_tokens\.weight' is \[128, 0\]$"),
        (with_tensor("embed_tokens.weight", torch.ones(128, 15)), r"of another shape: .* and \d+ more$"),
        (with_tensor("lm_head.bias", torch.ones(128, dtype=torch.int8)), r"no dense tensor .*: 'lm_head\.bias'$"),
        (with_tensor("lm_head.bias", torch.ones(128).to_sparse()), r"no dense tensor .*: 'lm_head\.bias'$"),
        (with_tensor("lm_head.bias", 3.0), r"no dense tensor of floating-point numbers: 'lm_head\.bias'$"),
        (with_tensor("lm_head.bias", torch.full((128,), torch.nan)), r"not finite in float32: 'lm_head\.bias'$"),
        (with_tensor("lm_head.bias", torch.full((128,), 1e300, dtype=torch.float64)), "not finite in float32"),
        (lambda state: list(state), r"its 'model' is no state dict$"),
        (lambda state: {3: torch.ones(1)}, r"its 'model' is no state dict$"),
    ],
)
def test_what_is_not_of_the_layout_is_refused_by_name(
    path: Path, change: Callable[[State], object], problem: str
) -> None:
    with pytest.raises(MolfoundError, match=problem) as caught:
        convert_checkpoint(write_checkpoint(path, change(random_state())))
    assert str(caught.value).startswith(f"{path} ")
    assert "\n" not in str(caught.value)


def test_heads_that_cannot_share_the_width_are_named(path: Path) -> None:
    state = random_state(SMALL)
    for layer in ("encoder.layers.0.self_attn", "encoder.layers.1.self_attn", "movement_pred_head"):
        state[f"{layer}.linear_bias.weight"] = torch.ones(5, SMALL.pair_width)
        state[f"{layer}.linear_bias.bias"] = torch.ones(5)
    with pytest.raises(MolfoundError, match="5 attention heads cannot share a width of 12"):
        convert_checkpoint(write_checkpoint(path, state))


@pytest.mark.parametrize("legacy", [False, True])
def test_objects_are_never_executed(path: Path, legacy: bool) -> None:
    content = {"model": random_state(), "args": argparse.Namespace(arch="unimol2")}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(MolfoundError, match=r"object of argparse\.Namespace, which might execute code"):
        convert_checkpoint(path)


def test_files_that_are_no_checkpoint_are_named(path: Path) -> None:
    with pytest.raises(MolfoundError, match=r"file not found: .*checkpoint\.pt"):
        convert_checkpoint(path)
    with pytest.raises(MolfoundError, match="is a folder"):
        convert_checkpoint(path.parent)
    whole = write_checkpoint(path, random_state()).read_bytes()
    for content in (b"", b"no checkpoint", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(MolfoundError, match="cannot be read: it is damaged"):
            convert_checkpoint(path)
    for other in ({"state_dict": {}}, [1]):
        torch.save(other, path)
        with pytest.raises(MolfoundError, match="has no key 'model'"):
            convert_checkpoint(path)
