import hashlib
from pathlib import Path

import pytest

from molfound.config.documents import write_text
from molfound.config.schema import FileSplit, RandomSplit
from molfound.data.manifest import DataFile, Manifest, TaskSpec, find_files, list_manifests, load_manifest, locate_files
from molfound.data.tables import Table, is_wildcard
from molfound.errors import MolfoundError
from tests.data.conftest import manifest_of
from tests.data.real_data import DATA, needs_data


@pytest.mark.parametrize("name", list_manifests())
def test_every_shipped_manifest_is_complete(name: str) -> None:
    manifest = load_manifest(name)
    # Look-alikes have stores of their own.
    assert manifest.name == (name.replace("/", "_") if name.startswith("lookalike/") else name.rpartition("/")[2])
    # A table that cannot be fetched as it is has an address that tells of it.
    fetched = manifest.generator is not None or all(file.url for file in manifest.files)
    assert fetched or manifest.source.startswith("https://")
    for split in manifest.splits.values():
        assert not isinstance(split, FileSplit) or split.url


@needs_data
@pytest.mark.parametrize("name", [name for name in list_manifests() if not load_manifest(name).generator])
def test_shipped_manifests_fit_the_real_tables(name: str) -> None:
    manifest = load_manifest(name)
    if not find_files(manifest.files[0].name, manifest.folders(DATA)):
        pytest.skip(f"{DATA} has no {manifest.files[0].name}")
    table = Table(locate_files(manifest, DATA))
    table.require([manifest.smiles])
    for task in manifest.tasks.values():
        assert set(task.columns_among(table.columns)) >= {label for label in task.labels if not is_wildcard(label)}


def test_a_manifest_of_one_s_own_is_loaded_by_path(tmp_path: Path) -> None:
    manifest = manifest_of(["t.csv"])
    (tmp_path / "own.yaml").write_text(write_text(manifest.model_dump(mode="json")))
    assert load_manifest(tmp_path / "own.yaml") == manifest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"smile": "smiles"}, "unknown key 'smile'; did you mean 'smiles'"),
        ({"files": []}, "either files or a generator"),
        ({"generator": "embedded"}, "either files or a generator"),
        ({"splits": {}}, "splits"),
        ({"tasks": {"t": {"kind": "binary", "labels": "a"}}}, "tasks.t.labels"),
        ({"tasks": {"t": {"kind": "sorted", "labels": ["a"]}}}, "tasks.t.kind"),
        ({"splits": {"s": {"kind": "randm"}}}, "splits.s"),
        ({"name": "../outside"}, "name"),
        ({"name": "/outside"}, "name"),
        ({"tasks": {"../t": {"kind": "binary", "labels": ["a"]}}}, r"tasks\.\.\./t"),
    ],
)
def test_a_wrong_manifest_is_told_in_one_line(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    content = manifest_of(["t.csv"]).model_dump(mode="json", exclude_unset=True) | changes
    (tmp_path / "own.yaml").write_text(write_text(content))
    with pytest.raises(MolfoundError, match=message) as caught:
        load_manifest(tmp_path / "own.yaml")
    assert "own.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_manifest_or_split_names_the_nearest() -> None:
    with pytest.raises(MolfoundError, match="did you mean 'toymix/zinc12k'"):
        load_manifest("toymix/zinc12")
    manifest = load_manifest("toymix/zinc12k")
    with pytest.raises(MolfoundError, match="no split 'scafold'; did you mean 'scaffold'"):
        manifest.split("scafold")
    own = RandomSplit(kind="random", seed=1)
    assert manifest.split(own) is own
    assert manifest.split() is manifest.splits["published"]


def test_files_are_sought_in_the_root_then_in_the_dataset_s_folder(tmp_path: Path) -> None:
    manifest = manifest_of(["one.csv", "part-*.csv"], folder="mix")
    for name in ("one.csv", "mix/one.csv", "mix/part-1.csv", "mix/part-0.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in locate_files(manifest, tmp_path)]
    assert found == ["one.csv", "mix/part-0.csv", "mix/part-1.csv"]


def test_a_missing_file_names_itself_both_places_and_its_address(tmp_path: Path) -> None:
    with pytest.raises(MolfoundError) as caught:
        locate_files(manifest_of(["one.csv"], folder="mix"), tmp_path)
    for part in ("'one.csv'", f"{tmp_path} and {tmp_path / 'mix'}", "https://example.org/one.csv"):
        assert part in str(caught.value)


def with_file(file: DataFile) -> Manifest:
    return manifest_of([file.name]).model_copy(update={"files": (file,)})


def test_a_file_has_to_have_its_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.csv"
    path.write_bytes(b"smiles\nC\n")
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest = with_file(DataFile(name="one.csv", sha256=right.upper()))
    reads: list[str] = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, kind: (reads.append(file.name), digest(file, kind))[1])
    assert locate_files(manifest, tmp_path) == locate_files(manifest, tmp_path) == [path]
    assert reads == [str(path)]
    path.write_bytes(b"smiles\nCC\n")
    wrong = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(MolfoundError) as caught:
        locate_files(manifest, tmp_path)
    assert str(caught.value) == f"{path} is another file than expected: its sha256 is {wrong}, not {right.upper()}"


def test_one_checksum_is_not_of_many_files(tmp_path: Path) -> None:
    for name in ("1.csv", "2.csv"):
        (tmp_path / name).touch()
    with pytest.raises(MolfoundError, match=r"'\*\.csv' stands for 2 files, and a sha256 is the checksum of one"):
        locate_files(with_file(DataFile(name="*.csv", sha256="0" * 64)), tmp_path)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("largemix/l1000_vcap", {"l1000_vcap": 978}),
        ("largemix/l1000_vcap_th2", {"l1000_vcap": 978}),
        ("largemix/l1000_mcf7", {"l1000_mcf7": 978}),
        ("largemix/l1000_mcf7_th2", {"l1000_mcf7": 978}),
        ("largemix/pcba_1328", {"pcba_1328": 1328}),
        ("largemix/pcqm4m", {"pcqm4m_g25": 25, "pcqm4m_n4": 4}),
        ("ultralarge/pm6_83m", {"pm6_83m_g62": 62, "pm6_83m_n7": 7}),
    ],
)
def test_large_mixtures_have_the_published_numbers_of_labels(name: str, counts: dict[str, int]) -> None:
    tasks = load_manifest(name).tasks
    columns = {task: spec.counted_columns() for task, spec in tasks.items()}
    assert {task: len(found or ()) for task, found in columns.items()} == counts
    assert len({label for found in columns.values() for label in found or ()}) == sum(counts.values())


def test_the_misspelt_column_stays_misspelt() -> None:
    labels = load_manifest("largemix/pcqm4m").tasks["pcqm4m_g25"].labels
    assert [label for label in labels if "mull" in label] == [
        "graph_inertia_charges_mulliken_a",
        "graph_inertia_charges_mullkien_b",
        "graph_inertia_charges_mulliken_c",
    ]


COLUMNS = ["SMILES", "assayID-3", "CID", "assayID-1", "assayID-20"]


def assays(labels: list[str], count: int | None = None) -> TaskSpec:
    return TaskSpec(kind="binary", labels=tuple(labels), count=count)


def test_wildcards_stand_for_each_column_once_in_the_table_s_order() -> None:
    assert assays(["assayID-*"]).columns_among(COLUMNS) == ("assayID-3", "assayID-1", "assayID-20")
    assert assays(["assayID-1", "assayID-*"], 3).columns_among(COLUMNS) == ("assayID-1", "assayID-3", "assayID-20")


def test_another_number_of_columns_than_stated_is_refused() -> None:
    message = r"labels assayID-\* stand for 3 columns of the table, and the manifest says 1,328"
    with pytest.raises(MolfoundError, match=message):
        assays(["assayID-*"], 1328).columns_among(COLUMNS)


def test_a_wildcard_without_a_column_names_the_nearest() -> None:
    with pytest.raises(MolfoundError, match=r"wildcard 'asayID-\*' matches no column; did you mean 'assayID-"):
        assays(["asayID-*"]).columns_among(COLUMNS)


@pytest.mark.parametrize(
    ("labels", "count", "expected"),
    [
        (["a", "b"], None, ("a", "b")),
        (["x_*"], 2, ("x_0", "x_1")),
        (["a", "x_*_y"], 3, ("a", "x_0_y", "x_1_y")),
        (["x_*"], None, None),
        (["x_*", "y_?"], 5, None),
    ],
)
def test_columns_are_counted_without_the_table(
    labels: list[str], count: int | None, expected: tuple[str, ...] | None
) -> None:
    counted = assays(labels, count).counted_columns()
    assert counted == expected
    assert counted is None or assays(labels, count).columns_among(counted) == counted
