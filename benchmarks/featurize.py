"""SMILES to graphs with the ToyMix encodings, beside RDKit's bare parsing of the same molecules.

The ratio is the rate of SMILES → codes, Laplacian pairs and random walks over the rate of a list of
`Chem.MolFromSmiles` alone. Freeing the molecules counts on both sides. Parsing that keeps no molecule is a few percent
faster still; the ratio to it is given as `ratio_to_discarding`.
"""

import gzip
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import rdkit
from measuring import alternate, arguments, report
from rdkit import Chem
from threadpoolctl import threadpool_limits

from molfound.chem.graphs import GraphBlock, featurize_smiles
from molfound.encodings import compute_encoding

BAR = 0.33
ATOMS = (
    "atomic_number group period total_valence degree charge radicals aromatic in_ring chirality hybridization hydrogens"
)
BONDS = "bond_type stereo conjugated bond_in_ring"
ENCODINGS = {"laplacian": {"pairs": 8}, "random_walk": {"steps": 16}}


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "", molecules=3000, rounds=21)
    smiles = read_smiles(options.data / "smiles" / "zinc250k_test.smi.gz", options.molecules)
    block = codes(smiles)
    stages: dict[str, Callable[[], object]] = {
        "codes": lambda: codes(smiles),
        **{name: partial(compute_encoding, name, block, ENCODINGS[name]) for name in ENCODINGS},
    }
    with threadpool_limits(1):
        seconds = alternate(
            {
                "parse": lambda: parse_all(smiles),
                "discard": lambda: parse_each(smiles),
                "featurize": lambda: encode(codes(smiles)),
                **stages,
            },
            options.rounds,
        )
    report(
        seconds["parse"] / seconds["featurize"],
        BAR,
        ratio_to_discarding=seconds["discard"] / seconds["featurize"],
        parse_per_second=len(smiles) / seconds["parse"],
        featurize_per_second=len(smiles) / seconds["featurize"],
        cost_over_parse={stage: round(seconds[stage] / seconds["parse"], 3) for stage in stages},
        molecules=len(smiles),
        rounds=options.rounds,
        rdkit=rdkit.__version__,
        numpy=np.__version__,
    )


def read_smiles(path: Path, molecules: int) -> list[str]:
    """Return the first lines of a compressed SMILES file."""
    with gzip.open(path, "rt") as lines:
        return [line.strip() for line in islice(lines, molecules)]


def parse_all(smiles: list[str]) -> None:
    """Parse into a list, and free it."""
    molecules = [Chem.MolFromSmiles(text) for text in smiles]
    del molecules


def parse_each(smiles: list[str]) -> None:
    """Parse and let each molecule go before the next."""
    for text in smiles:
        Chem.MolFromSmiles(text)


def codes(smiles: list[str]) -> GraphBlock:
    """Return the graphs with the atom and bond features of ToyMix."""
    return featurize_smiles(smiles, ATOMS.split(), BONDS.split())[0]


def encode(block: GraphBlock) -> None:
    """Compute both encodings."""
    for name, options in ENCODINGS.items():
        compute_encoding(name, block, options)


if __name__ == "__main__":
    main()
