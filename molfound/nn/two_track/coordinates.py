"""The head that moves atoms."""

import torch
from torch import Tensor, nn

from molfound.nn.blocks import Dropout
from molfound.nn.two_track.attention import check_heads, masked_bias, split_heads
from molfound.nn.two_track.precision import widened, without_autocast


class CoordinateHead(nn.Module):
    """Moves each atom along the directions to the others, by attention weights (arXiv 2406.14969).

    Atom i moves by ``sum_j w_ij (r_j - r_i)`` with ``w_ij = sum_h a_hij (v_hj . u_h)``: a the attention weights, v the
    values and u a learned vector per head. Rotating, reflecting or moving a molecule does so to the result. It is
    computed at least in float32, also under autocast.

    Args:
        width: width of the atom track.
        heads: number of attention heads.
        pair_width: width of the pair track.
        dropout: share of the attention weights left out in training.

    Raises:
        MolfoundError: the heads cannot share the width evenly.
    """

    def __init__(self, width: int, heads: int, pair_width: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        check_heads(width, heads)
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.pair_norm = nn.LayerNorm(pair_width)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.bias = nn.Linear(pair_width, heads)
        self.out = nn.Linear(width, 1, bias=False)
        self.dropout = Dropout(dropout)

    def forward(self, atoms: Tensor, pairs: Tensor, coordinates: Tensor, mask: Tensor) -> Tensor:
        """Return the coordinates the head predicts, ``[B, L, 3]`` in Å.

        Args:
            atoms: ``[B, L, D]``, without the virtual atom.
            pairs: ``[B, L, L, P]``, without the virtual atom.
            coordinates: ``[B, L, 3]`` in Å.
            mask: bool ``[B, L]``, true where there is an atom; coordinates elsewhere become 0.
        """
        with without_autocast(atoms):
            weights = self._weights(self.norm(widened(atoms)), self.pair_norm(widened(pairs)), mask)
            places = coordinates.to(weights.dtype).masked_fill(~mask[..., None], 0.0)
            # Seen from the molecule's own centre, its place in space takes no digits from the differences.
            centre = places.sum(1, keepdim=True) / mask.sum(1).clamp(min=1)[:, None, None]
            seen = places - centre
            moves = weights @ seen - weights.sum(2, keepdim=True) * seen
            return (places + moves).masked_fill(~mask[..., None], 0.0)

    def _weights(self, atoms: Tensor, pairs: Tensor, mask: Tensor) -> Tensor:
        """Return ``w_ij``, ``[B, L, L]``."""
        query, key = (split_heads(part(atoms), self.heads) for part in (self.query, self.key))
        logits = query @ key.mT * query.shape[-1] ** -0.5 + masked_bias(self.bias(pairs), mask)
        attention = self.dropout(logits.softmax(-1))
        # The values are read through u_h alone, so that the two maps are one of width 1 per head.
        value = self.value.weight.view(self.heads, -1, atoms.shape[-1])
        forces = torch.einsum("hd,hdw->hw", self.out.weight.view(self.heads, -1), value)
        return torch.einsum("bhij,bjh->bij", attention, atoms @ forces.T)
