"""One block of the two-track transformer and the whole 84M network, forward and backward, beside their plain form.

The plain form has the same weights and the same other parts, but forms the outer products, the attention weights and
the directions of the coordinate head, all in memory. Both are checked to give the same outputs and gradients, in
float64 and with padding. Both run as in training, dropout included, on invented molecules of one size, as many as a
budget on the sum of their squared sizes allows. The ratio is the median of the rounds' ratios of CPU time, of block or
network, whichever is lower at 28 atoms; FLOPs are those of the network's forward pass.

On a CUDA device training steps in bf16 are measured too: of 84M and 310M with and without checkpointing, of 1.1B with.
"""

import argparse
import time
from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import Any

import torch
from measuring import report
from plain_two_track import plain_form
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from molfound.nn.two_track import SIZES, CoordinateHead, MoleculeTensors, TokenHead, TwoTrackNetwork
from molfound.nn.two_track.block import TwoTrackBlock
from molfound.nn.two_track.extent import Extent
from molfound.nn.two_track.precision import widened

BAR, FLOPS_BAR = 2.0, 2.2
ATOMS, JUDGED = (20, 28, 40, 64), 28
PAIR_WIDTH = 512
ON_CUDA = (("84M", False), ("84M", True), ("310M", False), ("310M", True), ("1.1B", True))


def main() -> None:
    """Measure and print."""
    options = arguments()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with torch.device("meta"):
        figures = dict(flop_figures(Pretraining("84M", options.depth)))
    network = Pretraining("84M", options.depth)
    move_from_start(network)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    for part in (network.network.blocks[0], network):
        figures |= time_figures(part, options.budget, options.rounds)
    del network, part
    if torch.cuda.is_available():
        for name, checkpoint_blocks in ON_CUDA:
            figures |= cuda_figures(name, checkpoint_blocks, options)
    ratio = min(figures[f"{name}_ratio_{JUDGED}"] for name in ("block", "network"))
    flops_ratio = figures[f"network_flops_ratio_{JUDGED}"]
    report(
        ratio,
        BAR,
        met=ratio >= BAR and flops_ratio >= FLOPS_BAR,
        flops_ratio=flops_ratio,
        flops_bar=FLOPS_BAR,
        **figures,
        equal=True,
        parameters=parameters,
        depth=options.depth,
        budget=options.budget,
        rounds=options.rounds,
    )


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--depth", type=int, default=SIZES["84M"].depth, help="blocks of the network on the CPU")
    parser.add_argument("--budget", type=int, default=4096, help="sum of the squared numbers of atoms in a batch")
    parser.add_argument("--cuda-budget", type=int, default=32768, help="the same on a CUDA device")
    parser.add_argument("--peak", type=float, help="dense bf16 TFLOPS of the CUDA device, to tell the share reached")
    return parser.parse_args()


class Pretraining(nn.Module):
    """A network of a published size with the heads it is pretrained with."""

    def __init__(self, name: str, depth: int | None = None, *, checkpoint_blocks: bool = False) -> None:
        super().__init__()
        size = SIZES[name]
        self.network = TwoTrackNetwork(
            depth or size.depth, size.width, size.heads, pair_width=PAIR_WIDTH, checkpoint_blocks=checkpoint_blocks
        )
        self.token_head = TokenHead(size.width)
        self.coordinate_head = CoordinateHead(size.width, size.heads, PAIR_WIDTH)

    def forward(self, molecules: MoleculeTensors) -> tuple[Tensor, Tensor]:
        """Return logits of the tokens, ``[B, L, 128]``, and coordinates, ``[B, L, 3]``."""
        assert molecules.coordinates is not None
        tracks = self.network(molecules)
        places = self.coordinate_head(tracks.atoms, tracks.pairs, molecules.coordinates, molecules.mask)
        return self.token_head(tracks.atoms), places


def move_from_start(module: nn.Module) -> None:
    """Move all parameters from their start values, so that none is 0 and none can be forgotten without a trace."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.02)


def flop_figures(network: Pretraining) -> Iterator[tuple[str, float]]:
    """Yield the plain form's FLOPs over ours in a forward pass, by name, of block and network at each size."""
    for part in (network.network.blocks[0], network):
        plain = plain_form(part)
        for atoms in ATOMS:
            given = inputs(part, [atoms])
            yield f"{name_of(part)}_flops_ratio_{atoms}", flops(partial(plain, *given)) / flops(partial(part, *given))


def flops(run: "partial[Any]") -> int:
    """Return the FLOPs of matrix products in a run."""
    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops())


def time_figures(part: nn.Module, budget: int, rounds: int) -> dict[str, float]:
    """Return the plain form's seconds over ours, and ours, by name, at each size, with equal results."""
    plain, name = plain_form(part), name_of(part)
    check_equal(part, plain)
    figures: dict[str, float] = {}
    for atoms in ATOMS:
        given = inputs(part, [atoms] * max(1, budget // atoms**2))
        pairs = [(seconds(part, given), seconds(plain, given)) for _ in range(rounds + 1)][1:]  # the first one warms up
        figures[f"{name}_ratio_{atoms}"] = median(theirs / ours for ours, theirs in pairs)
        figures[f"{name}_s_{atoms}"] = median(ours for ours, _ in pairs)
    return figures


def seconds(part: nn.Module, given: tuple[Any, ...]) -> float:
    """Return the CPU time of a forward and a backward pass."""
    started = time.process_time()
    results(part, given)
    return time.process_time() - started


def check_equal(part: nn.Module, plain: nn.Module) -> None:
    """Raise unless both give the same outputs and gradients without dropout, in float64 and with padding."""
    for form in (part, plain):
        form.double().eval()
    given = inputs(part, [9, 5])
    for ours, theirs in zip(results(part, given), results(plain, given), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-12)
    for form in (part, plain):
        form.float().train()


def results(part: nn.Module, given: tuple[Any, ...]) -> list[Tensor]:
    """Return the outputs of a forward pass and all gradients of their mean squares."""
    outputs = part(*given)
    tracks = [values for values in given if isinstance(values, Tensor)]
    return [*outputs, *torch.autograd.grad(loss_of(outputs), [*tracks, *part.parameters()])]


def loss_of(outputs: tuple[Tensor, ...]) -> Tensor:
    """Return the sum of the outputs' mean squares."""
    return torch.stack([widened(values).square().mean() for values in outputs]).sum()


def name_of(part: nn.Module) -> str:
    """Return what the figures call a part."""
    return "block" if isinstance(part, TwoTrackBlock) else "network"


def inputs(part: nn.Module, sizes: list[int]) -> tuple[Any, ...]:
    """Return what the part reads, invented: molecules of these numbers of atoms, or their tracks and extent."""
    parameter = next(part.parameters())
    batch, length = len(sizes), max(sizes)
    with parameter.device:
        mask = torch.arange(length) < torch.tensor(sizes)[:, None]
        if isinstance(part, TwoTrackBlock):
            places = nn.functional.pad(mask, (1, 0), value=True)
            shapes = (batch, length + 1, SIZES["84M"].width), (batch, length + 1, length + 1, PAIR_WIDTH)
            tracks = (torch.randn(shape, dtype=parameter.dtype, requires_grad=True) for shape in shapes)
            return *tracks, Extent.of(places, "real", parameter.dtype)
        molecules = MoleculeTensors(
            tokens=torch.randint(1, 20, (batch, length)),
            degrees=torch.randint(5, (batch, length)),
            features=torch.randint(16, (batch, length, 8)),
            shortest_paths=torch.randint(20, (batch, length, length)),
            bond_features=torch.randint(12, (batch, length, length, 3)),
            coordinates=2 * torch.randn(batch, length, 3, dtype=parameter.dtype),
            mask=mask,
        )
        return (molecules,)


def cuda_figures(name: str, checkpoint_blocks: bool, options: argparse.Namespace) -> dict[str, float]:
    """Return atoms per second, GiB at the peak and the share of the chip's peak of training steps in bf16, by name."""
    sizes = [JUDGED] * max(1, options.cuda_budget // JUDGED**2)
    with torch.device("meta"):
        counted = Pretraining(name)
        work = flops(partial(results, counted, inputs(counted, sizes)))
    model = Pretraining(name, checkpoint_blocks=checkpoint_blocks).cuda()
    given = inputs(model, sizes)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)

    def step() -> float:
        started = time.perf_counter()
        with torch.autocast("cuda", torch.bfloat16):
            outputs = model(*given)
        optimizer.zero_grad()
        torch.autograd.backward(loss_of(outputs))
        optimizer.step()
        torch.cuda.synchronize()
        return time.perf_counter() - started

    for _ in range(3):
        step()
    torch.cuda.reset_peak_memory_stats()
    duration = median(step() for _ in range(4 * options.rounds))
    label = f"cuda_{name}_checkpointed" if checkpoint_blocks else f"cuda_{name}"
    figures = {
        f"{label}_atoms_per_s": sum(sizes) / duration,
        f"{label}_gib": torch.cuda.max_memory_allocated() / 2**30,
    }
    # What checkpointing computes a second time does not count as work.
    return figures | ({f"{label}_share_of_peak": work / duration / options.peak / 1e12} if options.peak else {})


if __name__ == "__main__":
    main()
