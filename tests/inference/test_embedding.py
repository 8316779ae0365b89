"""Embeddings: those of the layer and read-out that are asked for, the same in any batch."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from rdkit import Chem

import molfound as mf
from molfound.config.schema import Experiment
from molfound.data.collection import GraphCollection
from molfound.errors import MolfoundError
from molfound.inference import Predictor
from molfound.model import MolecularModel, save_model, specify
from tests.inference.test_predictor import MANY
from tests.test_model import all_tasks, experiment


def nodes_after(model: Predictor, text: str, blocks: int | None) -> np.ndarray:
    """Return what the encoder has of a molecule's atoms after so many blocks, found by hooks on the blocks."""
    arrays, _ = model.featurize([text])
    batch = GraphCollection({"input": arrays}).batch([0])
    kept: list[torch.Tensor] = []
    parts = [model.model.encoder.inputs, *model.model.encoder.stages()[1:]]
    handles = [part.register_forward_hook(lambda *call: kept.append(call[-1])) for part in parts]
    with torch.no_grad():
        model.model.encoder(batch)
    for handle in handles:
        handle.remove()
    return kept[-1 if blocks is None else blocks].numpy()


def matrix(table: pd.DataFrame) -> np.ndarray:
    return table.filter(regex=r"^e\d+$").to_numpy()


@pytest.mark.parametrize("layer", [None, "inputs", "block_1"])
def test_layers_are_what_their_blocks_yield(model: Predictor, layer: str | None) -> None:
    blocks = None if layer is None else model.layers.index(layer)
    expected = [nodes_after(model, text, blocks) for text in MANY]
    atoms = model.embed(MANY, layer=layer, readout="none", batch_size=3)["atoms"]
    for cell, nodes in zip(atoms, expected, strict=True):
        np.testing.assert_allclose(cell, nodes, atol=1e-5)
    for readout, pooled in {"sum": np.sum, "mean": np.mean, "max": np.max}.items():
        found = matrix(model.embed(MANY, layer=layer, readout=readout, batch_size=2))
        np.testing.assert_allclose(found, [pooled(nodes, axis=0) for nodes in expected], atol=1e-4)


def test_the_trained_readout_is_what_heads_read(model: Predictor) -> None:
    found = matrix(model.embed(MANY))
    heard: list[torch.Tensor] = []
    handle = model.model.heads["energy"].register_forward_pre_hook(lambda head, given: heard.append(given[0]))
    model.predict(MANY, tasks=["energy"])
    handle.remove()
    np.testing.assert_allclose(found, torch.cat(heard).numpy(), atol=1e-5)


def test_rejected_rows_have_no_embedding(model: Predictor) -> None:
    table = model.embed(["CCO", "?", None, "C"])
    assert table["rejected"].notna().tolist() == [False, True, True, False]
    assert np.isnan(matrix(table)).all(axis=1).tolist() == [False, True, True, False]
    nothing = model.embed(["?"], readout="none")
    assert nothing["atoms"].tolist() == [None]
    assert matrix(model.embed([])).shape == (0, matrix(table).shape[1])


def test_what_is_not_there_is_named(model: Predictor) -> None:
    assert model.layers == ["inputs", *(f"block_{number + 1}" for number in range(len(model.layers) - 1))]
    with pytest.raises(MolfoundError, match="the encoder has no layer 'block1'; did you mean 'block_1'"):
        model.embed(["C"], layer="block1")
    with pytest.raises(MolfoundError, match="there is no read-out 'men' of embeddings; did you mean 'mean'"):
        model.embed(["C"], readout="men")  # type: ignore[arg-type]
    with pytest.raises(MolfoundError, match="no trained read-out of whole molecules for layer 'inputs': choose sum"):
        model.embed(["C"], layer="inputs")


def test_rdkit_molecules_are_embedded_as_their_smiles(model: Predictor) -> None:
    molecules = [Chem.MolFromSmiles(text) for text in MANY]
    shuffled = [Chem.RenumberAtoms(molecule, list(range(molecule.GetNumAtoms()))[::-1]) for molecule in molecules]
    with_hydrogens = [Chem.AddHs(molecule) for molecule in molecules]
    expected = matrix(model.embed(MANY))
    atoms = model.embed(MANY, readout="none")["atoms"]
    for given in (molecules, shuffled, with_hydrogens, [*molecules[:2], *MANY[2:]]):
        np.testing.assert_allclose(matrix(model.embed(given)), expected, atol=1e-4)
    for cell, forward in zip(model.embed(shuffled, readout="none")["atoms"], atoms, strict=True):
        np.testing.assert_allclose(cell[::-1], forward, atol=1e-5)
    for name in ("orders.order", "charges.q"):
        backwards = model.predict(shuffled)[name]
        for molecule, reordered, cell, other in zip(
            molecules, shuffled, model.predict(MANY)[name], backwards, strict=True
        ):
            count = molecule.GetNumAtoms()
            if name == "charges.q":
                np.testing.assert_allclose(other[::-1], cell, atol=1e-5)
                continue
            ends = {
                (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()): cell[2 * number : 2 * number + 2]
                for number, bond in enumerate(molecule.GetBonds())
            }
            for number, bond in enumerate(reordered.GetBonds()):
                begin, end = count - 1 - bond.GetBeginAtomIdx(), count - 1 - bond.GetEndAtomIdx()
                expected_edges = ends[begin, end] if (begin, end) in ends else ends[end, begin][::-1]
                np.testing.assert_allclose(other[2 * number : 2 * number + 2], expected_edges, atol=1e-5)
    unsanitized = Chem.MolFromSmiles("C(C)(C)(C)(C)C", sanitize=False)
    aromatic = Chem.MolFromSmiles("c1cccc1", sanitize=False)
    placed = Chem.Conformer(5)
    placed.SetPositions(np.random.default_rng(0).normal(size=(5, 3)))
    aromatic.AddConformer(placed)
    unknown = Chem.MolFromSmiles("CC=CC")
    unknown.GetBondWithIdx(1).SetStereo(Chem.BondStereo.STEREOANY)
    np.testing.assert_allclose(matrix(model.embed([unknown])), matrix(model.embed(["CC=CC"])), atol=1e-6)
    table = model.embed([molecules[1], unsanitized, None, aromatic])
    assert table["smiles"].tolist()[:2] == [Chem.MolToSmiles(molecules[1]), "CC(C)(C)(C)C"]
    assert "valence" in table["rejected"][1]
    assert table["rejected"][3].startswith("invalid_molecule: Can't kekulize")
    assert model.embed(molecules[0]).shape[0] == 1


def test_a_model_that_cuts_molecules_embeds_no_atoms(model: Predictor) -> None:
    model.specification = model.specification.model_copy(update={"crop": 4})
    with pytest.raises(MolfoundError, match=r"cuts molecules to 4 atoms .* choose another read-out than none"):
        model.embed(["CCCCCCO"], readout="none")
    assert matrix(model.embed(["CCCCCCO"])).shape[0] == 1


def test_a_table_is_taken_as_its_one_column(model: Predictor) -> None:
    assert model.embed(pd.DataFrame({"smiles": ["C", "CC"]}))["smiles"].tolist() == ["C", "CC"]
    with pytest.raises(MolfoundError, match="molecules are one column, and there are 2"):
        model.predict(pd.DataFrame({"smiles": ["C"], "N": [1]}))
    assert model.predict([5, "C"])["rejected"][0] == "empty_smiles: no text but int"  # type: ignore[list-item]


def test_a_series_keeps_its_index(model: Predictor) -> None:
    given = pd.Series(["CCO", "C"], index=["a", "b"], name="smiles")
    assert model.embed(given).index.tolist() == ["a", "b"]
    assert model.predict(given).index.tolist() == ["a", "b"]


@pytest.fixture
def transformer(tmp_path: Path) -> Predictor:
    """An untrained two-track transformer that has a task of whole molecules."""
    torch.manual_seed(0)
    chosen = experiment().model_dump()
    sizes = {"depth": 2, "width": 16, "heads": 2, "pair_width": 8, "pair_hidden": 4}
    encoder = {"name": "two_track", "init": "unimol2", **sizes}
    features = mf.load_config("pretrain/tiny").features.model_dump()
    chosen |= {"encodings": {}, "features": features}
    chosen["model"] |= {"encoder": encoder, "inputs": {}}
    energy = {"energy": all_tasks()["energy"]}
    folder = tmp_path / "transformer"
    folder.mkdir()
    save_model(MolecularModel(specify(Experiment.model_validate(chosen), energy)), folder)
    return mf.load(folder)


def test_a_virtual_atom_stands_for_the_molecule_in_every_layer(transformer: Predictor) -> None:
    assert transformer.layers == ["inputs", "block_1", "block_2"]
    seen = [matrix(transformer.embed(MANY, layer=layer, batch_size=4)) for layer in transformer.layers]
    alone = [[matrix(transformer.embed(text, layer=layer))[0] for text in MANY] for layer in transformer.layers]
    np.testing.assert_allclose(seen, alone, atol=1e-5)
    np.testing.assert_allclose(matrix(transformer.embed(MANY)), seen[-1], atol=1e-5)
    assert not np.allclose(seen[1], seen[2])
