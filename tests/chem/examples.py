"""Molecules that between them show what chemistry does to a featurizer, and the order of atoms in rewritten SMILES."""

from rdkit import Chem

SMILES = (
    "CCO",
    "c1ccccc1",
    "C[N+](C)(C)CC([O-])=O",
    "[Na+].[Cl-]",
    "CC(=O)Oc1ccccc1C(=O)O",
    "C[C@H](N)C(=O)O",
    "C[C@@H](N)C(=O)O",
    "C[C@H]1CC[C@@H](C)CC1",  # stereocentres that have no CIP label
    "F/C=C/F",
    "F/C=C\\F",
    "C/C=C/C=C\\C",
    "C[CH2]",
    "[O][O]",
    "[H][H]",
    "[2H]C([2H])O",
    "[C-]#[O+]",
    "O=S(=O)(O)O",
    "FS(F)(F)(F)(F)F",
    "FP(F)(F)(F)F",
    "[NH4+]",
    "C#N",
    "C=C=C",
    "c1ccc2[nH]ccc2c1",
    "c1cccc2cccc2c1",  # azulene: the bond that its rings share is not aromatic
    "c1ccc(-c2ccccc2)cc1",
    "C[S@](=O)CC",
    "[Pt@SP1](F)(Cl)(Br)N",
    "N->[Cu+2]",
    "[Re]$[Re]",
    "*CC*",
    "[Fe+2].c1cc[cH-]c1.c1cc[cH-]c1",
    "C[Si](C)(C)C",
    "OB(O)c1ccccc1",
    "[U]",
    "[Ca+2].[O-2]",
    "C1CC2CCC1C2",
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "C[As](=O)(O)[O-]",
    "[CH3:2][OH:1]",
)


def atropisomer() -> Chem.Mol:
    """Return a biaryl whose single bond between the rings carries stereochemistry."""
    molecule = Chem.MolFromSmiles("Cc1cccc(I)c1-c1c(C)cccc1Br")
    axis = molecule.GetBondBetweenAtoms(7, 8)
    axis.SetStereoAtoms(1, 9)
    axis.SetStereo(Chem.BondStereo.STEREOATROPCW)
    return molecule


def molecules() -> list[Chem.Mol]:
    """Return the examples, one also with all hydrogens as atoms, and an atropisomer."""
    return [*map(Chem.MolFromSmiles, SMILES), Chem.AddHs(Chem.MolFromSmiles("CC(=O)NC")), atropisomer()]


def rewritten(smiles: str, seed: int) -> tuple[str, list[int]]:
    """Return another SMILES of the molecule; atom i of it is atom ``order[i]`` of the first."""
    molecule = Chem.MolFromSmiles(smiles)
    other = Chem.MolToRandomSmilesVect(molecule, 1, randomSeed=seed)[0]
    # The same generator with the same seed wrote the order down in a property of the molecule.
    return other, list(molecule.GetPropsAsDict(True, True)["_smilesAtomOutputOrder"])
