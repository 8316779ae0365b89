"""The embedded data set: molecules that the code makes, with labels that RDKit computes, so that nothing is downloaded.

One Parquet table, its columns

- ``smiles``: canonical, each molecule once;
- ``split``: ``train``, ``val`` or ``test`` (0.8, 0.1, 0.1), stratified by the alerts;
- the descriptors of `DESCRIPTORS`, complete;
- ``alert_<catalogue>_<name>``: whether a structural alert of RDKit's catalogues is in the molecule (0 or 1), a share
  of the cells hidden (null); both classes of each are to be seen in every part of the split;
- ``charge_gasteiger``: the partial charges of the atoms in the order of the SMILES, in elementary charges.
"""

import hashlib
import itertools
import re
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Annotated

import datamol as dm
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field
from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors, rdPartialCharges
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

from molfound.data import assembly, fragments
from molfound.data.generators import generators
from molfound.data.shards import parquet_bytes, write_atomically

PARTS = {"train": 0.8, "val": 0.1, "test": 0.1}
SURVEYED = 500  # molecules
HIDDEN = 0.3  # of the alerts' cells
LEAST_SHARE = 0.006  # of the rows of each part: that an alert is seen in, and that it is seen to be absent from

Mask = npt.NDArray[np.bool_]

DESCRIPTORS: dict[str, Callable[[Chem.Mol], float]] = {
    "logp": dm.descriptors.clogp,
    "tpsa": dm.descriptors.tpsa,
    "qed": dm.descriptors.qed,
    "synthetic_accessibility": dm.descriptors.sas,
    "molecular_weight": dm.descriptors.any_rdkit_descriptor("MolWt"),
    "refractivity": dm.descriptors.refractivity,
    "labute_asa": rdMolDescriptors.CalcLabuteASA,
    "fraction_sp3": dm.descriptors.fsp3,
    "rotatable_bonds": dm.descriptors.n_rotatable_bonds,
    "hydrogen_bond_donors": dm.descriptors.n_hbd,
    "hydrogen_bond_acceptors": dm.descriptors.n_hba,
    "rings": dm.descriptors.n_rings,
}

# Left out are CHEMBL_BMS and CHEMBL_Dundee, which repeat NIH and BRENK, and PAINS_C, whose 409 alerts are too special.
CATALOGUES = {
    "pains_a": FilterCatalogParams.FilterCatalogs.PAINS_A,
    "pains_b": FilterCatalogParams.FilterCatalogs.PAINS_B,
    "brenk": FilterCatalogParams.FilterCatalogs.BRENK,
    "nih": FilterCatalogParams.FilterCatalogs.NIH,
    "zinc": FilterCatalogParams.FilterCatalogs.ZINC,
    "glaxo": FilterCatalogParams.FilterCatalogs.CHEMBL_Glaxo,
    "inpharmatica": FilterCatalogParams.FilterCatalogs.CHEMBL_Inpharmatica,
    "lint": FilterCatalogParams.FilterCatalogs.CHEMBL_LINT,
    "mlsmr": FilterCatalogParams.FilterCatalogs.CHEMBL_MLSMR,
    "surechembl": FilterCatalogParams.FilterCatalogs.CHEMBL_SureChEMBL,
}


@generators.register("embedded")
def embedded(
    folder: Path, *, molecules: Annotated[int, Field(ge=20)] = 3000, seed: Annotated[int, Field(ge=0)] = 0
) -> Path:
    """Write the table into `folder`, unless it is there already, and return its path.

    The file's bytes are a function of the options, of this code and of the versions of RDKit and datamol; its name
    tells the options and a hash of the rest. Fewer than 20 molecules are too few for three parts.

    Raises:
        MolfoundError: the folder cannot be written.
    """
    path = folder / f"embedded-{molecules}-{seed}-{_code_hash()}.parquet"
    if not path.exists():
        write_atomically(path, parquet_bytes(embedded_table(molecules, seed)))
    return path


def embedded_table(molecules: int, seed: int) -> pa.Table:
    """Return the table that the module describes."""
    smiles = assembly.assemble_molecules(molecules, seed)
    parsed = [Chem.MolFromSmiles(text) for text in smiles]
    hits = alert_hits(parsed)
    parts = stratified_parts(list(hits.values()), molecules, seed)
    return pa.table(
        {
            "smiles": pa.array(smiles, pa.string()),
            "split": pa.array([list(PARTS)[part] for part in parts], pa.string()),
            **{name: pa.array(_values(descriptor, parsed), pa.float32()) for name, descriptor in DESCRIPTORS.items()},
            **_hidden_alerts(hits, parts, seed),
            "charge_gasteiger": pa.array([_charges(molecule) for molecule in parsed], pa.list_(pa.float32())),
        }
    )


def alert_hits(parsed: Sequence[Chem.Mol]) -> dict[str, Mask]:
    """Return per alert of `CATALOGUES` whether it is in each molecule, bool [molecules], in the catalogues' order.

    An alert that is in none of the first `SURVEYED` molecules is left out: most alerts are in hardly any molecule, and
    looking for them in all would take most of the time.
    """
    hits: dict[str, Mask] = {}
    for name, parameter in CATALOGUES.items():
        catalogue = FilterCatalog(FilterCatalogParams(parameter))
        for entry in map(catalogue.GetEntry, range(catalogue.GetNumEntries())):
            found = [entry.HasFilterMatch(molecule) for molecule in parsed[:SURVEYED]]
            if any(found):
                found += [entry.HasFilterMatch(molecule) for molecule in parsed[SURVEYED:]]
                hits[_column(name, entry.GetDescription(), hits)] = np.array(found)
    return hits


def stratified_parts(hits: Sequence[Mask], molecules: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the part of each molecule, its position in `PARTS`: of each alert every part has its share, if it can.

    The iterative stratification of Sechidis et al., On the Stratification of Multi-Label Data, ECML PKDD 2011, from
    the rarest alert to the commonest and last the set of all molecules.
    """
    generator = np.random.default_rng([seed, 1])
    shares = np.array(list(PARTS.values()))
    parts = np.full(molecules, -1)
    free = np.ones(len(PARTS))  # share of each part that is not filled yet, which decides where a label cannot
    for hit in [*sorted(hits, key=np.count_nonzero), np.ones(molecules, dtype=bool)]:
        present = np.bincount(parts[hit & (parts >= 0)], minlength=len(PARTS))
        wanted = shares * np.count_nonzero(hit) - present
        for row in generator.permutation(np.flatnonzero(hit & (parts < 0))):
            parts[row] = np.argmax(wanted + 0.01 * free)
            wanted[parts[row]] -= 1
            free[parts[row]] -= 1 / (shares[parts[row]] * molecules)
    return parts


def _hidden_alerts(hits: dict[str, Mask], parts: npt.NDArray[np.int64], seed: int) -> dict[str, pa.Array]:
    """Return the alerts seen often enough in every part, cells hidden; of alerts in the same molecules the first."""
    generator = np.random.default_rng([seed, 2])
    kept: dict[str, pa.Array] = {}
    known: set[bytes] = set()
    for name, hit in hits.items():
        seen = _seen(hit, parts, generator)
        if seen is not None and hit.tobytes() not in known:
            known.add(hit.tobytes())
            kept[name] = pa.array(hit.astype(np.int8), mask=~seen)
    return kept


def _seen(hit: Mask, parts: npt.NDArray[np.int64], generator: np.random.Generator) -> Mask | None:
    """Return which cells are not hidden, the same share of each class, or None if a class is too rare in a part."""
    seen = np.ones(len(hit), dtype=bool)
    for part in range(len(PARTS)):
        for present in (False, True):
            rows = generator.permutation(np.flatnonzero((parts == part) & (hit == present)))
            hidden = int(HIDDEN * len(rows))
            if len(rows) - hidden < max(1.0, LEAST_SHARE * np.count_nonzero(parts == part)):
                return None
            seen[rows[:hidden]] = False
    return seen


def _column(catalogue: str, alert: str, taken: Container[str]) -> str:
    """Return the alert's column, numbered from 2 on where an earlier one of the catalogue has the same name."""
    name = f"alert_{catalogue}_" + re.sub(r"[^a-z0-9]+", "_", alert.lower()).strip("_")
    names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
    return next(candidate for candidate in names if candidate not in taken)


def _values(descriptor: Callable[[Chem.Mol], float], parsed: Sequence[Chem.Mol]) -> list[float]:
    return [float(descriptor(molecule)) for molecule in parsed]


def _charges(molecule: Chem.Mol) -> list[float]:
    rdPartialCharges.ComputeGasteigerCharges(molecule)
    return [atom.GetDoubleProp("_GasteigerCharge") for atom in molecule.GetAtoms()]


def _code_hash() -> str:
    """Return eight digits that change with the code that makes the table and with the libraries that it asks."""
    sources = [Path(str(file)).read_bytes() for file in (__file__, assembly.__file__, fragments.__file__)]
    versions = f"{rdBase.rdkitVersion} {dm.__version__}".encode()
    return hashlib.sha256(b"\n".join([*sources, versions])).hexdigest()[:8]
