"""Murcko scaffolds, by which molecules are kept together in a scaffold split."""

from rdkit import Chem


def murcko_scaffold(mol: Chem.Mol) -> str:
    """Return the canonical SMILES, without stereochemistry, of a molecule's rings and the chains between them.

    A molecule without rings has the empty scaffold ``""``. Bemis and Murcko, J. Med. Chem. 39, 2887 (1996), in RDKit's
    variant, which keeps what is double-bonded to the scaffold.

    Example:
        >>> murcko_scaffold(Chem.MolFromSmiles("CC(=O)Nc1ccc(cc1)C2CC2"))
        'c1ccc(C2CC2)cc1'
        >>> murcko_scaffold(Chem.MolFromSmiles("CCO"))
        ''
    """
    return str(Chem.MolToSmiles(Chem.MurckoDecompose(mol), isomericSmiles=False))
