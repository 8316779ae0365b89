import hashlib
from pathlib import Path

import pytest

from molfound.config.documents import write_text
from molfound.config.schema import FileSplit, RandomSplit
from molfound.data.manifest import DataFile, Manifest, list_manifests, load_manifest, locate_files
from molfound.data.tables import Table, expand_columns
from molfound.errors import MolfoundError
from tests.data.conftest import manifest_of
from tests.data.real_data import DATA, needs_data


@pytest.mark.parametrize("name", list_manifests())
def test_every_shipped_manifest_is_complete(name: str) -> None:
    manifest = load_manifest(name)
    assert manifest.name == name.rpartition("/")[2]
    # A table that cannot be fetched as it is has an address that tells of it.
    fetched = manifest.generator is not None or all(file.url for file in manifest.files)
    assert fetched or manifest.source.startswith("https://")
    for split in manifest.splits.values():
        assert not isinstance(split, FileSplit) or split.url


@needs_data
@pytest.mark.parametrize("name", [name for name in list_manifests() if not load_manifest(name).generator])
def test_shipped_manifests_fit_the_real_tables(name: str) -> None:
    manifest = load_manifest(name)
    table = Table(locate_files(manifest, DATA))
    table.require([manifest.smiles])
    for task in manifest.tasks.values():
        assert expand_columns(task.labels, table.columns) == task.labels


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
