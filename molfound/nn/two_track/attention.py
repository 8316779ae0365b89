"""Multi-head attention among atoms, biased by their pairs."""

from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from molfound.errors import MolfoundError
from molfound.nn.two_track.extent import Extent

# cuDNN's kernel has given NaN gradients with a float mask on Hopper GPUs.
_CUDA_BACKENDS = [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


class PairBiasedAttention(nn.Module):
    """Multi-head self-attention whose logits have a linear map of the pair track added (arXiv 2406.14969).

    Args:
        width: width of the atom track.
        heads: number of heads, which share the width evenly.
        pair_width: width of the pair track.
        dropout: share of the attention weights left out in training.

    Raises:
        MolfoundError: the heads cannot share the width evenly.
    """

    def __init__(self, width: int, heads: int, pair_width: int, dropout: float = 0.0) -> None:
        super().__init__()
        check_heads(width, heads)
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.bias = nn.Linear(pair_width, heads)
        self.out = nn.Linear(width, width)

    def forward(self, atoms: Tensor, pairs: Tensor, extent: Extent) -> Tensor:
        """Return what each atom gathers, ``[B, L, D]``, from atoms ``[B, L, D]`` and pairs ``[B, L, L, P]``."""
        query, key, value = (split_heads(part(atoms), self.heads) for part in (self.query, self.key, self.value))
        bias = masked_bias(self.bias(pairs), extent.atoms)
        gathered = attend(query, key, value, bias, self.dropout if self.training else 0.0)
        result: Tensor = self.out(gathered.transpose(1, 2).flatten(2))
        return result


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, dropout: float = 0.0) -> Tensor:
    """Return softmax(query key^T / sqrt(d) + bias) value, by a fused kernel where there is one.

    Args:
        query: ``[B, H, L, d]``; `key` and `value` likewise.
        key: of the atoms attended to.
        value: of the atoms attended to.
        bias: ``[B, H, L, L]``, by atom that attends and atom attended to.
        dropout: share of the attention weights left out.

    Returns:
        ``[B, H, L, d]``.
    """
    with sdpa_kernel(_CUDA_BACKENDS) if query.is_cuda else nullcontext():
        # A mask of another type than the query is misread by some kernels.
        return F.scaled_dot_product_attention(query, key, value, bias.to(query.dtype), dropout)


def masked_bias(bias: Tensor, atoms: Tensor) -> Tensor:
    """Return attention biases by head, with no attention to padding: ``[B, L, L, H]`` to ``[B, H, L, L]``.

    Args:
        bias: ``[B, L, L, H]``.
        atoms: bool ``[B, L]``, true where there is an atom.
    """
    # The lowest finite number instead of -inf: a molecule without any atom gives finite numbers too.
    hidden = torch.finfo(bias.dtype).min
    return bias.permute(0, 3, 1, 2).contiguous().masked_fill(~atoms[:, None, None, :], hidden)


def split_heads(values: Tensor, heads: int) -> Tensor:
    """Return ``[B, L, D]`` as ``[B, heads, L, D / heads]``."""
    return values.reshape(*values.shape[:-1], heads, values.shape[-1] // heads).transpose(1, 2)


def check_heads(width: int, heads: int) -> None:
    """Raise MolfoundError unless the heads can share the width evenly."""
    if width % heads:
        raise MolfoundError(f"{heads} attention heads cannot share a width of {width} evenly")
