"""Molecules in, integer codes out: parsing, features, graphs and scaffolds with RDKit and numpy, without torch."""

from molfound.chem.features import Feature, atom_feature, atom_features, bond_feature, bond_features
from molfound.chem.graphs import FEATURIZER_VERSION, GraphBlock, GraphStructure, featurize, featurize_smiles
from molfound.chem.molecules import MoleculeBlock
from molfound.chem.parsing import Rejection, parse
from molfound.chem.scaffolds import murcko_scaffold
from molfound.chem.vocabulary import Vocabulary

__all__ = [
    "FEATURIZER_VERSION",
    "Feature",
    "GraphBlock",
    "GraphStructure",
    "MoleculeBlock",
    "Rejection",
    "Vocabulary",
    "atom_feature",
    "atom_features",
    "bond_feature",
    "bond_features",
    "featurize",
    "featurize_smiles",
    "murcko_scaffold",
    "parse",
]
