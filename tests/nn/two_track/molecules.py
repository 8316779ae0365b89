"""Random molecules and networks of float64, small enough for loops."""

from dataclasses import fields, replace

import torch
from torch import Tensor, nn

from molfound.nn.two_track import UNREACHABLE, MoleculeTensors, TwoTrackNetwork

WIDTH, HEADS, PAIR_WIDTH, PAIR_HIDDEN, GAUSSIANS = 12, 3, 10, 4, 8


def random_molecules(sizes: list[int], seed: int = 0) -> MoleculeTensors:
    """Return molecules of these numbers of atoms, with codes at random; pairs are symmetric, one is unreachable."""
    generator = torch.Generator().manual_seed(seed)

    def codes(low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, (batch, length, *shape), generator=generator)

    batch, length = len(sizes), max(sizes)
    mask = torch.arange(length) < torch.tensor(sizes)[:, None]
    paths, bonds = codes(0, 9, length), codes(0, 12, length, 3)
    paths[0, 0, -1] = UNREACHABLE
    return MoleculeTensors(
        tokens=codes(1, 20).masked_fill(~mask, 0),
        degrees=codes(0, 5),
        features=codes(0, 16, 8),
        shortest_paths=torch.maximum(paths, paths.mT),
        bond_features=torch.maximum(bonds, bonds.transpose(1, 2)),
        coordinates=2 * torch.randn(batch, length, 3, dtype=torch.float64, generator=generator),
        mask=mask,
    )


def take(molecules: MoleculeTensors, number: int) -> MoleculeTensors:
    """Return one molecule as a batch of its own, without padding."""
    size = int(molecules.mask[number].sum())

    def cut(values: Tensor | None, over_pairs: bool) -> Tensor | None:
        if values is None:
            return None
        row = values[number : number + 1, :size]
        return row[:, :, :size] if over_pairs else row

    return _map(molecules, cut)


def permuted(molecules: MoleculeTensors, order: Tensor) -> MoleculeTensors:
    """Return the molecules with their places in another order, padding included."""

    def reorder(values: Tensor | None, over_pairs: bool) -> Tensor | None:
        if values is None:
            return None
        return values[:, order][:, :, order] if over_pairs else values[:, order]

    return _map(molecules, reorder)


def _map(molecules: MoleculeTensors, function) -> MoleculeTensors:  # type: ignore[no-untyped-def]
    pairs = {"shortest_paths", "bond_features"}
    return replace(
        molecules,
        **{field.name: function(getattr(molecules, field.name), field.name in pairs) for field in fields(molecules)},
    )


def random_network(**options: object) -> TwoTrackNetwork:
    """Return a tiny network in evaluation, with all parameters far from their start values."""
    settings: dict[str, object] = {"pair_width": PAIR_WIDTH, "pair_hidden": PAIR_HIDDEN, "gaussians": GAUSSIANS}
    network = TwoTrackNetwork(2, WIDTH, HEADS, **(settings | options))  # type: ignore[arg-type]
    randomize(network)
    return network


def randomize(module: nn.Module, seed: int = 1) -> None:
    """Make a module one of float64 in evaluation, with parameters at random."""
    module.double().eval()
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        with torch.no_grad():
            parameter += 0.3 * torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
