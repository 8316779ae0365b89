"""SMILES to conformers, beside RDKit's bare embedding and optimisation of the same molecules, and with two processes.

The ratio is the rate of `conformers_of_smiles` over that of parsing, `AddHs`, `EmbedMolecule` and
`MMFFOptimizeMolecule` with the same seeds, attempts and iterations, in CPU time of one process, molecule by molecule in
turn. The second figure is the rate of two such processes over that of one, in
wall-clock time, the processes' start left out. Where fewer than two cores are free it says little; `load` tells.
"""

import gzip
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import rdkit
from measuring import arguments, report
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from rdkit.Chem.rdForceFieldHelpers import MMFFOptimizeMolecule

from molfound.chem.conformers import ConformerOptions, conformers_of_smiles

BAR = 0.9
BAR_TWO = 1.8
OPTIONS = ConformerOptions()
CHUNK = 8
Input = TypeVar("Input")


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "", molecules=200, rounds=3)
    smiles = read_smiles(options.data / "smiles" / "zinc250k_test.smi.gz", options.molecules)
    bare, ours = [], []
    for _ in range(options.rounds):
        pairs = [(seconds(embed, text), seconds(conformer_count, [text])) for text in smiles]
        bare.append(sum(first for first, _ in pairs))
        ours.append(sum(second for _, second in pairs))
    ratio = median(b / o for b, o in zip(bare, ours, strict=True))
    one, two = (median(wall_seconds(smiles, count) for _ in range(options.rounds)) for count in (1, 2))
    block = conformers_of_smiles(smiles, OPTIONS)
    report(
        ratio,
        BAR,
        met=ratio >= BAR and one / two >= BAR_TWO,
        two_processes=one / two,
        bar_two_processes=BAR_TWO,
        molecules_per_second=len(smiles) / median(ours),
        converged=float(block.converged.mean()),
        without=len(block.problems),
        molecules=len(smiles),
        rounds=options.rounds,
        load=os.getloadavg()[0],
        rdkit=rdkit.__version__,
    )


def read_smiles(path: Path, molecules: int) -> list[str]:
    """Return the first lines of a compressed SMILES file."""
    with gzip.open(path, "rt") as lines:
        return [line.strip() for line in islice(lines, molecules)]


def seconds(function: Callable[[Input], object], argument: Input) -> float:
    """Return the CPU time of a call."""
    started = time.process_time()
    function(argument)
    return time.process_time() - started


def embed(smiles: str) -> Chem.Mol:
    """Return the molecule with hydrogens and one optimised conformer: what RDKit alone does."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    parameters: Any = rdDistGeom.ETKDGv3()
    parameters.randomSeed = 7
    parameters.maxIterations = OPTIONS.attempts
    rdDistGeom.EmbedMolecule(molecule, parameters)
    MMFFOptimizeMolecule(molecule, maxIters=OPTIONS.iterations)
    return molecule


def wall_seconds(smiles: list[str], processes: int) -> float:
    """Return the time in which so many processes, already started, embed all molecules."""
    chunks = [smiles[first : first + CHUNK] for first in range(0, len(smiles), CHUNK)]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        list(pool.map(conformer_count, [["C"]] * 4 * processes))
        started = time.perf_counter()
        list(pool.map(conformer_count, chunks))
        return time.perf_counter() - started


def conformer_count(smiles: list[str]) -> int:
    """Return how many conformers a process found: little to send back."""
    return len(conformers_of_smiles(smiles, OPTIONS).energies)


if __name__ == "__main__":
    main()
