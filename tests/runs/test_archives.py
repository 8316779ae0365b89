"""Archives of runs: unpacked once and whole, and none from anywhere does harm."""

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from molfound.errors import MolfoundError
from molfound.runs import archives, find_run

MODEL = {"model.json": b"{}", "plugins/00_own.py": b"x = 1\n"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MOLFOUND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def zipped(folder: Path, path: Path, prefix: str = "") -> Path:
    """Write a folder's files into a zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, prefix + file.relative_to(folder).as_posix())
    return path


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize("prefix", ["", "./", "my-run/"])
def test_unpacks_once(make, prefix: str, tmp_path: Path, cache: Path) -> None:
    archive = make(tmp_path / "archive", {prefix + name: content for name, content in MODEL.items()})
    folder = find_run(archive)
    assert contents(folder) == MODEL
    assert folder.is_relative_to(cache)
    (folder / "mark").touch()
    assert find_run(str(archive)) == folder
    assert (folder / "mark").exists()
    assert [path for path in (cache / "runs").iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "a/../../escaped", "..\\escaped", "C:/escaped"])
def test_nothing_leads_out(make, name: str, tmp_path: Path, cache: Path) -> None:
    archive = make(tmp_path / "archive", {**MODEL, name: b"!"})
    with pytest.raises(MolfoundError, match=r"is not unpacked: .* leads out of its folder"):
        find_run(archive)
    assert list((cache / "runs").iterdir()) == []
    assert not list(tmp_path.rglob("*escaped"))


def test_links_are_refused(tmp_path: Path) -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
        with tarfile.open(tmp_path / "archive.tar.gz", "w:gz") as archive:
            entry = tarfile.TarInfo("model.json")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
        with pytest.raises(MolfoundError, match="is a link"):
            find_run(tmp_path / "archive.tar.gz")
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as packed:
        link = zipfile.ZipInfo("model.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(link, "/etc/passwd")
    with pytest.raises(MolfoundError, match="is a link"):
        find_run(tmp_path / "archive.zip")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_bombs_stay_small(make, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "ROOM", 1 << 16)
    archive = make(tmp_path / "archive", {**MODEL, "bomb": bytes(1 << 22)})
    with pytest.raises(MolfoundError, match="far more than an archive of its size"):
        find_run(archive)
    assert list((cache / "runs").iterdir()) == []


def test_header_of_tar_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "ROOM", 1 << 16)
    with tarfile.open(tmp_path / "archive", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("model.json")
        entry.pax_headers = {"comment": "x" * (1 << 22)}
        archive.addfile(entry)
    with pytest.raises(MolfoundError, match="far more than an archive of its size"):
        find_run(tmp_path / "archive")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_too_many_files(make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "ENTRIES", 20)
    with pytest.raises(MolfoundError, match="far more than an archive of its size"):
        find_run(make(tmp_path / "archive", {f"{number}": b"" for number in range(21)}))


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_damaged(make, tmp_path: Path) -> None:
    archive = make(tmp_path / "archive", {**MODEL, "model.safetensors": bytes(range(256)) * 100})
    whole = archive.read_bytes()
    for damaged in (whole[:-30] + bytes(30), whole[: len(whole) // 2]):
        archive.write_bytes(damaged)
        with pytest.raises(MolfoundError, match=r"is damaged|neither a run folder nor an archive"):
            find_run(archive)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_compressions_are_refused(method: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive.zip", "w", method) as archive:
        archive.writestr("model.json", b"{}")
    with pytest.raises(MolfoundError, match=r"cannot be read .*: unpack it and name the folder"):
        find_run(tmp_path / "archive.zip")


def test_newer_zip_is_refused(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "archive.zip", MODEL)
    whole = bytearray(archive.read_bytes())
    whole[whole.find(b"PK\1\2") + 6] = 99
    archive.write_bytes(whole)
    with pytest.raises(MolfoundError, match=r"cannot be read \(zip file version 9\.9\): unpack it"):
        find_run(archive)


def test_numbers_in_headers_of_tar_that_are_none(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "archive", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("model.json")
        entry.pax_headers = {"GNU.sparse.map": "a,b", "GNU.sparse.size": "x"}
        archive.addfile(entry)
    with pytest.raises(MolfoundError, match="is damaged"):
        find_run(tmp_path / "archive")


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"README.md": b""}, r"holds no model: there is no model\.json"),
        ({"a/model.json": b"{}", "b/model.json": b"{}"}, "holds 2 models"),
        ({"model.json": b"{}", "./model.json": b"{}"}, "two files of one name"),
    ],
)
def test_archive_of_no_run(files: dict[str, bytes], problem: str, tmp_path: Path) -> None:
    with pytest.raises(MolfoundError, match=problem):
        find_run(make_tar(tmp_path / "run.tar.gz", files))


def test_encrypted(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "archive.zip", MODEL)
    whole = bytearray(archive.read_bytes())
    for start in (whole.find(b"PK\3\4") + 6, whole.find(b"PK\1\2") + 8):
        whole[start] |= 1
    archive.write_bytes(whole)
    with pytest.raises(MolfoundError, match="is encrypted"):
        find_run(archive)
