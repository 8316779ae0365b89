"""Learning without labels, and starting from what was learned."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import molfound as mf
from molfound.chem.conformers import ConformerOptions, Conformers, conformers_of_smiles
from molfound.data.collection import GraphCollection
from molfound.data.datamodule import MixtureDataModule
from molfound.errors import MolfoundError
from molfound.model import MolecularModel, load_specification
from molfound.tasks.objectives import Objective
from molfound.tasks.objectives.masked_bonds import MaskedBonds
from molfound.training.evaluate_run import evaluate_run
from molfound.training.mixture import load_task_mixture
from molfound.training.pretrained import freeze, learning_rate_shares
from molfound.training.run_folder import RunFolder
from molfound.training.train import resume, train
from tests.training.conftest import SMILES, MakeExperiment
from tests.training.test_resume import EVERY_STEP, assert_same_run, train_until

TWO_TRACK = (
    "encodings={laplacian: null, random_walk: null}",
    "features.atoms=[atomic_number, degree, chirality, total_degree, charge, hydrogens, radicals, hybridization,"
    " aromatic, in_ring]",
    "features.bonds=[bond_type, stereo, conjugated]",
    "model.encoder={name: two_track, depth: 2, width: 8, heads: 2, pair_width: 8, pair_hidden: 4, gaussians: 8}",
    "data.conformers={source: generated, iterations: 50}",
)
OBJECTIVES = (
    "objectives={masked_atoms: {}, masked_bonds: {weight: 0.5}, denoising: {distances: 0.5}}",
    "corruption={atoms: 0.2, bonds: 0.2, graphs: 0.5, coordinates: {scale: 0.2}}",
)
UNLABELLED = (*TWO_TRACK, *OBJECTIVES, "tasks={logp: null, acid: null, neighbours: null}")
FIGURES = {
    "masked_atoms": {"loss", "accuracy", "majority", "accuracy_bare", "majority_bare"},
    "masked_bonds": {"loss", "accuracy", "majority"},
    "denoising": {"coordinates", "distances", "rmsd", "noise"},
}


def figures(run: RunFolder, part: str, task: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for line in map(json.loads, run.metrics.read_text().splitlines()):
        if (line["part"], line["task"]) == (part, task):
            found.setdefault(line["name"], []).append(line["value"])
    return found


def test_objectives_are_trained_recorded_and_kept(experiment: MakeExperiment) -> None:
    chosen = experiment(*UNLABELLED, "training.epochs=6", "training.optimizer.lr=1e-2")
    run = train(chosen)
    for objective, names in FIGURES.items():
        told = figures(run, "val", objective)
        assert set(told) == names
        assert {len(values) for values in told.values()} == {6}
    kept = json.loads(run.objectives.read_text())
    assert set(kept) == {"val", "test"}
    assert {name: set(told) for name, told in kept["test"].items()} == FIGURES
    losses = figures(run, "train", "masked_atoms")["loss"]
    assert losses[-1] < 0.8 * losses[0]
    _, scores = evaluate_run(run.path, "test", device="cpu")
    assert scores.restored() == kept["test"]


def test_an_objective_need_not_tell_more_than_its_loss(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MaskedBonds, "figure_names", ())
    monkeypatch.setattr(MaskedBonds, "figures", Objective.figures)
    run = train(experiment(*UNLABELLED, "training.epochs=2"))
    told = figures(run, "val", "masked_bonds")
    assert {name: len(values) for name, values in told.items()} == {"loss": 2}


def test_predictions_from_smiles_see_the_conformers_of_the_store(experiment: MakeExperiment) -> None:
    run = train(experiment(*TWO_TRACK, "training.epochs=8", "training.optimizer.lr=3e-2"))
    kept = pd.read_parquet(run.predictions / "test.logp.parquet")
    kept = kept[kept["label"] == "logp"].set_index("row")["prediction"]
    model = mf.load(run.path)
    smiles = [SMILES[row] for row in kept.index]
    np.testing.assert_allclose(model.predict(smiles)["logp.logp"], kept, atol=1e-5)
    model.specification = model.specification.model_copy(update={"conformers": None})
    assert not np.allclose(model.predict(smiles)["logp.logp"], kept, atol=1e-5)


def test_training_sees_the_share_of_drawings_asked_for_and_evaluation_none(experiment: MakeExperiment) -> None:
    chosen = experiment(*UNLABELLED, "data.conformers={drawn: 1.0, iterations: 50}")
    module = MixtureDataModule(load_task_mixture(chosen, lambda line: None).graphs, chosen.data, seed=3)
    for loader, flat in ((module.train_dataloader(), True), (module.val_dataloader(), False)):
        for batch in loader:
            assert batch.coordinates is not None
            assert bool((batch.coordinates[:, 2] == 0).all()) == flat


def test_predictions_are_averaged_over_conformers(experiment: MakeExperiment) -> None:
    model = mf.load(train(experiment(*TWO_TRACK, "training.epochs=1")).path)
    torch.manual_seed(0)
    for parameter in model.model.parameters():
        # After so short a training, what distances say would be lost in rounding.
        torch.nn.init.normal_(parameter, std=0.5)
    # Three conformers, none, and one.
    smiles = ["CCCCCO", "C1CC2CCC1=C2", "[Na+]"]
    predicted = model.predict(smiles, tasks=["logp"], conformers=3)["logp.logp"]
    blocks = []
    for text in smiles:
        found = conformers_of_smiles([text], ConformerOptions(count=3, iterations=50)).outcome(0)
        blocks.append(found.coordinates if isinstance(found, Conformers) else [])
    assert list(map(len, blocks)) == [3, 0, 1]
    for table in (model.predict([*smiles, "?"]), model.embed([*smiles, "?"], readout="mean")):
        reasons = [None if text is None else text.partition(":")[0] for text in table["without_coordinates"]]
        assert reasons == [None, "embedding_failed", None, None]
        assert table["rejected"].notna().tolist() == [False, False, False, True]
    arrays, _ = model.featurize(smiles, conformers=3)
    for row, conformers in enumerate(blocks):
        each = []
        for places in conformers if len(conformers) else [None]:
            batch = GraphCollection({"input": arrays}).batch([row])
            coordinates = torch.full((batch.num_nodes, 3), torch.nan) if places is None else torch.from_numpy(places)
            with torch.no_grad():
                each.append(model.model.predict(replace(batch, coordinates=coordinates))["logp"][0, 0].item())
        assert predicted[row] == pytest.approx(np.mean(each), abs=1e-6)
        assert len(each) == 1 or np.std(each) > 1e-5
    with pytest.raises(MolfoundError, match="at least one conformer is needed, not 0"):
        model.predict(smiles, conformers=0)


def test_conformers_cannot_be_averaged_where_none_are_read(experiment: MakeExperiment) -> None:
    model = mf.load(train(experiment("training.epochs=1")).path)
    with pytest.raises(MolfoundError, match="the model reads no conformers"):
        model.predict("CCO", conformers=2)


def test_predictions_from_smiles_are_cut_and_drawn_as_the_store_is(experiment: MakeExperiment) -> None:
    options = ("data.conformers={source: drawn}", "data.crop=5", "tasks.neighbours=null")
    run = train(experiment(*TWO_TRACK[:-1], *options, "training.epochs=4", "training.optimizer.lr=3e-2"))
    kept = pd.read_parquet(run.predictions / "test.logp.parquet")
    kept = kept[kept["label"] == "logp"].set_index("row")["prediction"]
    model = mf.load(run.path)
    smiles = [SMILES[row] for row in kept.index]
    np.testing.assert_allclose(model.predict(smiles)["logp.logp"], kept, atol=1e-5)
    for change in ({"conformers": None}, {"crop": None}):
        model.specification = load_specification(run.path).model_copy(update=change)
        assert not np.allclose(model.predict(smiles)["logp.logp"], kept, atol=1e-5)


CUT_AND_DRAWN = ("data.crop=5", "data.conformers={count: 2, drawn: 0.5, iterations: 50}")


@pytest.mark.parametrize(
    "options", [(*UNLABELLED, *CUT_AND_DRAWN), (*TWO_TRACK, *OBJECTIVES)], ids=["objectives", "with tasks"]
)
def test_a_killed_pretraining_ends_in_the_same_bits(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    whole = train(experiment(EVERY_STEP, *options, run="whole"))
    killed = experiment(EVERY_STEP, *options, run="killed")
    train_until(killed, 6, monkeypatch)
    assert_same_run(whole, resume(killed.run_folder))


def test_a_training_starts_from_a_pretrained_encoder(experiment: MakeExperiment) -> None:
    pretrained = train(experiment(*UNLABELLED, "training.epochs=1", run="pretrained"))
    frozen = (
        "training.epochs=1",
        f"training.pretrained={{run: {pretrained.path}, frozen: all}}",
        "training.average=null",
    )
    run = train(experiment(*TWO_TRACK, *frozen, run="finetuned"))
    before, after = load_file(pretrained.model), load_file(run.model)
    encoder = [name for name in after if name.startswith("encoder.")]
    assert encoder
    assert all(torch.equal(before[name], after[name]) for name in encoder)
    thawed = train(experiment(*TWO_TRACK, *frozen[:1], frozen[1].replace("all", "2"), frozen[2], run="half"))
    moved = {
        name
        for name, tensor in load_file(thawed.model).items()
        if name in encoder and not torch.equal(tensor, before[name])
    }
    assert moved == {name for name in encoder if "blocks.1." in name and name in moved}
    assert moved


def test_stages_thaw_at_their_epoch_and_learn_at_their_rate(experiment: MakeExperiment) -> None:
    pretrained = train(experiment(*UNLABELLED, "training.epochs=1", run="pretrained"))
    chosen = experiment(
        *TWO_TRACK, f"training.pretrained={{run: {pretrained.path}, frozen: 2, thaw_epoch: 3, layer_decay: 0.5}}"
    )
    config = chosen.training.pretrained
    assert config is not None
    model = MolecularModel(load_specification(pretrained.path))
    stages = model.encoder.stages()
    assert sum(p.numel() for s in stages for p in s.parameters()) == sum(p.numel() for p in model.encoder.parameters())
    for epoch, trained in ((1, [False, False, True]), (2, [False, False, True]), (3, [True, True, True])):
        freeze(model, config, epoch)
        assert [all(p.requires_grad for p in stage.parameters()) for stage in stages] == trained
        assert all(p.requires_grad for p in model.objectives.parameters())
    shares = learning_rate_shares(model, config)
    assert [{shares[p] for p in stage.parameters()} for stage in stages] == [{0.125}, {0.25}, {0.5}]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((*TWO_TRACK, OBJECTIVES[0]), r"objective 'masked_atoms' has nothing to restore: set corruption\.atoms"),
        (
            (*TWO_TRACK, "objectives={masked_atoms: {}}", "corruption={atoms: 0.1, bonds: 0.1}"),
            r"corruption\.bonds takes what no objective asks for",
        ),
        (
            ("objectives={masked_atoms: {}}", "corruption={atoms: 0.1, graphs: 0.5}"),
            r"corruption\.graphs is for encoders that read coordinates, which 'gnn' does not",
        ),
        ((*UNLABELLED, "data.conformers=null"), r"corruption\.coordinates needs coordinates: set data\.conformers"),
        (("objectives={masked_atom: {}}",), "unknown objective 'masked_atom'; did you mean 'masked_atoms'"),
        (
            (*UNLABELLED, "training.monitor=val/denoising/rmds"),
            "no figure 'val/denoising/rmds' to monitor; did you mean",
        ),
    ],
)
def test_mistakes_are_named_before_anything_is_trained(
    experiment: MakeExperiment, options: tuple[str, ...], message: str
) -> None:
    chosen = experiment(*options)
    with pytest.raises(MolfoundError, match=message):
        train(chosen)
    assert not RunFolder(chosen.run_folder).specification.exists()


def test_an_encoder_of_another_size_is_named(experiment: MakeExperiment) -> None:
    pretrained = train(experiment(*UNLABELLED, "training.epochs=1", run="pretrained"))
    start = f"training.pretrained.run={pretrained.path}"
    with pytest.raises(MolfoundError, match="is another: depth is 2, here 3"):
        train(experiment(*TWO_TRACK, "model.encoder.depth=3", start))
    with pytest.raises(MolfoundError, match=r"was trained with other features\.atoms"):
        train(experiment(start))
