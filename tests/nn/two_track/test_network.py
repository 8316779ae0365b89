from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from molfound.nn.two_track import CoordinateHead, MoleculeTensors, TokenHead, Tracks, TwoTrackNetwork, initialize
from molfound.nn.two_track.extent import NormLength
from tests.nn.two_track.molecules import (
    GAUSSIANS,
    HEADS,
    PAIR_HIDDEN,
    PAIR_WIDTH,
    WIDTH,
    permuted,
    random_molecules,
    random_network,
    randomize,
    take,
)

EXACT = {"rtol": 0.0, "atol": 1e-12}
SIZES = [6, 4, 1]


@pytest.fixture
def molecules() -> MoleculeTensors:
    return random_molecules(SIZES)


@pytest.fixture
def head() -> CoordinateHead:
    head = CoordinateHead(WIDTH, HEADS, PAIR_WIDTH)
    randomize(head)
    return head


def predicted(network: TwoTrackNetwork, head: CoordinateHead, molecules: MoleculeTensors) -> tuple[Tracks, Tensor]:
    tracks = network(molecules)
    assert molecules.coordinates is not None
    return tracks, head(tracks.atoms, tracks.pairs, molecules.coordinates, molecules.mask)


def assert_same(one: Tracks, other: Tracks, mask: Tensor) -> None:
    pairs = mask[:, :, None] & mask[:, None, :]
    torch.testing.assert_close(one.molecules, other.molecules, **EXACT)
    torch.testing.assert_close(one.atoms[mask], other.atoms[mask], **EXACT)
    torch.testing.assert_close(one.pairs[pairs], other.pairs[pairs], **EXACT)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_molecule_yields_the_same_alone_and_in_a_batch(
    molecules: MoleculeTensors, head: CoordinateHead, dimensions: int
) -> None:
    network = random_network()
    together, places = predicted(network, head, molecules)
    if dimensions == 2:
        together = network(replace(molecules, coordinates=None))
    for number, size in enumerate(SIZES):
        alone = take(molecules, number)
        if dimensions == 3:
            torch.testing.assert_close(predicted(network, head, alone)[1][0], places[number, :size], **EXACT)
        tracks = network(alone if dimensions == 3 else replace(alone, coordinates=None))
        torch.testing.assert_close(tracks.molecules[0], together.molecules[number], **EXACT)
        torch.testing.assert_close(tracks.atoms[0], together.atoms[number, :size], **EXACT)
        torch.testing.assert_close(tracks.pairs[0], together.pairs[number, :size, :size], **EXACT)


@pytest.mark.parametrize(("norm_length", "depends"), [("real", False), ("padded", True)])
def test_only_the_padded_length_lets_padding_matter(
    molecules: MoleculeTensors, norm_length: NormLength, depends: bool
) -> None:
    network = random_network(norm_length=norm_length)
    together, alone = network(molecules), network(take(molecules, 1))
    assert (torch.allclose(together.molecules[1], alone.molecules[0], atol=1e-9)) != depends
    largest = network(take(molecules, 0))
    torch.testing.assert_close(together.molecules[0], largest.molecules[0], **EXACT)


def test_what_stands_in_the_padding_plays_no_part(molecules: MoleculeTensors) -> None:
    network, absent = random_network(), ~molecules.mask
    assert molecules.coordinates is not None
    other = replace(
        molecules,
        tokens=molecules.tokens.masked_fill(absent, 9),
        features=molecules.features.masked_fill(absent[..., None], 3),
        coordinates=molecules.coordinates.masked_fill(absent[..., None], float("nan")),
    )
    result = network(other)
    assert_same(result, network(molecules), molecules.mask)
    assert result.pairs.isfinite().all()


def orthogonal(determinant: float) -> Tensor:
    matrix = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5)))[0]
    matrix[:, 0] *= determinant * torch.linalg.det(matrix).sign()
    return matrix


@pytest.mark.parametrize(
    "motion",
    [
        lambda places: places @ orthogonal(1.0),
        lambda places: places @ orthogonal(-1.0),
        lambda places: places + torch.tensor([3.0, -2.0, 1.0], dtype=torch.float64),
    ],
    ids=["rotation", "reflection", "translation"],
)
def test_representations_are_invariant_and_coordinates_equivariant(
    molecules: MoleculeTensors, head: CoordinateHead, motion: Callable[[Tensor], Tensor]
) -> None:
    network, mask = random_network(), molecules.mask
    assert molecules.coordinates is not None
    tracks, places = predicted(network, head, molecules)
    moved_tracks, moved_places = predicted(network, head, replace(molecules, coordinates=motion(molecules.coordinates)))
    assert_same(moved_tracks, tracks, mask)
    torch.testing.assert_close(moved_places[mask], motion(places)[mask], **EXACT)
    assert not torch.allclose(places[mask], molecules.coordinates[mask], atol=0.01)


def test_other_distances_change_the_representations(molecules: MoleculeTensors) -> None:
    network = random_network()
    assert molecules.coordinates is not None
    larger = replace(molecules, coordinates=1.1 * molecules.coordinates)
    assert not torch.allclose(network(larger).molecules[0], network(molecules).molecules[0], atol=1e-6)


def test_permuted_atoms_give_permuted_representations(molecules: MoleculeTensors, head: CoordinateHead) -> None:
    network, order = random_network(), torch.tensor([3, 5, 0, 4, 1, 2])
    tracks, places = predicted(network, head, molecules)
    # The smaller molecules then have padding between their atoms too.
    permuted_tracks, permuted_places = predicted(network, head, permuted(molecules, order))
    expected = Tracks(tracks.molecules, tracks.atoms[:, order], tracks.pairs[:, order][:, :, order])
    assert_same(permuted_tracks, expected, molecules.mask[:, order])
    torch.testing.assert_close(permuted_places, places[:, order], **EXACT)


@pytest.mark.parametrize("pair_type", ["chirality", "element"])
def test_the_element_of_a_masked_atom_changes_nothing(molecules: MoleculeTensors, pair_type: str) -> None:
    network, where = random_network(pair_type=pair_type), torch.zeros_like(molecules.mask)
    where[:, 0] = True
    other = replace(molecules, tokens=molecules.tokens.masked_fill(where, 53))
    hidden, other_hidden = (network(one.with_hidden_elements(where)) for one in (molecules, other))
    for name in ("molecules", "atoms", "pairs"):
        assert torch.equal(getattr(hidden, name), getattr(other_hidden, name))
    assert not torch.allclose(network(molecules).atoms, network(other).atoms)


def test_gradients_are_finite_at_coincident_atoms_and_single_atoms(
    molecules: MoleculeTensors, head: CoordinateHead
) -> None:
    network = random_network()
    assert molecules.coordinates is not None
    coordinates = molecules.coordinates.clone()
    coordinates[0] = 1.0
    coordinates[1, 1] = coordinates[1, 0]
    coordinates.requires_grad_()
    tracks, places = predicted(network, head, replace(molecules, coordinates=coordinates))
    loss = tracks.molecules.square().sum() + tracks.pairs.square().sum() + places.square().sum()
    parameters = [*network.parameters(), *head.parameters()]
    for gradient in torch.autograd.grad(loss, [coordinates, *parameters]):
        assert gradient.isfinite().all()
    torch.testing.assert_close(places[2, 0], coordinates[2, 0], **EXACT)


def gradients(network: TwoTrackNetwork, molecules: MoleculeTensors) -> list[Tensor]:
    torch.manual_seed(7)
    tracks = network(molecules)
    loss = tracks.atoms.square().sum() + tracks.pairs.square().sum()
    return list(torch.autograd.grad(loss, list(network.parameters())))


def test_checkpointed_blocks_have_equal_gradients(molecules: MoleculeTensors) -> None:
    dropouts = {"dropout": 0.1, "attention_dropout": 0.1, "triangle_dropout": 0.25, "drop_path": 0.2}
    plain, checkpointed = (random_network(checkpoint_blocks=keep, **dropouts).train() for keep in (False, True))
    checkpointed.load_state_dict(plain.state_dict())
    for one, other in zip(gradients(plain, molecules), gradients(checkpointed, molecules), strict=True):
        assert torch.equal(one, other)


def test_drop_path_rises_evenly_with_depth() -> None:
    network = TwoTrackNetwork(3, WIDTH, HEADS, pair_width=PAIR_WIDTH, pair_hidden=PAIR_HIDDEN, drop_path=0.2)
    assert [block.dropped[1].share for block in network.blocks] == pytest.approx([0.0, 0.1, 0.2])


def test_bf16_autocast_is_near_float32_and_trains(molecules: MoleculeTensors) -> None:
    network = TwoTrackNetwork(2, WIDTH, HEADS, pair_width=PAIR_WIDTH, pair_hidden=PAIR_HIDDEN, init="unimol2")
    expected = network.eval()(molecules)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = network(molecules)
        result.pairs.float().square().sum().backward()
    similarity = torch.nn.functional.cosine_similarity(result.pairs.float(), expected.pairs, dim=-1)
    assert similarity[molecules.mask[:, :, None] & molecules.mask[:, None, :]].min() > 0.99
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())


def test_codes_may_be_integers_of_any_type(molecules: MoleculeTensors) -> None:
    network = random_network()
    small = replace(
        molecules,
        tokens=molecules.tokens.to(torch.uint8),
        degrees=molecules.degrees.to(torch.uint8),
        features=molecules.features.to(torch.uint8),
        shortest_paths=molecules.shortest_paths.to(torch.int16),
        bond_features=molecules.bond_features.to(torch.uint8),
    )
    assert_same(network(small), network(molecules), molecules.mask)


def test_unimol2_starts_all_weights_from_one_normal_distribution() -> None:
    network = TwoTrackNetwork(1, 64, 4, pair_width=64, pair_hidden=16, gaussians=GAUSSIANS, init="unimol2")
    assert 0.019 < network.blocks[0].attention.out.weight.std() < 0.021
    assert 0.017 < network.pairs.kernel.scales.weight.std() < 0.023
    assert torch.count_nonzero(network.blocks[0].attention.out.bias) == 0


def test_stable_starts_with_distances_as_they_are_and_no_updates(molecules: MoleculeTensors) -> None:
    network = TwoTrackNetwork(2, WIDTH, HEADS, pair_width=PAIR_WIDTH, pair_hidden=PAIR_HIDDEN, init="stable")
    network.double().eval()
    tracks = network(molecules)
    atoms, pairs = network.norm(network.atoms(molecules)), network.pair_norm(network.pairs(molecules))
    assert_same(tracks, Tracks(atoms[:, 0], atoms[:, 1:], pairs[:, 1:, 1:]), molecules.mask)
    kernel = network.pairs.kernel(torch.full((1, 2, 2), 4.5, dtype=torch.float64), torch.tensor([[0, 5]]))
    nearest = kernel.amax(-1) * kernel.new_tensor(network.pairs.kernel.deviation * (2 * torch.pi) ** 0.5)
    assert (nearest > 0.88).all()
    head = CoordinateHead(WIDTH, HEADS, PAIR_WIDTH).double()
    initialize(head, "stable")
    assert molecules.coordinates is not None
    places = head(tracks.atoms, tracks.pairs, molecules.coordinates, molecules.mask)
    assert torch.equal(places[molecules.mask], molecules.coordinates[molecules.mask])


def test_stable_reaches_every_parameter_after_one_step(molecules: MoleculeTensors) -> None:
    network = TwoTrackNetwork(1, WIDTH, HEADS, pair_width=PAIR_WIDTH, pair_hidden=PAIR_HIDDEN, init="stable").double()
    token_head, head = TokenHead(WIDTH).double(), CoordinateHead(WIDTH, HEADS, PAIR_WIDTH).double()
    initialize(token_head, "stable")
    initialize(head, "stable")
    parameters = [*network.parameters(), *token_head.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        tracks, places = predicted(network.eval(), head.eval(), molecules)
        (token_head(tracks.atoms).square().sum() + places[..., 0].sum()).backward()
        optimizer.step()
    assert all(parameter.grad is not None for parameter in parameters)


def test_a_molecule_without_coordinates_is_the_same_beside_others_that_have_some() -> None:
    network, molecules = random_network(), random_molecules([4, 3])
    assert molecules.coordinates is not None
    coordinates = molecules.coordinates.clone()
    coordinates[1] = torch.nan
    mixed = network(replace(molecules, coordinates=coordinates))
    without, whole = network(replace(molecules, coordinates=None)), network(molecules)
    for part in ("molecules", "atoms", "pairs"):
        torch.testing.assert_close(getattr(mixed, part)[0], getattr(whole, part)[0])
        torch.testing.assert_close(getattr(mixed, part)[1], getattr(without, part)[1])
