"""Preparation that is stopped: killed, interrupted, without a disk or without a process. Nothing finished is lost."""

import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from filelock import FileLock

from molfound.data.generators import generators
from molfound.data.manifest import Manifest
from molfound.data.prepare import open_table
from molfound.data.shards import PARTIAL
from molfound.data.store import GraphStore
from molfound.errors import MolfoundError
from molfound.plugins import load_plugin
from tests.data.conftest import SMILES, Prepare, contents, data_config, manifest_of, write_csv

ROOT = Path(__file__).parents[2]
ROWS = 160


@pytest.fixture
def table(tmp_path: Path) -> Manifest:
    """Return the manifest of a table of 20 blocks of 8 rows, whose preparation can be stopped midway."""
    smiles = [SMILES[i % len(SMILES)] + "C" * (i // len(SMILES) % 7) for i in range(ROWS)]
    write_csv(tmp_path / "table.csv", {"smiles": smiles, "a": range(ROWS), "b": range(ROWS)})
    return manifest_of(["table.csv"])


@contextmanager
def preparing(
    folder: Path, processes: int, program: Sequence[str] = ("-m", "tests.data.preparing_process")
) -> Iterator[subprocess.Popen[str]]:
    """Start a process that prepares the table, in a group of its own, whose every process is gone at the end."""
    command = [sys.executable, *program, str(folder), str(processes)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for_shards(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while len(list(folder.rglob("0*.arrow"))) < count and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def finished_shards(folder: Path) -> int:
    return len(list(folder.rglob("0*.arrow")))


@pytest.mark.parametrize(
    ("processes", "kills"),
    [(1, 2), pytest.param(1, 10, marks=pytest.mark.slow), pytest.param(2, 10, marks=pytest.mark.slow)],
)
def test_killed_again_and_again_it_ends_with_the_same_bytes(
    tmp_path: Path, table: Manifest, prepare: Prepare, processes: int, kills: int
) -> None:
    expected = contents(prepare(table, data=data_config(block_rows=8)).folder)
    shards = sum(name.rpartition("/")[2].startswith("0") for name in expected)
    store = tmp_path / "killed" / "small"
    chance = random.Random(processes)
    stopped = 0
    for kill in range(1, kills + 1):
        with preparing(tmp_path, processes) as process:
            wait_for_shards(store, shards * kill // (kills + 1), process)
            time.sleep(chance.random() * 0.02)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        left = finished_shards(store)
        stopped += 0 < left < shards
    assert stopped >= kills - 1
    report = prepare(table, store="killed", data=data_config(block_rows=8))
    assert report.reused == left
    assert contents(report.folder) == expected
    assert not list(store.rglob(f"*{PARTIAL}"))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the worker processes through /proc")
def test_workers_end_with_a_killed_parent(tmp_path: Path, table: Manifest, prepare: Prepare) -> None:
    with preparing(tmp_path, 2) as process:
        wait_for_shards(tmp_path / "killed", 1, process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        workers = [int(pid) for pid in children if "resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_text()]
        assert workers
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 20
        while any(map(running, workers)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(running, workers))
    resumed = prepare(table, store="killed", data=data_config(block_rows=8))
    assert resumed.reused
    assert contents(resumed.folder) == contents(prepare(table, data=data_config(block_rows=8)).folder)


def test_ctrl_c_leaves_the_finished_shards_and_nothing_partial(
    tmp_path: Path, table: Manifest, prepare: Prepare
) -> None:
    store = tmp_path / "killed" / "small"
    with preparing(tmp_path, 2) as process:
        wait_for_shards(store, 2, process)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert "BrokenProcessPool" not in errors
    left = finished_shards(store)
    assert 2 <= left < 80
    assert not list(store.rglob(f"*{PARTIAL}"))
    report = prepare(table, store="killed", data=data_config(block_rows=8))
    assert report.reused == left
    assert contents(report.folder) == contents(prepare(table, data=data_config(block_rows=8)).folder)


@pytest.mark.parametrize("write", [0, 1, 5, 11, 12, 13])  # the last two are rejected.parquet and store.json
def test_a_full_disk_keeps_what_was_finished(
    small: Manifest, prepare: Prepare, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    expected = contents(prepare(small, store="whole").folder)
    real, count = os.replace, 0

    def replaced(self: Path, target: Path) -> None:
        nonlocal count
        count += 1
        if count > write:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, target)

    monkeypatch.setattr(Path, "replace", replaced)
    with pytest.raises(MolfoundError, match=r"the disk is full, writing .*stores/small.*: free some space") as error:
        prepare(small)
    assert "\n" not in str(error.value)
    monkeypatch.undo()
    report = prepare(small)
    assert report.reused == min(write, 12)
    assert contents(report.folder) == expected


def test_a_full_disk_in_a_process_of_its_own_is_the_same_line(
    tmp_path: Path, small: Manifest, prepare: Prepare
) -> None:
    (tmp_path / "plugin.py").write_text(
        "import errno, os\n"
        "def full(descriptor):\n"
        "    raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "os.fsync = full\n"
    )
    with pytest.raises(MolfoundError, match="the disk is full"):
        prepare(small, data=data_config(processes=2), plugins=[tmp_path / "plugin.py"])
    assert prepare(small).built == 12


def mounted(*arguments: str) -> None:
    """Mount something, or skip the test."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("mounting takes root")
    if subprocess.run(["mount", *arguments], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")


@pytest.mark.parametrize("generated", [False, True])
def test_a_disk_that_is_really_full_at_one_write_after_the_other(
    tmp_path: Path, prepare: Prepare, generated: bool
) -> None:
    rows = {"smiles": SMILES[:8], "logp": range(8)}
    write_csv(tmp_path / "table.csv", rows)
    tasks = {"task": {"kind": "regression", "labels": ["logp"]}}
    generator = {"generator": {"name": "embedded", "molecules": 20}} if generated else {}
    manifest = manifest_of([] if generated else ["table.csv"], tasks=tasks, **generator)
    expected = contents(prepare(manifest, data=data_config()).folder)
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted("-t", "tmpfs", "-o", "size=4k", "tmpfs", str(disk))
    try:
        left: list[int] = []
        for size in range(8, 400, 4):  # a file takes a page of 4 kB at least
            subprocess.run(["mount", "-o", f"remount,size={size}k", str(disk)], check=True)
            try:
                report = prepare(manifest, store="disk", data=data_config())
            except MolfoundError as error:
                assert "the disk is full" in str(error)  # noqa: PT017
                left.append(finished_shards(disk))
                assert not list(disk.rglob(f"*{PARTIAL}"))
            else:
                break
        assert left == sorted(left)
        assert len(set(left)) > 4
        assert contents(report.folder) == expected
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Have a folder that may only be read, be it by one who may write everywhere."""
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        mounted("--bind", str(folder), str(folder))
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
            yield
        finally:
            subprocess.run(["umount", str(folder)], check=True)
        return
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        yield
    finally:
        for path in folders:
            path.chmod(0o755)


def test_a_whole_store_that_may_only_be_read_is_used_as_it_is(
    tmp_path: Path, small: Manifest, prepare: Prepare
) -> None:
    first = prepare(small, scaffolds=True)
    before = contents(first.folder)
    with read_only(tmp_path / "stores"):
        report = prepare(small)  # less than is there
        assert (report.built, report.rows, report.rejected) == (0, first.rows, first.rejected)
        assert len(GraphStore.open(report.folder, report.families).load()) == len(SMILES)
        with pytest.raises(MolfoundError, match=r"may only be read, and lacks encodings/laplacian .* data\.store"):
            prepare(small, encodings={"laplacian": {"pairs": 2}})
        assert contents(first.folder) == before
    (first.folder / "store.json").unlink()
    with read_only(tmp_path / "stores"), pytest.raises(MolfoundError, match="may only be read, and lacks graphs"):
        prepare(small)


def test_a_generated_table_that_may_only_be_read_is_used_too(tmp_path: Path, prepare: Prepare) -> None:
    tasks = {"task": {"kind": "regression", "labels": ["logp"]}}
    manifest = manifest_of([], tasks=tasks, generator={"name": "embedded", "molecules": 20})
    prepare(manifest)
    with read_only(tmp_path / "stores"):
        assert prepare(manifest).reused == 20
        assert "logp" in open_table(manifest, tmp_path, tmp_path / "stores").columns


def test_a_process_that_dies_is_told_and_nothing_is_lost(tmp_path: Path, small: Manifest, prepare: Prepare) -> None:
    (tmp_path / "plugin.py").write_text(
        "import os\n"
        "from molfound.encodings import encoding\n"
        "@encoding('deadly', parts={'x': 'graph'})\n"
        "def deadly(block):\n"
        "    if block.graph_count > 1:\n"
        "        os._exit(9)\n"
        "    return {'x': block.node_ptr[1:, None].astype(float)}\n"
    )
    load_plugin(tmp_path / "plugin.py")
    with pytest.raises(MolfoundError, match=r"a process that prepares the data died .* finished shards are kept"):
        prepare(small, encodings={"deadly": {}}, data=data_config(processes=2), plugins=[tmp_path / "plugin.py"])
    report = prepare(small)
    assert report.built + report.reused == 12
    assert 0 < report.built < 12
    assert len(GraphStore.open(tmp_path / "stores" / "small").load()) == len(SMILES)


@pytest.mark.usefixtures("table")
def test_a_script_without_a_main_line_prepares_too(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "import sys\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.data.preparing_process import main\n"
        "main(Path(sys.argv[1]), int(sys.argv[2]))\n"
    )
    with preparing(tmp_path, 2, [str(tmp_path / "script.py")]) as process:
        built, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert int(built) > 0


def test_a_second_process_waits_and_says_so(
    tmp_path: Path, small: Manifest, prepare: Prepare, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "stores" / "small"
    folder.mkdir(parents=True)
    built: list[int] = []
    with FileLock(folder / ".lock"):
        thread = threading.Thread(target=lambda: built.append(prepare(small, progress=True).built))
        thread.start()
        said, deadline = "", time.monotonic() + 20
        while "waiting" not in said and time.monotonic() < deadline:
            time.sleep(0.02)
            said += capfd.readouterr().err
        assert "another process prepares" in said
        assert not built
    thread.join(timeout=60)
    assert built == [12]


def test_a_generated_table_is_made_once_and_nobody_takes_its_unfinished_file(
    tmp_path: Path, prepare: Prepare, capfd: pytest.CaptureFixture[str]
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    made: list[Path] = []

    @generators.register("slow_in_test")
    def slow(folder: Path) -> Path:
        path = folder / "made.csv"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            partial = folder / f".made.{len(made)}{PARTIAL}"
            made.append(path)
            write_csv(partial, {"smiles": ["C", "CC"], "a": [1, 2], "b": [1, 2]})
            begun.set()
            go_on.wait(30)
            partial.rename(path)
        return path

    manifest = manifest_of([], generator={"name": "slow_in_test"})
    with ThreadPoolExecutor(2) as threads:
        opened = threads.submit(open_table, manifest, tmp_path, tmp_path / "stores")
        assert begun.wait(30)
        prepared = threads.submit(prepare, manifest, progress=True)
        said, deadline = "", time.monotonic() + 20
        while "waiting" not in said and len(made) == 1 and not prepared.done() and time.monotonic() < deadline:
            time.sleep(0.02)
            said += capfd.readouterr().err
        go_on.set()
        assert opened.result(60).columns == ("smiles", "a", "b")
        assert prepared.result(60).rows == 2
    assert "another process prepares" in said
    assert len(made) == 1


@pytest.mark.slow
def test_two_processes_at_once_make_one_store(tmp_path: Path, table: Manifest, prepare: Prepare) -> None:
    expected = contents(prepare(table, data=data_config(block_rows=8)).folder)
    with preparing(tmp_path, 1) as first, preparing(tmp_path, 1) as second:
        outputs = [process.communicate(timeout=120)[0] for process in (first, second)]
    assert sorted(int(output) for output in outputs) == [0, 80]
    assert contents(tmp_path / "killed" / "small") == expected


def test_a_rebuilt_shard_is_said_in_one_line(
    small: Manifest, prepare: Prepare, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = prepare(small).folder
    shard = sorted(folder.rglob("0*.arrow"))[0]
    shard.write_bytes(b"PAR1")
    capfd.readouterr()
    prepare(small, progress=True)
    said = [line for line in capfd.readouterr().err.splitlines() if "damaged" in line]
    assert said == [f"{shard} is damaged: it is built again"]


@pytest.mark.parametrize("store", ["stores", "stores/deeper", "x" * 300])
def test_a_store_that_cannot_be_a_folder_is_named(
    tmp_path: Path, small: Manifest, prepare: Prepare, store: str
) -> None:
    (tmp_path / "stores").touch()
    with pytest.raises(MolfoundError, match=rf"cannot write .*{store}/small: "):
        prepare(small, store=store)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path, small: Manifest, prepare: Prepare) -> None:
    (tmp_path / "stores").mkdir(mode=0o500)
    with pytest.raises(MolfoundError, match=r"cannot write .*stores"):
        prepare(small)
