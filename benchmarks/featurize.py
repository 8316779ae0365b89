"""SMILES to graphs with the ToyMix encodings, beside RDKit's bare parsing of the same molecules.

The ratio is the rate of SMILES → codes, Laplacian pairs and random walks over the rate of a list of
`Chem.MolFromSmiles` alone: the median of the rounds' ratios, in CPU time. Freeing the molecules counts on both sides.
"""

import gzip
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
import rdkit
from measuring import arguments, report
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
STAGES = ("codes", *ENCODINGS)


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "", molecules=3000, rounds=25)
    smiles = read_smiles(options.data / "smiles" / "zinc250k_test.smi.gz", options.molecules)
    with threadpool_limits(1):
        rounds = [seconds_of_stages(smiles) for _ in range(options.rounds + 1)][1:]  # the first one warms up
    ours = [sum(seconds[stage] for stage in STAGES) for seconds in rounds]
    report(
        median(seconds["parse"] / total for seconds, total in zip(rounds, ours, strict=True)),
        BAR,
        parse_per_second=len(smiles) / median(seconds["parse"] for seconds in rounds),
        featurize_per_second=len(smiles) / median(ours),
        cost_over_parse={
            stage: round(median(seconds[stage] / seconds["parse"] for seconds in rounds), 3) for stage in STAGES
        },
        molecules=len(smiles),
        rounds=options.rounds,
        rdkit=rdkit.__version__,
        numpy=np.__version__,
    )


def read_smiles(path: Path, molecules: int) -> list[str]:
    """Return the first lines of a compressed SMILES file."""
    with gzip.open(path, "rt") as lines:
        return [line.strip() for line in islice(lines, molecules)]


def seconds_of_stages(smiles: list[str]) -> dict[str, float]:
    """Return what bare parsing and each of our stages take, one after the other; `codes` holds our parsing."""
    seconds = {"parse": timed(lambda: parse_all(smiles))}
    blocks: list[GraphBlock] = []
    seconds["codes"] = timed(lambda: blocks.append(featurize_smiles(smiles, ATOMS.split(), BONDS.split())[0]))
    for name, options in ENCODINGS.items():
        seconds[name] = timed(partial(compute_encoding, name, blocks[0], options))
    return seconds


def parse_all(smiles: list[str]) -> None:
    """Parse into a list, and free it."""
    molecules = [Chem.MolFromSmiles(text) for text in smiles]
    del molecules


def timed(run: Callable[[], object]) -> float:
    """Return the thread's CPU seconds of a call: what other processes take of the machine is not in it."""
    started = time.thread_time()
    run()
    return time.thread_time() - started


if __name__ == "__main__":
    main()
