"""What a user may call a run, and what is answered to a name of none."""

import inspect
import sys
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

import molfound as mf
from molfound.errors import MolfoundError
from molfound.runs import find_run, packaged
from molfound.runs.hub import FILES
from tests.inference.conftest import run as run
from tests.runs.test_archives import zipped

SIGNATURE = inspect.signature(huggingface_hub.snapshot_download)


@pytest.fixture
def shipped(tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that comes with molfound, called `tiny-gine`."""
    folder = tmp_path / "pretrained" / "tiny-gine"
    folder.parent.mkdir()
    run.rename(folder)
    monkeypatch.setattr(packaged, "FOLDER", folder.parent)
    return folder


def test_folder_goes_before_a_packaged_model(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_run("tiny-gine") == shipped
    (tmp_path / "tiny-gine").mkdir()
    assert find_run("tiny-gine") == Path("tiny-gine")


def test_one_model_by_all_its_names(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLFOUND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: str(shipped))
    names = ["tiny-gine", shipped, zipped(shipped, tmp_path / "run.zip"), "hf://someone/tiny-gine"]
    first, *others = [mf.load(name).predict(["CCO"]).drop(columns="smiles").to_json() for name in names]
    assert others == [first] * 3


@pytest.mark.parametrize("name", ["tiny-gin", "", "nothing/here", "a\0b", "x" * 5000])
def test_no_such_run(shipped: Path, name: str) -> None:
    with pytest.raises(MolfoundError, match=r"^no run '") as caught:
        find_run(name)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)
    if name == "tiny-gin":
        assert str(caught.value).endswith("did you mean 'tiny-gine'?")


def test_file_that_is_no_archive(shipped: Path) -> None:
    with pytest.raises(MolfoundError, match=r"neither a run folder nor an archive of one"):
        find_run(shipped / "model.json")


@pytest.mark.parametrize(
    ("address", "repository", "revision"),
    [("hf://someone/tiny", "someone/tiny", None), ("hf://some.one/t-1@refs/pr/2", "some.one/t-1", "refs/pr/2")],
)
def test_hub_is_asked_for_the_few_files(
    address: str, repository: str, revision: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}

    def download(*args: object, **options: object) -> str:
        asked.update(SIGNATURE.bind(*args, **options).arguments)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert find_run(address) == tmp_path
    assert asked["repo_id"] == repository
    assert asked["revision"] == revision
    assert asked["allow_patterns"] == list(FILES)


@pytest.mark.parametrize("address", ["hf://", "hf://only", "hf://a/b/c", "hf://a/b@", "hf://a/b c"])
def test_address_that_is_none(address: str) -> None:
    with pytest.raises(MolfoundError, match=r"is no address of a run: write hf://OWNER/NAME"):
        find_run(address)


class ConnectError(Exception):
    """As httpx has one, which is no OSError."""


@pytest.mark.parametrize(
    "error",
    [
        LocalEntryNotFoundError("Cannot reach the hub.\nMore."),
        HFValidationError("Bad name."),
        OSError(),
        ConnectError("[Errno -3] Temporary failure in name resolution"),
    ],
)
def test_hub_that_refuses(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*args: object, **options: object) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(MolfoundError, match=r"^cannot fetch hf://a/b: [^\n]*[^.]$") as caught:
        find_run("hf://a/b")
    assert caught.value.__cause__ is error


def test_hub_without_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MolfoundError, match=r"pip install 'molfound\[hub\]'"):
        find_run("hf://a/b")
