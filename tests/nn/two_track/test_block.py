import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molfound.nn.two_track.attention import PairBiasedAttention
from molfound.nn.two_track.block import TwoTrackBlock
from molfound.nn.two_track.dropout import DropPath, RowSharedDropout
from molfound.nn.two_track.extent import Extent
from molfound.nn.two_track.outer_product import OuterProduct, outer_product, plain_outer_product
from molfound.nn.two_track.triangle import TriangleUpdate
from tests.nn.two_track.molecules import HEADS, PAIR_HIDDEN, PAIR_WIDTH, WIDTH, randomize

EXACT = {"rtol": 0.0, "atol": 1e-12}
LENGTH = 4


@pytest.fixture
def block() -> TwoTrackBlock:
    block = TwoTrackBlock(WIDTH, HEADS, PAIR_WIDTH, PAIR_HIDDEN)
    randomize(block)
    return block


def tracks(batch: int = 1, length: int = LENGTH) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return (
        torch.randn(batch, length, WIDTH, dtype=torch.float64, generator=generator),
        torch.randn(batch, length, length, PAIR_WIDTH, dtype=torch.float64, generator=generator),
    )


def extent(sizes: list[int], length: int = LENGTH, norm_length: str = "real") -> Extent:
    return Extent.of(torch.arange(length) < torch.tensor(sizes)[:, None], norm_length, torch.float64)  # type: ignore[arg-type]


def attention_reference(part: PairBiasedAttention, atoms: Tensor, pairs: Tensor) -> Tensor:
    """Attention of one molecule without padding, head by head and atom by atom."""
    length, width = atoms.shape
    size = width // part.heads
    rows = []
    for i in range(length):
        gathered = []
        for h in range(part.heads):
            own = slice(h * size, (h + 1) * size)
            query = part.query(atoms[i])[own]
            logits = [
                query @ part.key(atoms[j])[own] / math.sqrt(size) + part.bias(pairs[i, j])[h] for j in range(length)
            ]
            weights = torch.stack(logits).exp()
            values = torch.stack([part.value(atoms[j])[own] for j in range(length)])
            gathered.append((weights / weights.sum()) @ values)
        rows.append(part.out(torch.cat(gathered)))
    return torch.stack(rows)


def outer_reference(part: OuterProduct, atoms: Tensor) -> Tensor:
    """The outer product of one molecule without padding, pair by pair."""
    length, hidden = len(atoms), part.projections.out_features // 2
    pairs = torch.empty(length, length, part.out.out_features, dtype=atoms.dtype)
    for i in range(length):
        for j in range(length):
            left, right = part.projections(atoms[i])[:hidden], part.projections(atoms[j])[hidden:]
            pairs[i, j] = part.out(torch.outer(left, right).flatten()) / (1e-3 + 1 / length)
    return pairs


def triangle_reference(part: TriangleUpdate, pairs: Tensor) -> Tensor:
    """The triangle update of one molecule without padding, triangle by triangle."""
    length, hidden = len(pairs), part.out.in_features
    gated = part.projections(pairs) * torch.sigmoid(part.gates(pairs)) / math.sqrt(length)
    first, second = gated[..., :hidden], gated[..., hidden:]
    update = torch.empty_like(pairs)
    for i in range(length):
        for j in range(length):
            outgoing = sum(first[i, k] * second[j, k] for k in range(length))
            incoming = sum(first[k, i] * second[k, j] for k in range(length))
            update[i, j] = part.out(part.norm(outgoing + incoming)) * part.out_gate(pairs[i, j])
    return update


def feed_forward_reference(part: nn.Module, values: Tensor) -> Tensor:
    hidden = part.hidden(values)  # type: ignore[operator]
    return part.out(hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2))))  # type: ignore[operator]


def test_a_block_is_its_five_updates_in_order(block: TwoTrackBlock) -> None:
    atoms, pairs = tracks()
    x, z = atoms[0], pairs[0]
    x = x + attention_reference(block.attention, block.attention_norm(x), z)
    x = x + feed_forward_reference(block.feed_forward, block.feed_forward_norm(x))
    z = z + outer_reference(block.outer, block.outer_norm(x))
    z = z + triangle_reference(block.triangle, block.triangle_norm(z))
    z = z + feed_forward_reference(block.pair_feed_forward, block.pair_feed_forward_norm(z))
    result_atoms, result_pairs = block(atoms, pairs, extent([LENGTH]))
    torch.testing.assert_close(result_atoms[0], x, **EXACT)
    torch.testing.assert_close(result_pairs[0], z, **EXACT)


@pytest.mark.parametrize("norm_length", ["real", "padded"])
def test_padding_matters_only_through_the_padded_length(block: TwoTrackBlock, norm_length: str) -> None:
    atoms, pairs = tracks()
    alone = block(atoms[:, :3], pairs[:, :3, :3], extent([3], 3))
    padded = block(atoms, pairs, extent([3], norm_length=norm_length))
    torch.testing.assert_close(padded[0][:, :3], alone[0], **EXACT)
    difference = (padded[1][:, :3, :3] - alone[1]).abs().max()
    assert difference < 1e-12 if norm_length == "real" else difference > 1e-2


def test_factored_and_plain_outer_product_are_the_sum_over_both_factors() -> None:
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(2, 5, 4, dtype=torch.float64, generator=generator) for _ in range(2))
    weight = torch.randn(7, 16, dtype=torch.float64, generator=generator)
    expected = torch.einsum("bic,bjd,pcd->bijp", left, right, weight.view(7, 4, 4))
    for function in (outer_product, plain_outer_product):
        torch.testing.assert_close(function(left, right, weight), expected, rtol=0, atol=1e-14)


def test_factored_and_plain_outer_product_have_the_same_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    values = [
        torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in ((2, 5, 4), (2, 5, 4), (7, 16))
    ]
    factored, plain = (
        torch.autograd.grad(function(*values).square().sum(), values)
        for function in (outer_product, plain_outer_product)
    )
    torch.testing.assert_close(factored, plain, rtol=1e-13, atol=1e-13)


def test_padded_pairs_get_no_outer_product(block: TwoTrackBlock) -> None:
    update = block.outer(tracks(2)[0], extent([2, 4]))
    assert torch.count_nonzero(update[0, 2:]) == torch.count_nonzero(update[0, :, 2:]) == 0


def test_a_molecule_of_nothing_but_padding_is_finite(block: TwoTrackBlock) -> None:
    for result in block(*tracks(2), extent([0, 4])):
        assert result.isfinite().all()


def test_attention_weights_are_dropped_in_training_only() -> None:
    attention = PairBiasedAttention(WIDTH, HEADS, PAIR_WIDTH, dropout=0.5)
    randomize(attention)
    inputs = (*tracks(), extent([LENGTH]))
    assert torch.equal(attention(*inputs), attention(*inputs))
    attention.train()
    assert not torch.equal(attention(*inputs), attention(*inputs))


def test_row_shared_dropout_drops_the_same_entries_in_all_rows() -> None:
    values = torch.ones(2, 6, 5, 40)
    dropped = RowSharedDropout(0.25)(values)
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert torch.equal(dropped.unique(), torch.tensor([0.0, 4 / 3]))
    assert 0.15 < (dropped[:, 0] == 0).float().mean() < 0.35
    assert torch.equal(RowSharedDropout(0.25).eval()(values), values)


def test_drop_path_leaves_out_whole_molecules() -> None:
    dropped = DropPath(0.5)(torch.ones(200, 3, 2))
    kept = dropped.flatten(1).amax(1)
    assert torch.equal(dropped, kept[:, None, None].expand_as(dropped))
    assert torch.equal(kept.unique(), torch.tensor([0.0, 2.0]))
    assert torch.equal(DropPath(0.5).eval()(torch.ones(2, 3)), torch.ones(2, 3))


def test_a_block_drops_in_training_only() -> None:
    block = TwoTrackBlock(
        WIDTH, HEADS, PAIR_WIDTH, PAIR_HIDDEN, dropout=0.1, attention_dropout=0.1, triangle_dropout=0.25, drop_path=0.1
    )
    randomize(block)
    plain = TwoTrackBlock(WIDTH, HEADS, PAIR_WIDTH, PAIR_HIDDEN).double()
    plain.load_state_dict(block.state_dict())
    inputs = (*tracks(), extent([LENGTH]))
    torch.testing.assert_close(block(*inputs), plain(*inputs))
    block.train()
    assert not torch.allclose(block(*inputs)[1], block(*inputs)[1])


def test_bias_is_read_in_the_type_of_the_query() -> None:
    attention = PairBiasedAttention(WIDTH, HEADS, PAIR_WIDTH)
    atoms, pairs = (values.float() for values in tracks())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = attention(atoms, pairs, extent([LENGTH]))
    expected = attention(atoms, pairs, extent([LENGTH]))
    assert result.dtype == torch.bfloat16
    assert F.cosine_similarity(result.float().flatten(), expected.flatten(), dim=0) > 0.999
