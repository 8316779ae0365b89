import math
from dataclasses import replace

import pytest
import torch

from molfound.nn.two_track import DROPPED, MASK_TOKEN, PAD_TOKEN, UNREACHABLE
from molfound.nn.two_track.atoms import AtomTrack
from molfound.nn.two_track.pairs import GaussianKernel, PairTrack, PairType
from tests.nn.two_track.molecules import GAUSSIANS, PAIR_WIDTH, WIDTH, random_molecules, randomize

EXACT = {"rtol": 0.0, "atol": 1e-13}


@pytest.fixture
def pairs() -> PairTrack:
    pairs = PairTrack(PAIR_WIDTH, GAUSSIANS)
    randomize(pairs)
    return pairs


def test_an_atom_is_the_sum_of_its_embeddings() -> None:
    track, molecules = AtomTrack(WIDTH), random_molecules([3, 2])
    randomize(track)
    atoms = track(molecules)
    for b in range(2):
        torch.testing.assert_close(atoms[b, 0], track.virtual.weight[0], **EXACT)
        for i in range(3):
            expected = track.tokens.weight[molecules.tokens[b, i]] + track.degrees.weight[molecules.degrees[b, i]]
            for k in range(8):
                expected = expected + track.features.weight[molecules.features[b, i, k]]
            torch.testing.assert_close(atoms[b, 1 + i], expected, **EXACT)


def test_a_pair_is_the_sum_of_its_path_its_mean_bond_feature_and_its_distance(pairs: PairTrack) -> None:
    molecules = random_molecules([3, 3])
    assert molecules.coordinates is not None
    result = pairs(molecules)
    for b in range(2):
        for i in range(3):
            for j in range(3):
                bond = sum(pairs.bonds.weight[molecules.bond_features[b, i, j, k]] for k in range(3)) / 3
                expected = pairs.paths.weight[molecules.shortest_paths[b, i, j]] + bond
                distance = (molecules.coordinates[b, i] - molecules.coordinates[b, j]).norm()
                kernel = kernel_reference(pairs.kernel, distance, *molecules.features[b, [i, j], 0])
                hidden = torch.nn.functional.gelu(pairs.kernel_hidden(kernel))
                torch.testing.assert_close(result[b, 1 + i, 1 + j], expected + pairs.kernel_out(hidden), **EXACT)
    virtual = pairs.virtual.weight.expand(2, 4, -1)
    torch.testing.assert_close(result[:, 0], virtual, **EXACT)
    torch.testing.assert_close(result[:, :, 0], virtual, **EXACT)


def kernel_reference(
    kernel: GaussianKernel, distance: torch.Tensor, first: torch.Tensor, second: torch.Tensor
) -> torch.Tensor:
    scale = kernel.scales.weight[first].abs() + kernel.scales.weight[second].abs()
    mapped = scale * distance + kernel.shifts.weight[first] + kernel.shifts.weight[second]
    width = 9 / (len(kernel.means) - 1)
    return torch.distributions.Normal(kernel.means, width).log_prob(mapped).exp()


def test_a_kernel_entry_is_a_density_over_all_distances() -> None:
    kernel = GaussianKernel(16).double()
    torch.nn.init.constant_(kernel.scales.weight, 0.5)
    torch.nn.init.zeros_(kernel.shifts.weight)
    grid = torch.linspace(-20, 40, 6001, dtype=torch.float64)
    densities = kernel(grid.view(-1, 1, 1), torch.zeros(len(grid), 1, dtype=torch.long))[:, 0, 0]
    torch.testing.assert_close(torch.trapezoid(densities, grid, dim=0), torch.ones(16, dtype=torch.float64))
    assert math.isclose(kernel.deviation, 9 / 15)


@pytest.mark.parametrize(("pair_type", "reads_elements"), [("chirality", False), ("element", True)])
def test_pair_type_says_what_the_kernel_reads(pair_type: PairType, reads_elements: bool) -> None:
    track, molecules = PairTrack(PAIR_WIDTH, GAUSSIANS, pair_type), random_molecules([3])
    randomize(track)
    other_elements = replace(molecules, tokens=molecules.tokens + 20)
    other_features = replace(molecules, features=15 - molecules.features)
    assert torch.equal(track(molecules), track(other_elements)) != reads_elements
    assert torch.equal(track(molecules), track(other_features)) == reads_elements


def test_without_coordinates_a_pair_is_its_path_and_its_bond(pairs: PairTrack) -> None:
    molecules = replace(random_molecules([3]), coordinates=None)
    result = pairs(molecules)
    expected = pairs.paths(molecules.shortest_paths) + pairs.bonds.weight[molecules.bond_features].mean(-2)
    torch.testing.assert_close(result[:, 1:, 1:], expected, **EXACT)


def test_unreachable_dropped_and_every_possible_path_are_different_codes() -> None:
    assert len({UNREACHABLE, DROPPED, *range(256)}) == 258
    assert max(UNREACHABLE, DROPPED) < 512


def test_hiding_elements_leaves_all_else() -> None:
    molecules = random_molecules([3, 2])
    where = torch.tensor([[True, False, False], [False, True, False]])
    hidden = molecules.with_hidden_elements(where)
    assert torch.equal(hidden.tokens == MASK_TOKEN, where)
    assert torch.equal(hidden.tokens[~where], molecules.tokens[~where])
    assert torch.equal(molecules.tokens == PAD_TOKEN, ~molecules.mask)
    assert hidden.features is molecules.features
