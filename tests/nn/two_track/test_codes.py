"""What the two-track transformer reads of a batch, against RDKit asked atom by atom."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from rdkit import Chem

from molfound.chem import featurize_smiles
from molfound.chem.features import atom_features, bond_features
from molfound.data.arrays import GraphArrays
from molfound.data.batch import GraphBatch
from molfound.data.collection import GraphCollection
from molfound.errors import MolfoundError
from molfound.nn.encoder_inputs import FeatureVocabulary
from molfound.nn.encoders import encoders
from molfound.nn.padding import Padding
from molfound.nn.two_track import DROPPED, MASK_TOKEN, UNREACHABLE, MoleculeTensors
from molfound.nn.two_track.codes import CodeReader
from molfound.nn.two_track.shortest_paths import shortest_paths
from tests.nn.graphs import ATOMS, BONDS, encoder_inputs

SMILES = [
    "C[C@H](N)C(=O)[O-].[Na+]",
    "*C/C=C\\c1ccc(S(=O)(=O)N)cc1",
    "[CH3]",
    "FS(F)(F)(F)(F)F",
    "O=C1C=CC(=O)[C@]12CCN(CC)C2",
    "C",
]
HYBRIDIZATIONS = ["SP", "SP2", "SP3", "SP3D", "SP3D2"]
BOND_TYPES = ["SINGLE", "DOUBLE", "TRIPLE", "AROMATIC"]
STEREO = {"STEREONONE": 0, "STEREOZ": 1, "STEREOE": 2}


def read(smiles: list[str], **changes: object) -> tuple[MoleculeTensors, GraphBatch, Padding]:
    names, bond_names = [feature.name for feature in ATOMS], [feature.name for feature in BONDS]
    block, kept, _ = featurize_smiles(smiles, names, bond_names)
    assert len(kept) == len(smiles)
    batch = GraphCollection({"all": GraphArrays(block, np.arange(len(smiles)), smiles)}).batch(range(len(smiles)))
    batch = replace(batch, **changes)
    vocabularies = [atom_features[name].vocabulary for name in names]
    bond_vocabularies = [bond_features[name].vocabulary for name in bond_names]
    reader = CodeReader(
        [FeatureVocabulary(v.name, v.values, v.version) for v in vocabularies],
        [FeatureVocabulary(v.name, v.values, v.version) for v in bond_vocabularies],
    )
    padding = Padding.of(batch)
    return reader(batch, padding), batch, padding


def test_rows_are_those_of_the_published_tables() -> None:
    molecules, _, _ = read(SMILES)
    for g, smiles in enumerate(SMILES):
        molecule = Chem.MolFromSmiles(smiles)
        assert int(molecules.mask[g].sum()) == molecule.GetNumAtoms()
        for i, atom in enumerate(molecule.GetAtoms()):
            values = [
                {"R": 1, "S": 2}.get(atom.GetProp("_CIPCode"), 3) if atom.HasProp("_CIPCode") else 0,
                atom.GetTotalDegree(),
                atom.GetFormalCharge() + 5,
                atom.GetTotalNumHs(),
                atom.GetNumRadicalElectrons(),
                HYBRIDIZATIONS.index(str(atom.GetHybridization()))
                if str(atom.GetHybridization()) in HYBRIDIZATIONS
                else 5,
                int(atom.GetIsAromatic()),
                int(atom.IsInRing()),
            ]
            assert molecules.features[g, i].tolist() == [2 + 16 * k + value for k, value in enumerate(values)]
            assert molecules.tokens[g, i] == (atom.GetAtomicNum() or MASK_TOKEN)
            assert molecules.degrees[g, i] == 2 + atom.GetDegree()
        for i in range(molecule.GetNumAtoms()):
            for j in range(molecule.GetNumAtoms()):
                bond = molecule.GetBondBetweenAtoms(i, j)
                expected = [2, 2, 2]
                if bond is not None:
                    kinds = (
                        BOND_TYPES.index(str(bond.GetBondType())),
                        STEREO[str(bond.GetStereo())],
                        int(bond.GetIsConjugated()),
                    )
                    expected = [3 + 16 * k + kind for k, kind in enumerate(kinds)]
                assert molecules.bond_features[g, i, j].tolist() == expected


def test_paths_are_rdkits_and_fragments_are_unreachable() -> None:
    molecules, _, _ = read(SMILES)
    for g, smiles in enumerate(SMILES):
        distances = Chem.GetDistanceMatrix(Chem.MolFromSmiles(smiles))
        size = len(distances)
        expected = torch.from_numpy(np.where(distances > size, UNREACHABLE, distances + 1)).long()
        assert torch.equal(molecules.shortest_paths[g, :size, :size], expected)
    assert (molecules.shortest_paths[0] == UNREACHABLE).any()


def test_paths_longer_than_can_be_told_are_neither_unreachable_nor_told_as_such() -> None:
    size, unreachable = 12, 6
    adjacency = torch.zeros(1, size + 1, size + 1, dtype=torch.bool)
    adjacency[0, range(size - 1), range(1, size)] = adjacency[0, range(1, size), range(size - 1)] = True
    paths = shortest_paths(adjacency, unreachable)[0]
    apart = (torch.arange(size)[:, None] - torch.arange(size)).abs()
    assert torch.equal(paths[:size, :size], apart.clamp(max=unreachable - 1))
    assert (paths[size, :size] == unreachable).all()


def test_of_hidden_graphs_elements_alone_are_left() -> None:
    hidden = torch.tensor([True, False, True, False, False, False])
    molecules, _, padding = read(SMILES, hidden_graphs=hidden)
    whole, _, _ = read(SMILES)
    assert torch.equal(molecules.tokens, whole.tokens)
    atoms = padding.mask & hidden[:, None]
    assert (molecules.features[atoms] == 1).all()
    assert (molecules.degrees[atoms] == 1).all()
    assert (molecules.shortest_paths[hidden] == DROPPED).all()
    assert (molecules.bond_features[hidden] == 1).all()
    for name in ("features", "degrees", "shortest_paths", "bond_features"):
        assert torch.equal(getattr(molecules, name)[~hidden], getattr(whole, name)[~hidden])


def test_packing_undoes_padding() -> None:
    molecules, batch, padding = read(SMILES)
    values = torch.randn(batch.num_nodes, 3)
    assert torch.equal(padding.pack(padding.pad(values)), values)
    local = torch.arange(batch.num_nodes) - batch.node_ptr[batch.node_graph]
    pairs = padding.pack_pairs(10_000 * padding.pad(local)[:, :, None] + padding.pad(local)[:, None, :])
    counts = batch.node_ptr.diff().tolist()
    assert pairs.tolist() == [10_000 * i + j for n in counts for i in range(n) for j in range(n)]
    assert molecules.coordinates is None


def test_paths_may_be_compiled_and_have_no_gradient() -> None:
    adjacency = torch.zeros(2, 5, 5, dtype=torch.bool)
    assert set(torch.library.opcheck(shortest_paths, (adjacency, 9)).values()) == {"SUCCESS"}


def test_missing_features_and_clashing_options_are_named() -> None:
    with pytest.raises(MolfoundError, match=r"reads radicals: add to features\.atoms"):
        CodeReader([feature for feature in ATOMS if feature.name != "radicals"], BONDS)
    with pytest.raises(MolfoundError, match=r"reads stereo, conjugated: add to features\.bonds"):
        CodeReader(ATOMS, BONDS[:2])
    with pytest.raises(MolfoundError, match="reads no encodings: take out laplacian, random_walk"):
        encoders.build("two_track", encoder_inputs(), size="42M")
    plain = encoder_inputs(16, {})
    with pytest.raises(MolfoundError, match="size 42M sets depth, width and heads: leave out depth"):
        encoders.build("two_track", plain, size="42M", depth=3)
    with pytest.raises(MolfoundError, match="needs a size, or depth, width and heads: no heads"):
        encoders.build("two_track", plain, depth=3, width=16)
