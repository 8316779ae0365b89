"""The parts of the two-track transformer as their formulas say, with the weights of the parts they stand for."""

from copy import deepcopy
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molfound.nn.two_track.attention import PairBiasedAttention, masked_bias, split_heads
from molfound.nn.two_track.coordinates import CoordinateHead
from molfound.nn.two_track.extent import Extent
from molfound.nn.two_track.outer_product import OuterProduct, plain_outer_product

Module = TypeVar("Module", bound=nn.Module)


class PlainAttention(nn.Module):
    """Attention by its weights, ``[B, H, L, L]``, and their softmax."""

    def __init__(self, of: PairBiasedAttention) -> None:
        super().__init__()
        self.of = of

    def forward(self, atoms: Tensor, pairs: Tensor, extent: Extent) -> Tensor:
        """Return what each atom gathers, ``[B, L, D]``."""
        of = self.of
        query, key, value = (split_heads(part(atoms), of.heads) for part in (of.query, of.key, of.value))
        logits = query @ key.mT * query.shape[-1] ** -0.5 + masked_bias(of.bias(pairs), extent.atoms)
        weights = F.dropout(logits.softmax(-1), of.dropout, self.training)
        result: Tensor = of.out((weights @ value).transpose(1, 2).flatten(2))
        return result


class PlainOuterProduct(nn.Module):
    """The outer products of all pairs, ``[B, L, L, h * h]``, and a linear map of them."""

    def __init__(self, of: OuterProduct) -> None:
        super().__init__()
        self.of = of

    def forward(self, atoms: Tensor, extent: Extent) -> Tensor:
        """Return the update of the pairs, ``[B, L, L, P]``."""
        left, right = (self.of.projections(atoms) * extent.atoms[..., None]).chunk(2, dim=-1)
        product: Tensor = plain_outer_product(left, right, self.of.out.weight) + self.of.out.bias
        return product * (extent.pairs / (1e-3 + 1 / extent.length))


class PlainCoordinateHead(nn.Module):
    """The move of each atom by the directions to the others, weighted by head: ``[B, H, L, L, 3]``."""

    def __init__(self, of: CoordinateHead) -> None:
        super().__init__()
        self.of = of

    def forward(self, atoms: Tensor, pairs: Tensor, coordinates: Tensor, mask: Tensor) -> Tensor:
        """Return the coordinates the head predicts, ``[B, L, 3]`` in Å."""
        of, atoms = self.of, self.of.norm(atoms)
        query, key, value = (split_heads(part(atoms), of.heads) for part in (of.query, of.key, of.value))
        logits = query @ key.mT * query.shape[-1] ** -0.5 + masked_bias(of.bias(of.pair_norm(pairs)), mask)
        attention = of.dropout(logits.softmax(-1))
        places = coordinates.masked_fill(~mask[..., None], 0.0)
        directions = places[:, None, :] - places[:, :, None]
        weighted = attention[..., None] * directions[:, None]
        moves: Tensor = of.out(torch.einsum("bhijx,bhjd->bixhd", weighted, value).flatten(3))[..., 0]
        return (places + moves).masked_fill(~mask[..., None], 0.0)


def plain_form(module: Module) -> Module:
    """Return a copy, of the same weights in the same order, that computes by the formulas."""
    copied = deepcopy(module)
    for part in list(copied.modules()):
        for name, child in part.named_children():
            plain = _plain(child)
            if plain is not None:
                setattr(part, name, plain)
    return copied


def _plain(part: nn.Module) -> nn.Module | None:
    """Return the plain form of a part, or None where it has no other."""
    match part:
        case PairBiasedAttention():
            return PlainAttention(part)
        case OuterProduct():
            return PlainOuterProduct(part)
        case CoordinateHead():
            return PlainCoordinateHead(part)
    return None
