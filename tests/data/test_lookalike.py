import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score

from molfound.chem.features import atom_features
from molfound.chem.graphs import featurize
from molfound.config.component import Component
from molfound.data import lookalike_molecules
from molfound.data.assembly import assemble_molecules
from molfound.data.generators import generated_table
from molfound.data.lookalike import write_lookalike
from molfound.data.lookalike_labels import COVERAGES, DENSITY
from molfound.data.lookalike_molecules import molecules
from molfound.data.lookalike_schemas import SCHEMAS, Name
from molfound.data.lookalike_signal import (
    ATOM_FEATURES,
    FACTORS,
    AtomFields,
    Factors,
    exceedance,
    log_uniform,
    molecule_sums,
    thresholds,
)
from molfound.data.manifest import Manifest, load_manifest
from molfound.errors import MolfoundError
from tests.data.conftest import Prepare, data_config

ROWS = 1000
NAMES: tuple[Name, ...] = ("pcba_1328", "l1000_vcap", "l1000_mcf7", "pcqm4m", "pm6_83m")


@pytest.fixture(scope="module")
def smiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SMILES file of 300 molecules, which is faster than to make more, with one that is none."""
    path = tmp_path_factory.mktemp("smiles") / "some.smi.gz"
    path.write_bytes(gzip.compress("\n".join(["C1CC", *assemble_molecules(300, seed=1)]).encode()))
    return path


@pytest.fixture(scope="module")
def tables(smiles: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    folder = tmp_path_factory.mktemp("tables")
    for name in NAMES:
        write_lookalike(folder / f"{name}.parquet", name, ROWS, files=[smiles], noise=0.0)
    return {name: pq.read_table(folder / f"{name}.parquet") for name in NAMES}


def dense(table: pa.Table, columns: list[str]) -> np.ndarray:
    return np.stack([table[name].to_numpy(zero_copy_only=False).astype(float) for name in columns])


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_those_of_the_table(tables: dict[str, pa.Table], name: Name) -> None:
    table, schema = tables[name], SCHEMAS[name]
    assert table.num_rows == ROWS
    assert table.column_names == [*(column.name for column in schema.columns), "split"]
    assert [table.schema.field(column.name).type for column in schema.columns] == [c.type for c in schema.columns]


@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_of_the_real_table_fits_its_look_alike(tables: dict[str, pa.Table], name: Name) -> None:
    real = load_manifest(f"{'ultralarge' if name == 'pm6_83m' else 'largemix'}/{name}")
    like = load_manifest(f"lookalike/{name}")
    assert like.tasks == real.tasks
    assert like.smiles == real.smiles
    assert real.smiles in tables[name].column_names
    for task in real.tasks.values():
        assert len(task.columns_among(tables[name].column_names)) == len(task.counted_columns() or ())
    assert next(iter(real.splits)) == next(iter(like.splits))


def test_assays_are_sparse_and_imbalanced(tables: dict[str, pa.Table]) -> None:
    labels = dense(tables["pcba_1328"], SCHEMAS["pcba_1328"].names("assay"))
    present = ~np.isnan(labels)
    assert set(np.unique(labels[present])) == {0.0, 1.0}
    assert present.mean() == pytest.approx(DENSITY, abs=0.01)
    coverage = present.mean(axis=1)
    assert np.quantile(coverage, 0.05) < 3 * COVERAGES[0]
    assert np.quantile(coverage, 0.95) > COVERAGES[1] / 2
    shares = np.nansum(labels, axis=1)[coverage > 0.2] / present.sum(axis=1)[coverage > 0.2]
    # Evenly on a logarithmic scale from 0.1 to 10 %: a third of the labels in each third of it.
    thirds = [(shares < 10 ** (-3 + 2 / 3)).mean(), (shares > 10 ** (-1 - 2 / 3)).mean()]
    assert thirds == pytest.approx([1 / 3, 1 / 3], abs=0.1)
    assert shares.max() < 0.2


def test_molecules_of_a_library_were_tested_together(tables: dict[str, pa.Table]) -> None:
    present = ~np.isnan(dense(tables["pcba_1328"], SCHEMAS["pcba_1328"].names("assay")))
    together = np.corrcoef(present[present.mean(axis=1) > 0.1])
    assert np.abs(together[np.triu_indices(len(together), 1)]).mean() > 1.5 / np.sqrt(ROWS)


@pytest.mark.parametrize("name", ["l1000_vcap", "l1000_mcf7"])
def test_genes_are_mostly_unchanged_and_each_in_its_own_share(tables: dict[str, pa.Table], name: Name) -> None:
    labels = dense(tables[name], SCHEMAS[name].names("gene")).astype(int)
    assert set(np.unique(labels)) == {0, 1, 2, 3, 4}
    unchanged = (labels == 2).mean(axis=1)
    assert unchanged.mean() == pytest.approx(0.91, abs=0.02)
    assert unchanged.std() > 0.02
    assert (labels == 1).mean() > 2 * (labels == 0).mean() > 0
    assert (labels == 3).mean() > 2 * (labels == 4).mean() > 0


def test_a_few_smiles_are_restricted(tables: dict[str, pa.Table]) -> None:
    texts = tables["l1000_vcap"]["SMILES"].to_pylist()
    assert texts.count("restricted") == ROWS // 250
    assert "restricted" not in tables["pcba_1328"]["SMILES"].to_pylist()


def test_labels_are_correlated(tables: dict[str, pa.Table]) -> None:
    values = dense(tables["pm6_83m"], SCHEMAS["pm6_83m"].names("property"))
    correlation = np.abs(np.corrcoef(values)[np.triu_indices(len(values), 1)])
    assert correlation.mean() > 5 / np.sqrt(ROWS)
    assert correlation.max() < 0.999


def test_a_second_calculation_is_missing_as_a_whole(tables: dict[str, pa.Table]) -> None:
    table = tables["pcqm4m"]
    second = np.array([table[name].is_null().to_numpy() for name in table.column_names if "tddft" in name])
    assert len(second) == 5
    assert (second == second[0]).all()
    assert second[0].mean() == pytest.approx(0.5, abs=0.05)
    rest = [name for name in table.column_names if name.startswith(("graph_", "node_")) and "tddft" not in name]
    assert not any(table[name].null_count for name in rest)


def slow_atom_values(smiles: str, fields: AtomFields) -> np.ndarray:
    """Return the fields of a molecule's atoms, atom by atom, neighbour by neighbour, as RDKit tells them."""
    molecule = Chem.MolFromSmiles(smiles)

    def codes(atom: Chem.Atom) -> list[int]:
        values = (
            atom.GetAtomicNum(),
            atom.GetDegree(),
            atom.GetFormalCharge(),
            int(atom.GetIsAromatic()),
            int(atom.IsInRing()),
            atom.GetTotalNumHs(),
        )
        known = zip(ATOM_FEATURES, values, strict=True)
        return [int(atom_features[name].vocabulary.encode(np.array([value]))[0]) for name, value in known]

    def total(tables: tuple[np.ndarray, ...], atom: Chem.Atom) -> np.ndarray:
        return np.sum([table[code] for table, code in zip(tables, codes(atom), strict=True)], axis=0)

    return np.array(
        [
            total(fields.own, atom) + sum(total(fields.around, neighbour) for neighbour in atom.GetNeighbors())
            for atom in molecule.GetAtoms()
        ]
    )


@pytest.mark.parametrize("name", ["pcqm4m", "pm6_83m"])
def test_atom_labels_are_those_of_the_right_atoms(tables: dict[str, pa.Table], name: Name) -> None:
    columns = SCHEMAS[name].names("atoms")
    fields = AtomFields.drawn(len(columns), [0, *name.encode(), 1])
    texts = tables[name]["ordered_smiles"].to_pylist()[:60]
    expected = [slow_atom_values(text, fields) for text in texts]
    canonical = [Chem.MolToSmiles(Chem.MolFromSmiles(text)) for text in texts]
    assert sum(text != other for text, other in zip(texts, canonical, strict=True)) > 50
    for at, column in enumerate(columns):
        cells = tables[name][column].to_pylist()[:60]
        rows = [row for row, cell in enumerate(cells) if cell is not None]
        assert all(len(cells[row]) == len(expected[row]) for row in rows)
        given = np.concatenate([cells[row] for row in rows])
        wanted = np.concatenate([expected[row][:, at] for row in rows])
        # Without noise, they are the recomputed ones, shifted and scaled.
        assert np.corrcoef(given, wanted)[0, 1] == pytest.approx(1.0, abs=1e-6)


def test_molecule_sums_equal_a_loop() -> None:
    parsed = [Chem.MolFromSmiles(text) for text in ("CCO", "[Na+]", "c1ccccc1")]
    fields = AtomFields.drawn(3, 5)
    graphs = featurize(parsed, ATOM_FEATURES, [])
    values = fields.values(graphs)
    expected = [slow_atom_values(text, fields) for text in ("CCO", "[Na+]", "c1ccccc1")]
    np.testing.assert_allclose(values, np.concatenate(expected), rtol=1e-5, atol=1e-5)
    sums = np.array([np.tanh(rows).sum(axis=0) for rows in expected])
    np.testing.assert_allclose(molecule_sums(values, graphs), sums, rtol=1e-4, atol=1e-5)


def test_factors_are_normal_and_uncorrelated() -> None:
    generator = np.random.default_rng(0)
    mixing = np.eye(FACTORS) + 0.2 * generator.standard_normal((FACTORS, FACTORS))
    mixed = (generator.standard_normal((2000, FACTORS)) @ mixing).astype("f4")
    factors = Factors.fitted(np.exp(mixed / 4)).of(np.exp(mixed / 4))
    np.testing.assert_allclose(np.cov(factors.T), np.eye(FACTORS), atol=0.1)
    assert np.abs(np.median(factors, axis=0)).max() < 0.1


def test_thresholds_leave_the_share_above() -> None:
    generator = np.random.default_rng(0)
    signals = generator.standard_normal((5, 4000)).astype("f4")
    shares = np.array([0.001, 0.01, 0.1, 0.5, 0.9])
    found = thresholds(signals, shares, scale=0.4)
    noisy = signals + 0.4 * generator.logistic(size=signals.shape)
    np.testing.assert_allclose(exceedance(signals, found, 0.4).mean(axis=1), shares, rtol=1e-3)
    np.testing.assert_allclose((noisy > found[:, None]).mean(axis=1), shares, atol=0.02)


def test_log_uniform_is_within_its_bounds_and_even() -> None:
    drawn = log_uniform(0.001, 0.1, 3000, np.random.default_rng(0))
    assert 0.001 <= drawn.min() < drawn.max() <= 0.1
    assert (drawn < 0.01).mean() == pytest.approx(0.5, abs=0.03)


@pytest.fixture(scope="module")
def fingerprints(tables: dict[str, pa.Table]) -> dict[str, np.ndarray]:
    """Return counts of the atoms' neighbourhoods, another description of the molecules than what made the labels."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=1, fpSize=512)
    smiles = {"pcqm4m": tables["pcqm4m"]["ordered_smiles"], "pcba_1328": tables["pcba_1328"]["SMILES"]}
    return {
        name: np.array([generator.GetCountFingerprintAsNumPy(Chem.MolFromSmiles(text)) for text in texts.to_pylist()])
        for name, texts in smiles.items()
    }


def test_properties_can_be_learned_from_the_structure(
    tables: dict[str, pa.Table], fingerprints: dict[str, np.ndarray]
) -> None:
    table, counts = tables["pcqm4m"], fingerprints["pcqm4m"]
    train = np.arange(ROWS) % 3 > 0
    values = dense(table, ["graph_alpha_gap", "graph_energy_total", "graph_spherocity"]).T
    scores = [Ridge(10.0).fit(counts[train], y[train]).score(counts[~train], y[~train]) for y in values.T]
    assert min(scores) > 0.5
    shuffled = np.random.default_rng(0).permutation(values[:, 0])
    assert Ridge(10.0).fit(counts[train], shuffled[train]).score(counts[~train], shuffled[~train]) < 0.1


def test_assays_can_be_learned_from_the_structure(
    tables: dict[str, pa.Table], fingerprints: dict[str, np.ndarray]
) -> None:
    counts = np.log1p(fingerprints["pcba_1328"])
    labels = dense(tables["pcba_1328"], SCHEMAS["pcba_1328"].names("assay"))
    frequent = np.argsort(-np.nansum(labels, axis=1))[:3]
    for label in labels[frequent]:
        rows = np.flatnonzero(~np.isnan(label))
        train, test = rows[rows % 3 > 0], rows[rows % 3 == 0]
        model = LogisticRegression(C=0.1, max_iter=500).fit(counts[train], label[train])
        assert roc_auc_score(label[test], model.predict_proba(counts[test])[:, 1]) > 0.75


def test_noise_is_its_share_of_the_variance(tmp_path: Path, smiles: Path, tables: dict[str, pa.Table]) -> None:
    write_lookalike(tmp_path / "noisy.parquet", "pcqm4m", ROWS, files=[smiles], noise=0.5)
    noisy, exact = pq.read_table(tmp_path / "noisy.parquet"), tables["pcqm4m"]
    columns = SCHEMAS["pcqm4m"].names("property")[:10]
    pairs = zip(dense(noisy, columns), dense(exact, columns), strict=True)
    correlation = [np.corrcoef(*pair)[0, 1] for pair in pairs]
    assert correlation == pytest.approx([np.sqrt(0.5)] * len(columns), abs=0.08)


def test_molecules_come_again_varied(smiles: Path) -> None:
    source = molecules([smiles], shuffled=False, seed=0)
    texts = [next(source)[0] for _ in range(1200)]
    given = assemble_molecules(300, seed=1)
    assert texts[:300] == given
    sizes = [Chem.MolFromSmiles(text).GetNumAtoms() for text in texts]
    # Of some molecules no carbon has a hydrogen to replace.
    more = np.array(sizes).reshape(4, 300) - sizes[:300]
    assert ((more <= [[0], [1], [2], [3]]) & (more >= 0)).all()
    assert more.mean(axis=1) == pytest.approx([0, 1, 2, 3], abs=0.1)
    assert len(set(texts)) > 1150


def test_without_files_the_embedded_molecules_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookalike_molecules, "_embedded", lambda: assemble_molecules(20, seed=0))
    source = molecules([], shuffled=False, seed=0)
    texts = [next(source)[0] for _ in range(40)]
    assert texts[:20] == assemble_molecules(20, seed=0)
    assert not set(texts[:20]) & set(texts[20:])


@pytest.mark.parametrize(("content", "message"), [("C1CC\n\n", "no molecule in"), (None, "file not found|cannot read")])
def test_files_without_a_molecule_are_refused(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "none.smi"
    if content is not None:
        path.write_text(content)
    options = {"of": "pcqm4m", "rows": 20, "smiles": [str(path)]}
    with pytest.raises(MolfoundError, match=message):
        generated_table(Component(name="lookalike", options=options), tmp_path / "out")
    assert not list((tmp_path / "out").glob("**/*.parquet"))


def test_parts_follow_the_molecules_and_tell_those_seen(smiles: Path, tmp_path: Path) -> None:
    write_lookalike(tmp_path / "first.parquet", "pm6_83m", 400, files=[smiles])
    write_lookalike(tmp_path / "second.parquet", "pcba_1328", 400, files=[smiles], start=300, seen=400)
    first = pq.read_table(tmp_path / "first.parquet")["split"].to_pylist()
    second = pq.read_table(tmp_path / "second.parquet")["split"].to_pylist()
    assert set(first) == {"train", "val", "test"}
    assert first.count("train") / 400 == pytest.approx(0.92, abs=0.04)
    assert second[:100] == ["test_seen" if part == "train" else part for part in first[300:]]
    assert "test_seen" not in second[100:]


def test_the_bytes_do_not_depend_on_the_process(smiles: Path, tmp_path: Path) -> None:
    options = {"of": "pcqm4m", "rows": 1100, "smiles": [str(smiles)]}
    path = generated_table(Component(name="lookalike", options=options), tmp_path / "one")
    code = f"""
from pathlib import Path
from molfound.data.lookalike import lookalike
print(lookalike(Path({str(tmp_path / "two")!r}), **{options!r}))
"""
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    other = Path(done.stdout.strip())
    assert other.name == path.name
    assert other.read_bytes() == path.read_bytes()


def test_an_existing_table_is_returned_and_another_option_makes_another(tmp_path: Path, smiles: Path) -> None:
    options = {"of": "pcqm4m", "rows": 20, "smiles": [str(smiles)]}
    path = generated_table(Component(name="lookalike", options=options), tmp_path)
    before = path.stat().st_mtime_ns
    assert generated_table(Component(name="lookalike", options=options), tmp_path) == path
    assert path.stat().st_mtime_ns == before
    other = generated_table(Component(name="lookalike", options=options | {"seed": 1}), tmp_path)
    assert other != path
    assert other.read_bytes() != path.read_bytes()
    assert sorted(tmp_path.glob("*.parquet")) == sorted([path, other])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": "pcba", "rows": 20}, "option 'of'"),
        ({"of": "pcqm4m", "rows": 19}, "option 'rows'"),
        ({"of": "pcqm4m", "rows": 20, "noise": 1.0}, "option 'noise'"),
        ({"of": "pcqm4m", "rows": 20, "noises": 0.1}, "did you mean 'noise'"),
    ],
)
def test_wrong_options_are_a_users_error(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(MolfoundError, match=message):
        generated_table(Component(name="lookalike", options=options), tmp_path)


@pytest.mark.parametrize("name", ["l1000_vcap", "pcqm4m"])
def test_a_look_alike_is_prepared_and_only_restricted_rows_are_rejected(
    name: Name, smiles: Path, prepare: Prepare
) -> None:
    shipped = load_manifest(f"lookalike/{name}").model_dump(mode="json")
    options = {"name": "lookalike", "of": name, "rows": 300, "smiles": [str(smiles)]}
    report = prepare(Manifest.model_validate(shipped | {"generator": options}), data=data_config(block_rows=512))
    assert report.rejected == ({"restricted": 2} if name == "l1000_vcap" else {})
