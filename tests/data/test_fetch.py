import hashlib
import json
import shutil
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from molfound.data import transfer
from molfound.data.fetch import CHECKSUMS, FetchedFile, fetch_dataset
from molfound.data.manifest import Manifest, load_manifest
from molfound.data.shards import held
from molfound.errors import MolfoundError
from tests.data.conftest import manifest_of
from tests.data.file_server import FileServer, file_server

CONTENT = bytes(range(256)) * 64  # 16 KiB
SHA = hashlib.sha256(CONTENT).hexdigest()
OTHER = CONTENT[::-1]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(transfer, "CHUNK", 1000)
    monkeypatch.setattr(transfer.transfer, "__defaults__", ((0.0, 0.0),))
    monkeypatch.setattr(transfer, "TIMEOUT", 5.0)
    with file_server() as served:
        served.files["/a.csv"] = CONTENT
        yield served


def manifest(server: FileServer | None, sha256: str | None = None, **changes: Any) -> Manifest:
    """Return a dataset of the file a.csv, in a folder of its own."""
    url = None if server is None else server.url("/a.csv")
    files = {"files": [{"name": "a.csv", "url": url, "sha256": sha256}]}
    content = manifest_of(["a.csv"]).model_dump(mode="json")
    return Manifest.model_validate(content | {"folder": "mix"} | files | changes)


def fetch(described: Manifest, root: Path, **options: Any) -> list[FetchedFile]:
    return fetch_dataset(described, root, shown=False, **options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_and_split_files_come_into_the_dataset_s_folder(tmp_path: Path, server: FileServer) -> None:
    server.files["/split.csv"] = b"row,part\n0,train\n"
    splits = {"s": {"kind": "file", "file": "split.csv", "url": server.url("/split.csv")}}
    fetched = fetch(manifest(server, splits=splits), tmp_path / "data")
    folder = tmp_path / "data" / "mix"
    assert [(file.path, file.how) for file in fetched] == [
        (folder / "a.csv", "fetched"),
        (folder / "split.csv", "fetched"),
    ]
    assert (folder / "a.csv").read_bytes() == CONTENT
    assert (fetched[0].sha256, fetched[0].size) == (SHA, len(CONTENT))
    assert names(folder) == ["a.csv", "split.csv"]


def test_what_is_there_is_verified_and_not_fetched_again(tmp_path: Path, server: FileServer) -> None:
    fetch(manifest(server), tmp_path)
    [again] = fetch(manifest(server), tmp_path)
    assert again.how == "present"
    assert len(server.asked) == 1
    assert json.loads((tmp_path / CHECKSUMS).read_text()) == {
        "mix/a.csv": {"sha256": SHA, "size": len(CONTENT), "source": server.url("/a.csv")}
    }


def test_a_file_of_the_user_s_own_is_taken_as_it_is_the_first_time(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CONTENT)
    [found] = fetch(manifest(None), tmp_path)
    assert (found.path, found.how) == (tmp_path / "a.csv", "present")
    assert json.loads((tmp_path / CHECKSUMS).read_text())["a.csv"]["sha256"] == SHA


def test_a_file_that_has_changed_since_is_refused(tmp_path: Path, server: FileServer) -> None:
    fetch(manifest(server), tmp_path)
    path = tmp_path / "mix" / "a.csv"
    path.write_bytes(OTHER)
    with pytest.raises(MolfoundError, match=f"a.csv is another file than expected: .*not {SHA}; .*remove it"):
        fetch(manifest(server), tmp_path)
    path.unlink()
    assert fetch(manifest(server), tmp_path)[0].sha256 == SHA


@pytest.mark.parametrize("first_use", [False, True])
def test_another_checksum_is_kept_aside_and_never_used(tmp_path: Path, server: FileServer, first_use: bool) -> None:
    if first_use:
        fetch(manifest(server), tmp_path)
        (tmp_path / "mix" / "a.csv").unlink()
    server.files["/a.csv"], server.tag = OTHER, '"two"'
    wrong = hashlib.sha256(OTHER).hexdigest()
    with pytest.raises(MolfoundError, match=f"its sha256 is {wrong}, not {SHA}; it is kept as .* and not used"):
        fetch(manifest(server, None if first_use else SHA.upper()), tmp_path)
    assert names(tmp_path / "mix") == [f"a.csv.wrong-{wrong[:8]}"]
    assert (tmp_path / "mix" / f"a.csv.wrong-{wrong[:8]}").read_bytes() == OTHER


def test_a_cut_transfer_is_continued_where_it_was_cut(tmp_path: Path, server: FileServer) -> None:
    server.cuts = [5000, 300]
    fetch(manifest(server, SHA), tmp_path)
    assert server.asked == [None, "bytes=5000-", "bytes=5300-"]
    assert names(tmp_path / "mix") == ["a.csv"]


@pytest.mark.parametrize(
    "error",
    [
        ssl.SSLError(1, "[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] decryption failed or bad record mac"),
        OSError(113, "No route to host"),
        PermissionError(13, "Permission denied"),
        TimeoutError("timed out"),
    ],
)
@pytest.mark.parametrize("when", ["asked", "read"])
def test_a_connection_that_breaks_is_tried_again(
    tmp_path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch, error: OSError, when: str
) -> None:
    broken = HTTPConnection if when == "asked" else HTTPResponse
    name = "getresponse" if when == "asked" else "read"
    sound, errors = getattr(broken, name), [error]

    def breaks_once(self: Any, *arguments: Any) -> Any:
        if errors:
            raise errors.pop()
        return sound(self, *arguments)

    monkeypatch.setattr(broken, name, breaks_once)
    fetch(manifest(server, SHA), tmp_path)
    errors += [error] * 3
    (tmp_path / "mix" / "a.csv").unlink()
    with pytest.raises(
        MolfoundError, match=r"(cannot reach|reading) .*127.0.0.1.*; what has come is kept: run it again"
    ):
        fetch(manifest(server), tmp_path)


def test_a_transfer_that_is_cut_too_often_is_continued_by_the_next_fetch(tmp_path: Path, server: FileServer) -> None:
    server.cuts = [1000, 1000, 1000]
    with pytest.raises(MolfoundError, match=r"ended after 3,000 of 16,384 bytes; .*run it again"):
        fetch(manifest(server), tmp_path)
    assert not (tmp_path / "mix" / "a.csv").exists()
    assert not (tmp_path / CHECKSUMS).exists()
    fetch(manifest(server, SHA), tmp_path)
    assert server.asked[-1] == "bytes=3000-"


def test_nothing_is_continued_from_another_version(tmp_path: Path, server: FileServer) -> None:
    server.cuts = [1000, 0, 0]
    with pytest.raises(MolfoundError, match="run it again"):
        fetch(manifest(server), tmp_path)
    server.files["/a.csv"], server.tag = OTHER, '"two"'
    assert fetch(manifest(server), tmp_path)[0].sha256 == hashlib.sha256(OTHER).hexdigest()


@pytest.mark.parametrize("tag", [None, 'W/"weak"'])
def test_without_a_version_a_cut_transfer_begins_again(tmp_path: Path, server: FileServer, tag: str | None) -> None:
    server.cuts, server.tag = [5000], tag
    fetch(manifest(server, SHA), tmp_path)
    assert server.asked == [None, None]


def test_a_server_without_ranges_sends_it_all_again(tmp_path: Path, server: FileServer) -> None:
    server.cuts, server.ranges = [5000], False
    fetch(manifest(server, SHA), tmp_path)
    assert server.asked == [None, "bytes=5000-"]


def test_a_part_that_is_already_whole_is_only_verified(tmp_path: Path, server: FileServer) -> None:
    server.cuts = [1000, 0, 0]
    with pytest.raises(MolfoundError, match="run it again"):
        fetch(manifest(server), tmp_path)
    (tmp_path / "mix" / "a.csv.part").write_bytes(CONTENT)
    fetch(manifest(server, SHA), tmp_path)
    assert server.asked[-1] == f"bytes={len(CONTENT)}-"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, r"a\.csv is not there \(HTTP 404 Not Found\)"),
        (410, "is not there"),
        (403, r"is refused \(HTTP 403 Forbidden\)"),
        (503, r"not to be had now \(HTTP 503 .*run it again"),
    ],
)
def test_an_answer_that_is_no_file_is_told(tmp_path: Path, server: FileServer, status: int, message: str) -> None:
    server.status = status
    with pytest.raises(MolfoundError, match=message) as caught:
        fetch(manifest(server), tmp_path)
    assert "\n" not in str(caught.value)
    assert len(server.asked) == (3 if status == 503 else 1)
    assert list((tmp_path / "mix").iterdir()) == []


def test_without_a_network_the_host_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*arguments: object, **options: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(MolfoundError, match=r"cannot reach example.org \(Name or service .*network\? .*--from FOLDER"):
        fetch(manifest_of(["a.csv"]), tmp_path)


def test_a_refused_connection_is_told(tmp_path: Path, server: FileServer) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/a.csv"
    with pytest.raises(MolfoundError, match=r"cannot reach 127.0.0.1:\d+ \(Connection refused\)"):
        fetch(manifest(None, files=[{"name": "a.csv", "url": url}]), tmp_path)


def test_too_little_room_is_told_before_anything_comes(
    tmp_path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(MolfoundError, match=r"has no room: 16.4 kB are to come, 1.0 kB are free"):
        fetch(manifest(server), tmp_path)
    assert list((tmp_path / "mix").iterdir()) == []


def test_a_full_disk_keeps_what_has_come(tmp_path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(MolfoundError, match=r"the disk is full, writing .*a\.csv"):
            fetch(manifest(server), tmp_path)
    assert not (tmp_path / "mix" / "a.csv").exists()
    assert fetch(manifest(server, SHA), tmp_path)[0].sha256 == SHA


def test_a_folder_serves_as_the_web_does(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    (mirror / "mix").mkdir(parents=True)
    (mirror / "mix" / "a.csv").write_bytes(CONTENT)
    [copied] = fetch(manifest(None, SHA), tmp_path / "data", mirror=mirror)
    assert (copied.how, copied.path.read_bytes()) == ("copied", CONTENT)
    (mirror / "mix" / "a.csv").write_bytes(OTHER)
    with pytest.raises(MolfoundError, match="another file than expected"):
        fetch(manifest(None, SHA), tmp_path / "other", mirror=mirror)


def test_a_copy_is_continued_from_the_same_file_only(tmp_path: Path) -> None:
    mirror, part = tmp_path / "mirror", tmp_path / "data" / "mix" / "a.csv.part"
    mirror.mkdir()
    (mirror / "a.csv").write_bytes(CONTENT)
    source = transfer.folder_source(mirror / "a.csv")
    with source.open(0, None) as opened:
        version = opened.version
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:100])
    part.with_name("a.csv.part.json").write_text(json.dumps({"source": source.name, "version": version}))
    with source.open(100, version) as opened:
        assert (opened.start, opened.stream.read()) == (100, CONTENT[100:])
    with source.open(100, "another") as opened:
        assert opened.start == 0
    assert fetch(manifest(None, SHA), tmp_path / "data", mirror=mirror)[0].sha256 == SHA
    assert names(part.parent) == ["a.csv"]


def test_a_folder_without_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(MolfoundError, match=f"file 'a.csv' is not in {tmp_path / 'm'} and {tmp_path / 'm' / 'mix'}"):
        fetch(manifest(None), tmp_path, mirror=tmp_path / "m")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"files": [{"name": "../a.csv", "url": "http://h/a"}]}, r"'\.\./a\.csv' leads out of the data folder"),
        ({"files": [{"name": "/etc/a.csv", "url": "http://h/a"}]}, "leads out"),
        ({"files": [{"name": "b\\..\\a.csv", "url": "http://h/a"}]}, "leads out"),
        ({"files": [{"name": "C:a.csv", "url": "http://h/a"}]}, "leads out"),
        ({"folder": "mix/../.."}, r"'mix/\.\./\.\.' leads out"),
        (
            {
                "files": [{"name": "a.csv", "url": "http://h/a"}],
                "splits": {"s": {"kind": "file", "file": "../s.pt", "url": "http://h/s"}},
            },
            r"'\.\./s\.pt' leads out",
        ),
        ({"files": [{"name": "all.zip", "url": "http://h/a"}]}, r"'all\.zip' is an archive"),
        ({"files": [{"name": "a.csv", "url": "http://h/all.tar.gz?download=1"}]}, "is an archive"),
        ({"files": [{"name": "a.csv"}]}, "file 'a.csv' of dataset 'small' has no address; see nowhere"),
        ({"files": [{"name": "a.csv", "url": "file:///etc/passwd"}]}, "only http and https"),
        ({"files": [{"name": "*.csv", "url": "http://h/a.csv"}]}, "stands for many files"),
    ],
)
def test_what_cannot_be_fetched_is_told_before_anything_is_written(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(MolfoundError, match=message) as caught:
        fetch(manifest(None, **changes), tmp_path / "data")
    assert "\n" not in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".fetch.lock"]


@pytest.mark.parametrize("content", ["not JSON", "[]", '{"a": 1}'])
def test_damaged_checksums_are_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_bytes(CONTENT)
    (tmp_path / CHECKSUMS).write_text(content)
    with pytest.raises(MolfoundError, match=r"checksums\.json is damaged"):
        fetch(manifest(None), tmp_path)


def test_a_generated_dataset_has_nothing_to_fetch(tmp_path: Path) -> None:
    assert fetch(load_manifest("lookalike/pcqm4m"), tmp_path / "data") == []
    assert not (tmp_path / "data").exists()


def test_progress_is_told_in_plain_lines(
    tmp_path: Path, server: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.cuts = [5000]
    fetch_dataset(manifest(server, SHA), tmp_path)
    assert "ended after 5,000 of 16,384 bytes; trying again in 0 s" in capsys.readouterr().err


def test_two_fetches_take_turns(tmp_path: Path, server: FileServer, capsys: pytest.CaptureFixture[str]) -> None:
    waiting = Event()
    with ThreadPoolExecutor() as threads, held(tmp_path / ".fetch.lock", lambda: None):
        fetched = threads.submit(fetch_dataset, manifest(server), tmp_path)
        while "waiting for it" not in capsys.readouterr().err and not fetched.done():
            waiting.wait(0.01)
        assert not server.asked
        # What the other process has fetched meanwhile is there.
        (tmp_path / "a.csv").write_bytes(CONTENT)
    assert [(file.path, file.how) for file in fetched.result(10)] == [(tmp_path / "a.csv", "present")]
    assert not server.asked
