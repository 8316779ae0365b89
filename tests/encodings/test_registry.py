"""What holds for every registered encoding, and the way in."""

import copy
import gzip
import re
from dataclasses import fields
from itertools import islice

import numpy as np
import pytest
from rdkit import Chem

from molfound.chem import GraphBlock, GraphStructure, featurize_smiles
from molfound.encodings import compute_encoding, encoding, encodings, part_levels, part_widths
from molfound.errors import MolfoundError
from tests.chem.examples import rewritten
from tests.data.real_data import DATA, needs_data
from tests.encodings.graphs import SMILES, block_of_graphs, block_of_smiles

NAMES = list(encodings)


def bits(array: np.ndarray) -> np.ndarray:
    assert array.dtype == np.float16
    return array.view(np.uint16)


def assert_same_from_rewritten(name: str, smiles: list[str], seed: int) -> None:
    """The encodings of other SMILES of the same molecules are the same bits, in the other order of the atoms."""
    pairs = [rewritten(text, seed) for text in smiles]
    first = compute_encoding(name, block_of_smiles(*smiles), {})
    block = block_of_smiles(*(text for text, _ in pairs))
    second = compute_encoding(name, block, {})
    index = np.concatenate([np.array(order) + at for (_, order), at in zip(pairs, block.node_ptr, strict=False)])
    for part, level in part_levels(name).items():
        array = first[part][index] if level == "node" else first[part]
        np.testing.assert_array_equal(bits(array), bits(second[part]), err_msg=part)


@pytest.mark.parametrize("name", NAMES)
def test_parts_have_their_level_s_rows_and_their_widths(name):
    for block in (block_of_smiles(*SMILES.values()), block_of_graphs([])):
        parts = compute_encoding(name, block, {})
        assert set(parts) == set(part_levels(name)) == set(part_widths(name, {}))
        for part, array in parts.items():
            rows = {"node": block.node_count, "graph": block.graph_count}[part_levels(name)[part]]
            assert array.shape == (rows, part_widths(name, {})[part])
            assert array.dtype == np.float16
            assert not np.isinf(array).any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("molecule", SMILES)
def test_same_bits_from_every_way_of_writing_a_molecule(name, molecule):
    for seed in range(1, 6):
        assert_same_from_rewritten(name, [SMILES[molecule]], seed)


@needs_data
@pytest.mark.parametrize("name", NAMES)
def test_same_bits_from_every_way_of_writing_real_molecules(name):
    with gzip.open(DATA / "smiles" / "zinc250k_test.smi.gz", "rt") as lines:
        assert_same_from_rewritten(name, [line.strip() for line in islice(lines, 300)], seed=1)


@pytest.mark.parametrize("name", NAMES)
def test_same_bits_alone_and_in_any_block(name):
    together = compute_encoding(name, block_of_smiles(*SMILES.values()), {})
    alone = [compute_encoding(name, block_of_smiles(smiles), {}) for smiles in SMILES.values()]
    for part, array in together.items():
        np.testing.assert_array_equal(bits(array), bits(np.concatenate([one[part] for one in alone])), err_msg=part)


@pytest.mark.parametrize("name", NAMES)
def test_zero_is_positive_and_noise_is_zero(name):
    for array in compute_encoding(name, block_of_smiles(*SMILES.values()), {}).values():
        assert not np.signbit(array[array == 0]).any()
        known = array[~np.isnan(array)].astype(float)
        assert np.abs(known[known != 0]).min() > 1e-7


@pytest.mark.parametrize("name", NAMES)
def test_input_is_left_alone(name):
    block = block_of_smiles(*SMILES.values())
    before = copy.deepcopy(block)
    compute_encoding(name, block, {})
    for field in fields(block):
        np.testing.assert_array_equal(getattr(block, field.name), getattr(before, field.name))


def test_exact_values_between_two_float16_numbers_round_the_same_way_despite_noise():
    name = "halfway_in_test"
    halfway = 2049 / 4096

    @encoding(name, parts={"value": "node"})
    def noisy(block: GraphBlock, *, noise: float = 0.0) -> dict[str, np.ndarray]:
        return {"value": np.full((block.node_count, 1), halfway) + noise}

    assert np.float16(halfway + 1e-15) != np.float16(halfway - 1e-15)
    block = block_of_smiles("C")
    values = {compute_encoding(name, block, {"noise": noise})[f"{name}.value"].item() for noise in (-1e-13, 0.0, 1e-13)}
    assert len(values) == 1


@pytest.mark.parametrize(
    ("level", "shape", "message"),
    [
        ("graph", (5, 1), r"should be of shape \[2, k\], a row for each graph of this block, and is of shape \[5, 1\]"),
        ("node", (2, 1), r"should be of shape \[5, k\], a row for each node of this block, and is of shape \[2, 1\]"),
        ("node", (5,), r"should be of shape \[5, k\], .* is of shape \[5\]"),
        ("node", None, r"should be of shape \[5, k\], .* is missing"),
    ],
)
def test_a_part_that_is_not_a_row_for_each_of_its_level_is_refused(level, shape, message):
    name = f"shape_in_test_{level}_{shape}"

    @encoding(name, parts={"x": level})
    def wrong(block: GraphBlock) -> dict[str, np.ndarray]:
        return {} if shape is None else {"x": np.zeros(shape)}

    with pytest.raises(MolfoundError, match=rf"encoding '{re.escape(name)}': part 'x' {message}"):
        compute_encoding(name, block_of_smiles("CCO", "CC"), {})


@pytest.mark.parametrize("codes", ["node_codes", "bond_codes"])
def test_an_encoding_that_reads_codes_is_told(codes):
    name = f"reads_{codes}_in_test"

    @encoding(name, parts={"x": "node"})
    def coded(block: GraphBlock) -> dict[str, np.ndarray]:
        return {"x": np.full((block.node_count, 1), getattr(block, codes).sum(dtype=float))}

    block, _, _ = featurize_smiles(["CCO"], ["charge"], ["bond_type"])
    with pytest.raises(MolfoundError, match=f"encoding '{name}' reads {codes}: .* the structure of graphs alone"):
        compute_encoding(name, block, {})


def test_a_width_that_depends_on_the_graphs_is_refused():
    name = "width_in_test"

    @encoding(name, parts={"x": "node", "y": "node"})
    def one_hot(block: GraphStructure) -> dict[str, np.ndarray]:
        return {"y": np.zeros((block.node_count, 2)), "x": np.zeros((block.node_count, block.edge_count + 1))}

    assert part_widths(name, {}) == {f"{name}.x": 1, f"{name}.y": 2}
    compute_encoding(name, block_of_smiles("C", "N"), {})
    with pytest.raises(MolfoundError, match=rf"encoding part '{name}\.x' is 5 wide here and 1 wide for a lone atom"):
        compute_encoding(name, block_of_smiles("CCO"), {})


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [65504.0, -65504.0, 65520.0, -1e5, 1e305, np.inf])
def test_a_value_beyond_float16_is_refused(value):
    name = f"large_in_test_{value}"

    @encoding(name, parts={"x": "graph"})
    def large(block: GraphStructure) -> dict[str, np.ndarray]:
        return {"x": np.array([[np.nan, value]] * block.graph_count).reshape(-1, 2)}

    if abs(value) < 65505:
        assert compute_encoding(name, block_of_smiles("C"), {})[f"{name}.x"][0, 1] == value
    else:
        with pytest.raises(MolfoundError, match=re.escape(f"'{name}.x' has the value {value:g}: ")):
            compute_encoding(name, block_of_smiles("C"), {})


def test_options_reach_the_encoding_and_widths():
    block = block_of_smiles("CCO")
    assert part_widths("laplacian", {"pairs": 3}) == {"laplacian.magnitudes": 3, "laplacian.eigenvalues": 3}
    assert compute_encoding("random_walk", block, {"steps": 5})["random_walk.probabilities"].shape == (3, 5)
    assert part_levels("laplacian") == {"laplacian.magnitudes": "node", "laplacian.eigenvalues": "graph"}
    assert encodings["laplacian"].version >= 1


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("laplace", {}, "unknown encoding 'laplace'; did you mean 'laplacian'"),
        ("laplacian", {"pair": 3}, "has no option 'pair'; did you mean 'pairs'"),
        ("random_walk", {"steps": "many"}, "option 'steps'"),
    ],
)
def test_mistakes_are_named(name, options, message):
    for call in (lambda: compute_encoding(name, block_of_smiles("C"), options), lambda: part_widths(name, options)):
        with pytest.raises(MolfoundError, match=message):
            call()


def test_renumbered_molecule_object_gives_the_same_bits():
    from_smiles = Chem.MolFromSmiles(SMILES["penicillin"])
    order = np.random.default_rng(0).permutation(from_smiles.GetNumAtoms())
    renumbered = Chem.RenumberAtoms(from_smiles, order.tolist())
    text = Chem.MolToSmiles(renumbered, canonical=False)
    written = np.array(list(renumbered.GetPropsAsDict(True, True)["_smilesAtomOutputOrder"]))
    for name in NAMES:
        first = compute_encoding(name, block_of_smiles(SMILES["penicillin"]), {})
        second = compute_encoding(name, block_of_smiles(text), {})
        for part, level in part_levels(name).items():
            array = first[part][order[written]] if level == "node" else first[part]
            np.testing.assert_array_equal(bits(array), bits(second[part]))
