from collections import Counter

import pytest
import torch
from torch import nn

from molfound.errors import MolfoundError
from molfound.nn.two_track import SIZES, CoordinateHead, TokenHead, TwoTrackNetwork

TOTALS = {
    "42M": 43_788_112,
    "84M": 84_116_080,
    "164M": 164_772_016,
    "310M": 310_082_880,
    "570M": 570_233_696,
    "1.1B": 1_129_209_696,
}
PER_BLOCK = {768: 6_721_328, 1024: 9_517_120, 1536: 17_468_000}


def pretraining_modules(name: str) -> nn.ModuleList:
    size = SIZES[name]
    with torch.device("meta"):
        return nn.ModuleList(
            (
                TwoTrackNetwork(size.depth, size.width, size.heads),
                TokenHead(size.width),
                CoordinateHead(size.width, size.heads, 512),
            )
        )


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", TOTALS)
def test_parameters_are_those_published(name: str) -> None:
    modules = pretraining_modules(name)
    assert parameters(modules) == TOTALS[name]
    assert parameters(modules[0].blocks[0]) == PER_BLOCK[SIZES[name].width]


def test_the_shapes_of_84m_are_those_of_the_public_layout() -> None:
    width, heads = 768, 48
    linear = lambda rows, columns: [(rows, columns), (rows,)]  # noqa: E731
    norm = lambda size: [(size,), (size,)]  # noqa: E731
    outside = [
        (128, width),  # embed_tokens
        *[(512, width), (128, width), (1, width)],  # atom_feature: atom, degree and vnode encoder
        *[(64, 512), (512, 512), (1, 512)],  # edge_feature: edge and shortest path encoder, virtual distance
        *[(128,), (512, 1), (512, 1)],  # gaussian: mean, mul, bias
        *linear(128, 128),  # out_proj
        *linear(512, 128),
        *norm(width),  # encoder
        *norm(512),
        *linear(128, width),  # lm_head
        *linear(width, width),
        *norm(width),
        *norm(width),  # movement_pred_head
        *norm(512),
        *[(width, width)] * 3,
        (1, width),
        *linear(heads, 512),
    ]
    layer = [
        *[(width, width)] * 3,  # self_attn
        *linear(width, width),
        *linear(heads, 512),
        *norm(width),
        *linear(width, width) * 2,  # ffn
        *norm(width),
        *norm(width),  # opm
        *linear(128, width),
        *linear(512, 4096),
        *norm(512),  # pair_tri_mul
        *linear(128, 512) * 2,
        *linear(512, 512),
        *linear(512, 64),
        *norm(64),
        *norm(512),  # pair_ffn
        *linear(512, 512) * 2,
    ]
    shapes = Counter(tuple(values.shape) for values in pretraining_modules("84M").state_dict().values())
    assert shapes == Counter(outside + 12 * layer)


@pytest.mark.parametrize("module", [lambda: TwoTrackNetwork(1, 10, 3), lambda: CoordinateHead(10, 3, 8)])
def test_heads_must_share_the_width(module) -> None:  # type: ignore[no-untyped-def]
    with torch.device("meta"), pytest.raises(MolfoundError, match="3 attention heads cannot share a width of 10"):
        module()
