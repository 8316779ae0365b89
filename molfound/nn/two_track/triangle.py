"""The triangle update: each pair from the two other sides of all triangles it is a side of."""

from torch import Tensor, nn

from molfound.nn.two_track.extent import Extent


class TriangleUpdate(nn.Module):
    """The triangle update with outgoing and incoming edges in one (arXiv 2406.14969; after Jumper et al., 2021).

    With a and b gated projections of the pairs, divided by the root of the molecule's length (see `Extent`), pair ij
    becomes ``linear(norm(sum_k a_ik b_jk + a_ki b_kj))``, times a linear gate that has no sigmoid.

    Args:
        pair_width: width of the pair track.
        hidden: width of a and of b.
    """

    def __init__(self, pair_width: int, hidden: int) -> None:
        super().__init__()
        self.projections = nn.Linear(pair_width, 2 * hidden)
        self.gates = nn.Linear(pair_width, 2 * hidden)
        self.norm = nn.LayerNorm(hidden)
        self.out = nn.Linear(hidden, pair_width)
        self.out_gate = nn.Linear(pair_width, pair_width)

    def forward(self, pairs: Tensor, extent: Extent) -> Tensor:
        """Return the update of the pairs, ``[B, L, L, P]``, from the pairs."""
        sides = self.projections(pairs) * self.gates(pairs).sigmoid()
        sides = sides * (extent.pairs * extent.length.rsqrt()).to(sides.dtype)
        first, second = sides.permute(0, 3, 1, 2).chunk(2, dim=1)
        sums = first @ second.mT + first.mT @ second
        result: Tensor = self.out(self.norm(sums.permute(0, 2, 3, 1))) * self.out_gate(pairs)
        return result
