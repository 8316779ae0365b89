import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rdkit import Chem
from rdkit.Chem import QED, AllChem, Crippen, Descriptors, rdMolDescriptors
from rdkit.Chem.FilterCatalog import FilterCatalog, RunFilterCatalog

from molfound.config.component import Component
from molfound.data import embedded as module
from molfound.data import fragments
from molfound.data.assembly import HEAVY_ATOMS, assemble_molecules
from molfound.data.embedded import CATALOGUES, DESCRIPTORS, HIDDEN, PARTS, alert_hits, embedded, stratified_parts
from molfound.data.generators import generated_table
from molfound.data.manifest import load_manifest
from molfound.errors import MolfoundError

MOLECULES = 150

REFERENCES = {
    "logp": Crippen.MolLogP,
    "tpsa": rdMolDescriptors.CalcTPSA,
    "qed": QED.qed,
    "molecular_weight": Descriptors.MolWt,
    "refractivity": Crippen.MolMR,
    "labute_asa": Descriptors.LabuteASA,
    "fraction_sp3": rdMolDescriptors.CalcFractionCSP3,
    "hydrogen_bond_donors": Descriptors.NumHDonors,
    "hydrogen_bond_acceptors": Descriptors.NumHAcceptors,
    "rings": lambda molecule: len(Chem.GetSymmSSSR(molecule)),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return embedded(tmp_path_factory.mktemp("embedded"), molecules=MOLECULES, seed=3)


@pytest.fixture(scope="module")
def table(path):
    return pq.read_table(path)


@pytest.fixture(scope="module")
def parsed(table):
    return [Chem.MolFromSmiles(smiles) for smiles in table["smiles"].to_pylist()]


@pytest.mark.parametrize(
    ("families", "points"),
    [
        (fragments.RINGS, 0),
        (fragments.ALERT_RINGS, 0),
        (fragments.CHAINS, 0),
        (fragments.LINKERS, 2),
        (fragments.ALERT_LINKERS, 2),
        (fragments.SUBSTITUENTS, 1),
        (fragments.ALERT_SUBSTITUENTS, 1),
    ],
)
def test_fragments_are_molecules_with_their_attachment_points(families, points):
    for family in families:
        assert family
        for smiles in family:
            molecule = Chem.MolFromSmiles(smiles)
            assert molecule is not None, smiles
            dummies = [atom for atom in molecule.GetAtoms() if atom.GetAtomicNum() == 0]
            assert [dummy.GetDegree() for dummy in dummies] == [1] * points, smiles


def test_molecules_are_valid_different_canonical_and_of_the_stated_size(parsed, table):
    smiles = table["smiles"].to_pylist()
    assert len(set(smiles)) == len(smiles) == MOLECULES
    assert [Chem.MolToSmiles(molecule) for molecule in parsed] == smiles
    assert all(molecule.GetNumHeavyAtoms() == molecule.GetNumAtoms() for molecule in parsed)
    assert all(molecule.GetNumAtoms() in HEAVY_ATOMS for molecule in parsed)
    assert not any("*" in text or "." in text for text in smiles)


def test_molecules_have_charges_stereo_halogens_and_fused_rings():
    smiles = assemble_molecules(200, seed=1)
    for pattern in ("@", "/", "+", "Cl", "[nH]", "S", "#"):
        assert any(pattern in text for text in smiles), pattern
    assert any(Chem.MolFromSmiles(text).HasSubstructMatch(Chem.MolFromSmarts("[R2]")) for text in smiles)


def test_the_bytes_do_not_depend_on_the_process(path, tmp_path):
    code = f"""
from pathlib import Path
from molfound.data.embedded import embedded
print(embedded(Path({str(tmp_path)!r}), molecules={MOLECULES}, seed=3))
"""
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    other = Path(done.stdout.strip())
    assert other.name == path.name
    assert other.read_bytes() == path.read_bytes()


def test_another_seed_makes_other_molecules():
    first, second = assemble_molecules(40, seed=0), assemble_molecules(40, seed=1)
    assert len(set(first) & set(second)) < 5


def test_an_existing_table_is_returned_as_it_is(path):
    before = path.stat().st_mtime_ns
    again = generated_table(Component(name="embedded", options={"molecules": MOLECULES, "seed": 3}), path.parent)
    assert again == path
    assert path.stat().st_mtime_ns == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("molecules", 19, "greater than or equal to 20"),
        ("seed", -1, "greater than or equal to 0"),
        ("seed", "a", "valid"),
    ],
)
def test_options_out_of_range_are_a_users_error(tmp_path, option, value, message):
    with pytest.raises(MolfoundError, match=f"generator 'embedded', option '{option}': .*{message}.* {value!r}"):
        generated_table(Component(name="embedded", options={option: value}), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_names_the_columns(table):
    manifest = load_manifest("embedded")
    assert manifest.tasks["descriptors"].labels == tuple(DESCRIPTORS)
    assert manifest.tasks["charges"].level == "node"
    alerts = [name for name in table.column_names if name.startswith("alert_")]
    assert alerts
    expected = ["smiles", "split", *DESCRIPTORS, *alerts, *manifest.tasks["charges"].labels]
    assert table.column_names == expected


@pytest.mark.parametrize("name", REFERENCES)
def test_descriptors_equal_rdkits(table, parsed, name):
    expected = np.array([REFERENCES[name](molecule) for molecule in parsed])
    np.testing.assert_allclose(table[name].to_numpy(), expected, rtol=1e-6, atol=1e-6)


def test_synthetic_accessibility_and_rotatable_bonds_are_in_their_ranges(table, parsed):
    accessibility = table["synthetic_accessibility"].to_numpy()
    assert accessibility.min() >= 1
    assert accessibility.max() <= 10
    assert accessibility.std() > 0.3
    bonds = np.array([molecule.GetNumBonds() for molecule in parsed])
    assert (table["rotatable_bonds"].to_numpy() <= bonds).all()
    assert table["rotatable_bonds"].to_numpy().max() > 3


def test_alert_hits_equal_a_whole_catalogues_matches(table, parsed):
    smiles = table["smiles"].to_pylist()
    hits = alert_hits(parsed)
    for short, parameter in CATALOGUES.items():
        catalogue = FilterCatalog(parameter)
        found = [[entry.GetDescription() for entry in row] for row in RunFilterCatalog(catalogue, smiles)]
        columns = {name: hit for name, hit in hits.items() if name.startswith(f"alert_{short}_")}
        assert sum(hit.sum() for hit in columns.values()) == sum(map(len, found))
        descriptions = [catalogue.GetEntry(number).GetDescription() for number in range(catalogue.GetNumEntries())]
        for description in {text for row in found for text in row if descriptions.count(text) == 1}:
            expected = [description in row for row in found]
            assert any(np.array_equal(hit, expected) for hit in columns.values()), description
    assert len(hits) > 100


def test_alert_labels_are_hits_or_hidden(table, parsed):
    hits = alert_hits(parsed)
    for name in (column for column in table.column_names if column.startswith("alert_")):
        labels = table[name].to_numpy(zero_copy_only=False)
        seen = ~np.isnan(labels)
        np.testing.assert_array_equal(labels[seen], hits[name][seen])
        assert 0.2 < (~seen).mean() < 0.31


def test_alerts_of_one_name_have_columns_of_their_own():
    taken = {"alert_brenk_a_b"}
    assert module._column("brenk", "A / b", taken) == "alert_brenk_a_b_2"
    assert module._column("brenk", "A / b", taken | {"alert_brenk_a_b_2"}) == "alert_brenk_a_b_3"
    assert module._column("nih", ">A(b)", taken) == "alert_nih_a_b"


def test_charges_follow_the_atoms_of_the_smiles(table):
    for smiles, charges in zip(table["smiles"].to_pylist(), table["charge_gasteiger"].to_pylist(), strict=True):
        molecule = Chem.MolFromSmiles(smiles)
        AllChem.ComputeGasteigerCharges(molecule)
        expected = [float(atom.GetProp("_GasteigerCharge")) for atom in molecule.GetAtoms()]
        assert all(math.isfinite(charge) for charge in expected)
        np.testing.assert_allclose(charges, expected, rtol=1e-5, atol=1e-6)


def test_parts_are_stratified():
    generator = np.random.default_rng(0)
    hits = [generator.random(1000) < share for share in (0.01, 0.02, 0.03, 0.05, 0.1, 0.3)]
    parts = stratified_parts(hits, 1000, seed=0)
    np.testing.assert_allclose(np.bincount(parts) / 1000, list(PARTS.values()), atol=0.01)
    for hit in hits:
        wanted = np.array(list(PARTS.values())) * hit.sum()
        assert np.abs(np.bincount(parts[hit], minlength=3) - wanted).max() <= max(2, 0.05 * hit.sum())
    assert not np.array_equal(parts, stratified_parts(hits, 1000, seed=1))


@pytest.mark.parametrize(("molecules", "least"), [(600, 100), pytest.param(3000, 150, marks=pytest.mark.slow)])
def test_many_alerts_have_both_classes_in_every_part(monkeypatch, molecules, least):
    monkeypatch.setattr(module, "DESCRIPTORS", {})  # which have no say in the alerts and take a third of the time
    table = module.embedded_table(molecules, seed=0)
    parts = np.array(table["split"].to_pylist())
    assert {part: (parts == part).mean() for part in PARTS} == pytest.approx(PARTS, abs=0.03)
    alerts = [name for name in table.column_names if name.startswith("alert_")]
    assert len(alerts) >= least
    labels = np.stack([table[name].to_numpy(zero_copy_only=False) for name in alerts])
    for part in PARTS:
        for present in (0, 1):
            assert ((labels[:, parts == part] == present).sum(1) >= max(1, 0.006 * (parts == part).sum())).all()
    assert np.isnan(labels).mean() == pytest.approx(HIDDEN, abs=0.02)
    assert len({tuple(row) for row in np.nan_to_num(labels, nan=-1)}) == len(alerts)
