"""What a batch loses before the encoder reads it, so that objectives can ask for it back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from molfound.config.schema import CorruptionConfig
from molfound.data.batch import GraphBatch
from molfound.data.keyed_random import Words, mixed, normal, streams, uniform
from molfound.nn.encoder_inputs import FeatureVocabulary
from molfound.nn.padding import Padding
from molfound.nn.two_track import align


@dataclass(frozen=True)
class CorruptedBatch:
    """A batch and what is left of it.

    Attributes:
        batch: what the encoder reads.
        original: the batch before.
        atoms: bool ``[N]``, whose element is hidden.
        bonds: bool ``[B]``, whose features are hidden.
    """

    batch: GraphBatch
    original: GraphBatch
    atoms: Tensor
    bonds: Tensor

    @property
    def num_graphs(self) -> int:
        """Number of molecules."""
        return self.original.num_graphs

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """Return it on another device."""
        return replace(
            self,
            batch=self.batch.to(device, non_blocking),
            original=self.original.to(device, non_blocking),
            atoms=self.atoms.to(device, non_blocking=non_blocking),
            bonds=self.bonds.to(device, non_blocking=non_blocking),
        )

    def pin_memory(self) -> Self:
        """Return it in page-locked memory, for an asynchronous copy to a GPU."""
        return replace(
            self,
            batch=self.batch.pin_memory(),
            original=self.original.pin_memory(),
            atoms=self.atoms.pin_memory(),
            bonds=self.bonds.pin_memory(),
        )


def corrupt(
    batch: GraphBatch,
    config: CorruptionConfig,
    atoms: Sequence[FeatureVocabulary],
    bonds: Sequence[FeatureVocabulary],
    keys: Words,
) -> CorruptedBatch:
    """Return a batch without what the configuration takes; what is hidden has the code of "other".

    What a molecule loses depends on its key and on nothing else of the batch. Noisy coordinates are turned and moved
    onto the true ones (Kabsch), so that what is to be restored is the shape and not the place.

    Args:
        batch: on the CPU.
        config: what is taken.
        atoms: the batch's atom features.
        bonds: the batch's bond features.
        keys: uint64 ``[G]``, of the random numbers of each molecule.
    """
    hidden_atoms = _chosen(keys, "atoms", batch.node_ptr, config.atoms)
    hidden_bonds = _chosen(keys, "bonds", batch.bond_ptr, config.bonds)
    hidden_graphs = _chosen(keys, "graphs", torch.arange(len(keys) + 1), config.graphs) & batch.with_coordinates
    tells = torch.tensor([feature.name in config.element_features for feature in atoms])
    others, bond_others = (
        torch.tensor([f.size - 1 for f in features], dtype=torch.uint8) for features in (atoms, bonds)
    )
    corrupted = replace(
        batch,
        node_codes=torch.where(hidden_atoms[:, None] & tells, others, batch.node_codes),
        bond_codes=torch.where(hidden_bonds[:, None], bond_others, batch.bond_codes),
        hidden_graphs=hidden_graphs if config.graphs else None,
        coordinates=_with_noise(batch, config, keys),
        labels={},
        weights={},
    )
    return CorruptedBatch(corrupted, batch, hidden_atoms, hidden_bonds)


def _chosen(keys: Words, purpose: str, ptr: Tensor, share: float) -> Tensor:
    """Return which of the items that `ptr` gives to each molecule are taken, bool."""
    return torch.from_numpy(uniform(_words(keys, purpose, ptr.diff())) < share)


def _words(keys: Words, purpose: str, counts: Tensor) -> Words:
    """Return so many random words of each molecule, others for every purpose."""
    return streams(mixed(keys + np.uint64(crc32(purpose.encode()))), counts.numpy())


def _with_noise(batch: GraphBatch, config: CorruptionConfig, keys: Words) -> Tensor | None:
    if batch.coordinates is None or config.coordinates is None:
        return batch.coordinates
    words = _words(keys, "places", 3 * batch.node_ptr.diff())
    if config.coordinates.kind == "normal":
        numbers = normal(words, _words(keys, "other places", 3 * batch.node_ptr.diff()))
    else:
        numbers = 2 * uniform(words) - 1
    padding = Padding.of(batch)
    noise = torch.from_numpy(numbers.reshape(-1, 3)).to(batch.coordinates.dtype)
    target = padding.pad(batch.coordinates)
    noisy = target + config.coordinates.scale * padding.pad(noise)
    present = padding.mask & batch.with_coordinates[:, None]
    return padding.pack(align(noisy, target, present).masked_fill(~present[..., None], torch.nan))
