"""Every registered objective on encoders that can serve it; corruption takes what it says and nothing else."""

from dataclasses import replace
from math import log

import numpy as np
import pytest
import torch

from molfound.config.schema import CorruptionConfig
from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError
from molfound.nn.encoders import Encoder, encoders
from molfound.nn.representations import Widths
from molfound.tasks.corruption import CorruptedBatch, corrupt
from molfound.tasks.objectives import Objective, objectives
from tests.nn.graphs import ATOMS, BONDS, ENCODERS, collate, encoder_inputs, sample_graphs

TWO_TRACK = {"depth": 2, "width": 16, "heads": 2, "pair_width": 12, "pair_hidden": 4, "gaussians": 8}
CASES = [
    ("masked_atoms", "two_track"),
    ("masked_atoms", "gnn"),
    ("masked_bonds", "two_track"),
    ("masked_bonds", "gnn"),
    ("denoising", "two_track"),
]
ALL = CorruptionConfig.model_validate({"atoms": 0.3, "bonds": 0.4, "graphs": 0.5, "coordinates": {"scale": 0.2}})


@pytest.fixture
def batch() -> GraphBatch:
    """Graphs with coordinates, but for the last one."""
    batch = collate(sample_graphs())
    coordinates = 1.5 * torch.randn(batch.num_nodes, 3, generator=torch.Generator().manual_seed(0))
    coordinates[batch.node_ptr[-2] :] = torch.nan
    return replace(batch, coordinates=coordinates)


def corrupted(batch: GraphBatch, config: CorruptionConfig = ALL, seed: int = 0) -> CorruptedBatch:
    keys = np.random.default_rng(seed).integers(1 << 63, size=batch.num_graphs, dtype=np.uint64)
    return corrupt(batch, config, ATOMS, BONDS, keys)


def built(objective: str, encoder: str) -> tuple[Encoder, Objective]:
    torch.manual_seed(0)
    options = TWO_TRACK if encoder == "two_track" else {"layer": "gine", "width": 16, "depth": 2}
    inputs = encoder_inputs(16, {} if encoder == "two_track" else ENCODERS)
    made: Encoder = encoders.build(encoder, inputs, **options)
    return made, objectives.build(objective, inputs, made.widths)


def test_every_objective_is_tested_here() -> None:
    assert {objective for objective, _ in CASES} == set(objectives)


@pytest.mark.parametrize(("objective", "encoder"), CASES)
def test_losses_and_figures_are_as_named_and_add_up_over_batches(
    objective: str, encoder: str, batch: GraphBatch
) -> None:
    network, part = built(objective, encoder)
    network.eval(), part.eval()
    whole = corrupted(batch)
    sums = part(network(whole.batch), whole)
    assert set(part.losses(sums)) == set(part.loss_names) == set(part.weights)
    assert set(part.figures(sums)) == set(part.figure_names)
    twice = part.losses({name: 2 * value for name, value in sums.items()})
    for name, value in part.losses(sums).items():
        assert value.isfinite()
        torch.testing.assert_close(twice[name], value)


@pytest.mark.parametrize(("objective", "encoder"), CASES)
def test_what_has_lost_nothing_costs_nothing(objective: str, encoder: str, batch: GraphBatch) -> None:
    network, part = built(objective, encoder)
    nothing = corrupted(replace(batch, coordinates=torch.full_like(batch.coordinates, torch.nan)), CorruptionConfig())
    losses = part.losses(part(network(nothing.batch), nothing))
    assert all(float(value.detach()) == 0 for value in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in (*network.parameters(), *part.parameters()))


@pytest.mark.parametrize(("objective", "encoder"), CASES)
def test_the_losses_of_a_fixed_batch_go_down(objective: str, encoder: str, batch: GraphBatch) -> None:
    network, part = built(objective, encoder)
    fixed = corrupted(batch, seed=1)
    optimizer = torch.optim.AdamW([*network.parameters(), *part.parameters()], lr=3e-3)
    course: list[dict[str, float]] = []
    for _ in range(120):
        losses = part.losses(part(network(fixed.batch), fixed))
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        course.append({name: value.item() for name, value in losses.items()})
    for name in part.loss_names:
        assert course[-1][name] < 0.7 * course[0][name], name


def test_masked_atoms_are_scored_as_said(batch: GraphBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    network, part = built("masked_atoms", "two_track")
    left = corrupted(batch)
    elements = left.original.node_codes[left.atoms, 0].long() + 1
    assert len(elements) > 5
    chosen = int(elements.mode().values)
    logits = torch.zeros(128)
    logits[chosen] = 3.0
    monkeypatch.setattr(part.head, "forward", lambda nodes: logits.expand(len(nodes), -1))
    sums = part(network(left.batch), left)
    share = float((elements == chosen).double().mean())
    figures = part.figures(sums)
    assert figures["accuracy"] == figures["majority"] == pytest.approx(share)
    expected = -float(logits.log_softmax(0)[elements].mean())
    assert float(part.losses(sums)["loss"]) == pytest.approx(expected)
    bare = left.batch.hidden_graphs[left.batch.node_graph][left.atoms]
    assert figures["accuracy_bare"] == pytest.approx(float((elements == chosen)[bare].double().mean()))


def test_denoising_is_scored_molecule_by_molecule(batch: GraphBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    network, part = built("denoising", "two_track")
    left = corrupted(batch)
    shift = torch.randn(batch.num_graphs, batch.largest, 3, generator=torch.Generator().manual_seed(5))
    monkeypatch.setattr(part.head, "forward", lambda nodes, pairs, before, mask: before + shift)
    sums = part(network(left.batch), left)
    coordinates, apart, rmsd, noise = [], [], [], []
    for g in range(batch.num_graphs - 1):
        first, last = batch.node_ptr[g : g + 2].tolist()
        true, noisy = batch.coordinates[first:last], left.batch.coordinates[first:last]
        found = noisy + shift[g, : last - first]
        coordinates.append((found - true).abs().sum() / len(true))
        apart.append((torch.cdist(found, found) - torch.cdist(true, true)).abs().mean())
        rmsd.append((found - true).square().sum(1).mean().sqrt())
        noise.append((noisy - true).square().sum(1).mean().sqrt())
    losses, figures = part.losses(sums), part.figures(sums)
    torch.testing.assert_close(losses["coordinates"], torch.stack(coordinates).mean())
    torch.testing.assert_close(losses["distances"], torch.stack(apart).mean(), atol=1e-5, rtol=1e-5)
    assert figures["rmsd"] == pytest.approx(float(torch.stack(rmsd).mean()), rel=1e-5)
    assert figures["noise"] == pytest.approx(float(torch.stack(noise).mean()), rel=1e-5)


def test_corruption_hides_what_tells_elements_and_leaves_the_rest(batch: GraphBatch) -> None:
    left = corrupted(batch)
    hidden = left.atoms
    assert 0 < hidden.sum() < len(hidden)
    assert (left.batch.node_codes[hidden, 0] == ATOMS[0].size - 1).all()
    assert torch.equal(left.batch.node_codes[:, 1:], batch.node_codes[:, 1:])
    assert torch.equal(left.batch.node_codes[~hidden], batch.node_codes[~hidden])
    others = torch.tensor([feature.size - 1 for feature in BONDS], dtype=torch.uint8)
    assert (left.batch.bond_codes[left.bonds] == others).all()
    assert torch.equal(left.batch.bond_codes[~left.bonds], batch.bond_codes[~left.bonds])
    # A molecule without coordinates keeps its features: nothing would be left of it.
    assert not left.batch.hidden_graphs[-1]
    assert torch.equal(left.batch.coordinates.isnan(), batch.coordinates.isnan())


def test_changing_a_hidden_element_changes_nothing(batch: GraphBatch) -> None:
    network, _ = built("masked_atoms", "two_track")
    left = corrupted(batch)
    other = replace(batch, node_codes=batch.node_codes.clone())
    other.node_codes[left.atoms, 0] = (other.node_codes[left.atoms, 0] + 1) % 8
    network.eval()
    assert torch.equal(network(left.batch).nodes, network(corrupted(other).batch).nodes)


@pytest.mark.parametrize(("kind", "deviation"), [("normal", 0.3), ("uniform", 0.3 / 3**0.5)])
def test_noise_has_its_scale_and_alignment_takes_six_directions_of_it(kind: str, deviation: float) -> None:
    size, count = 40, 300
    rng = np.random.default_rng(0)
    graph = sample_graphs()[0]
    chain = replace(
        graph,
        codes=np.repeat(graph.codes[:1], size, 0),
        bonds=np.zeros((0, 2), dtype=np.int64),
        bond_codes=graph.bond_codes[:0],
        parts={},
    )
    batch = replace(
        collate([chain] * count), coordinates=torch.from_numpy(3 * rng.normal(size=(size * count, 3))).float()
    )
    config = CorruptionConfig.model_validate({"coordinates": {"kind": kind, "scale": 0.3}})
    left = corrupted(batch, config)
    moved = (left.batch.coordinates - batch.coordinates).view(count, size * 3)
    expected = deviation**2 * (3 * size - 6)
    assert float(moved.square().sum(1).mean()) == pytest.approx(expected, rel=0.02)
    if kind == "uniform":
        assert float(moved.abs().max()) < 0.6


def test_equal_seeds_take_the_same(batch: GraphBatch) -> None:
    one, same, other = corrupted(batch), corrupted(batch), corrupted(batch, seed=1)
    assert torch.equal(one.batch.node_codes, same.batch.node_codes)
    assert not torch.equal(one.batch.coordinates.nan_to_num(), other.batch.coordinates.nan_to_num())


def test_what_a_molecule_loses_depends_on_its_key_alone() -> None:
    graphs = sample_graphs()
    keys = np.arange(len(graphs), dtype=np.uint64)

    def left(chosen: slice) -> CorruptedBatch:
        batch = collate(graphs[chosen])
        places = torch.arange(3.0 * batch.num_nodes).sin().view(-1, 3)
        return corrupt(replace(batch, coordinates=places), ALL, ATOMS, BONDS, keys[chosen])

    together, apart = left(slice(None)), [left(slice(g, g + 1)) for g in range(len(graphs))]
    assert torch.equal(together.atoms, torch.cat([one.atoms for one in apart]))
    assert torch.equal(together.bonds, torch.cat([one.bonds for one in apart]))
    assert torch.equal(together.batch.hidden_graphs, torch.cat([one.batch.hidden_graphs for one in apart]))
    first = together.batch.coordinates[: apart[0].batch.num_nodes]
    torch.testing.assert_close(first, apart[0].batch.coordinates, atol=1e-5, rtol=1e-5)


def test_unfit_encoders_and_features_are_named() -> None:
    inputs = encoder_inputs()
    with pytest.raises(MolfoundError, match="'denoising' needs an encoder that represents pairs"):
        objectives.build("denoising", inputs, Widths(nodes=8))
    with pytest.raises(MolfoundError, match="needs the option heads"):
        objectives.build("denoising", inputs, Widths(nodes=8, pairs=4))
    with pytest.raises(MolfoundError, match=r"add atomic_number to features\.atoms"):
        objectives.build("masked_atoms", replace(inputs, atoms=ATOMS[1:]), Widths(nodes=8))
    with pytest.raises(MolfoundError, match=r"add bond_type to features\.bonds"):
        objectives.build("masked_bonds", replace(inputs, bonds=BONDS[1:]), Widths(nodes=8))


def test_an_untrained_head_leaves_atoms_where_they_are(batch: GraphBatch) -> None:
    network, part = built("denoising", "two_track")
    left = corrupted(batch)
    figures = part.figures(part(network(left.batch), left))
    assert figures["rmsd"] == pytest.approx(figures["noise"]) != 0


def test_an_untrained_head_is_near_chance(batch: GraphBatch) -> None:
    network, part = built("masked_atoms", "two_track")
    left = corrupted(batch)
    assert float(part.losses(part(network(left.batch), left))["loss"]) == pytest.approx(log(128), abs=1)
