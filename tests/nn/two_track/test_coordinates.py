import math

import pytest
import torch
from torch import Tensor

from molfound.nn.two_track import CoordinateHead, TokenHead, align, distances
from tests.nn.two_track.molecules import HEADS, PAIR_WIDTH, WIDTH, randomize

SIZES = [5, 3, 1]
MASK = torch.arange(5) < torch.tensor(SIZES)[:, None]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def rmsd(coordinates: Tensor, target: Tensor) -> Tensor:
    """Return the RMSD of each molecule of the batch."""
    squared = (coordinates - target).square().sum(2) * MASK
    return (squared.sum(1) / MASK.sum(1)).sqrt()


@pytest.fixture
def head() -> CoordinateHead:
    head = CoordinateHead(WIDTH, HEADS, PAIR_WIDTH)
    randomize(head)
    return head


def test_the_head_moves_atoms_by_the_dense_formula(head: CoordinateHead) -> None:
    atoms, pairs, places = normal(3, 5, WIDTH), normal(3, 5, 5, PAIR_WIDTH, seed=1), normal(3, 5, 3, seed=2)
    result = head(atoms, pairs, places, MASK)
    size = WIDTH // HEADS
    for b, count in enumerate(SIZES):
        x, bias = head.norm(atoms[b, :count]), head.bias(head.pair_norm(pairs[b, :count, :count]))
        query, key, value = (part(x).view(count, HEADS, size) for part in (head.query, head.key, head.value))
        logits = torch.einsum("ihd,jhd->hij", query, key) / math.sqrt(size) + bias.permute(2, 0, 1)
        forces = torch.einsum("jhd,hd->hj", value, head.out.weight.view(HEADS, size))
        directions = places[b, None, :count] - places[b, :count, None]
        moves = torch.einsum("hij,hj,ijx->ix", logits.softmax(-1), forces, directions)
        torch.testing.assert_close(result[b, :count], places[b, :count] + moves, rtol=0, atol=1e-13)
        assert torch.count_nonzero(result[b, count:]) == 0


def test_the_head_keeps_float32_under_autocast() -> None:
    head = CoordinateHead(WIDTH, HEADS, PAIR_WIDTH).eval()
    inputs = [normal(3, 5, WIDTH), normal(3, 5, 5, PAIR_WIDTH), normal(3, 5, 3)]
    inputs = [values.float() for values in inputs]
    expected = head(*inputs, MASK)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(head(*inputs, MASK), expected)


def test_the_head_drops_attention_in_training_only() -> None:
    head = CoordinateHead(WIDTH, HEADS, PAIR_WIDTH, dropout=0.5)
    randomize(head)
    inputs = (normal(3, 5, WIDTH), normal(3, 5, 5, PAIR_WIDTH), normal(3, 5, 3), MASK)
    assert torch.equal(head(*inputs), head(*inputs))
    head.train()
    assert not torch.equal(head(*inputs), head(*inputs))


def test_the_token_head_is_norm_hidden_layer_and_logits() -> None:
    head = TokenHead(WIDTH)
    randomize(head)
    atoms = normal(4, WIDTH)
    centred = atoms - atoms.mean(1, keepdim=True)
    normed = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt() * head.norm.weight + head.norm.bias
    hidden = normed @ head.hidden.weight.T + head.hidden.bias
    active = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
    torch.testing.assert_close(head(atoms), active @ head.logits.weight.T + head.logits.bias)


def test_distances_are_those_of_norms_and_have_gradient_zero_at_coincident_atoms() -> None:
    places = normal(2, 4, 3)
    places[:, 1] = places[:, 0]
    places.requires_grad_()
    result = distances(places)
    torch.testing.assert_close(result.detach(), torch.cdist(places, places).detach(), rtol=0, atol=1e-7)
    (gradient,) = torch.autograd.grad(result[:, 0, 1].sum(), places, retain_graph=True)
    assert torch.count_nonzero(gradient) == 0
    (gradient,) = torch.autograd.grad(result.sum(), places)
    assert gradient.isfinite().all()


def test_distances_have_the_gradients_of_finite_differences() -> None:
    triangle = torch.triu_indices(4, 4, 1)
    assert torch.autograd.gradcheck(lambda places: distances(places)[:, *triangle], normal(2, 4, 3).requires_grad_())


def rotation(seed: int, determinant: float = 1.0) -> Tensor:
    matrix = torch.linalg.qr(normal(3, 3, seed=seed))[0]
    matrix[:, 0] *= determinant * torch.linalg.det(matrix).sign()
    return matrix


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(20))
def test_alignment_never_raises_the_rmsd_and_leaves_the_target(seed: int, dtype: torch.dtype) -> None:
    target = normal(3, 5, 3, seed=seed).to(dtype)
    before = target.clone()
    # From far apart to equal but for rounding.
    moved = target + 10.0 ** -(seed % 10) * normal(3, 5, 3, seed=seed + 100).to(dtype)
    for coordinates in (moved, target):
        aligned = align(coordinates, target, MASK)
        assert (rmsd(aligned, target) <= rmsd(coordinates, target)).all()
    assert torch.equal(target, before)
    assert torch.equal(align(target, target, MASK)[MASK], target[MASK])


def test_alignment_undoes_a_rigid_motion() -> None:
    target = normal(3, 5, 3)
    moved = target @ rotation(1) + 7.0
    torch.testing.assert_close(align(moved, target, MASK), target * MASK[..., None], rtol=0, atol=1e-13)


def test_alignment_finds_the_best_of_many_rotations_also_of_a_mirror_image() -> None:
    target = normal(3, 5, 3)
    mirrored = target @ rotation(1, determinant=-1.0)
    aligned = align(mirrored, target, MASK)
    torch.testing.assert_close(
        distances(aligned) * MASK[:, None, :], distances(mirrored * MASK[..., None]) * MASK[:, None, :]
    )
    assert rmsd(aligned, target)[0] > 0.1
    centre, goal = (
        (values * MASK[..., None]).sum(1, keepdim=True) / MASK.sum(1)[:, None, None] for values in (mirrored, target)
    )
    for seed in range(200):
        assert (rmsd(aligned, target) <= rmsd((mirrored - centre) @ rotation(seed) + goal, target) + 1e-14).all()


def degenerate() -> Tensor:
    """Return coincident atoms, atoms on a line, and a single atom."""
    places = torch.zeros(3, 5, 3, dtype=torch.float64)
    places[1, :, 0] = torch.arange(5)
    return places + 1.0


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_alignment_of_degenerate_conformations_is_finite_with_its_gradient(noise: float) -> None:
    target = degenerate()
    coordinates = (target + noise * normal(3, 5, 3)).requires_grad_()
    aligned = align(coordinates, target, MASK)
    (gradient,) = torch.autograd.grad((aligned - target).abs()[MASK].sum(), coordinates)
    assert aligned.isfinite().all()
    assert gradient.isfinite().all()
    assert (rmsd(aligned, target) <= rmsd(coordinates, target)).all()


def test_the_gradient_through_alignment_is_that_of_the_least_rmsd() -> None:
    target, noise = normal(3, 5, 3), normal(3, 5, 3, seed=1)
    coordinates = (target + 0.3 * noise).requires_grad_()

    def squared(places: Tensor) -> Tensor:
        return (align(places, target, MASK) - target)[MASK].square().sum()

    (gradient,) = torch.autograd.grad(squared(coordinates), coordinates)
    assert torch.autograd.gradcheck(squared, coordinates)
    assert gradient.abs().max() > 0.1


def test_alignment_ignores_what_stands_in_the_padding() -> None:
    target, coordinates = normal(3, 5, 3), normal(3, 5, 3, seed=1)
    absent = ~MASK[..., None]
    expected = align(coordinates, target, MASK)
    nan = float("nan")
    result = align(coordinates.masked_fill(absent, nan), target.masked_fill(absent, nan), MASK)
    assert torch.equal(result, expected)
