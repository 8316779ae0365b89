"""The README and each page of the guide are executed: files are written, shell lines run, Python evaluated."""

import re
from pathlib import Path

import pytest

from tests.command_process import run_line, run_program
from tests.small_manifest import write_small_manifest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs" / "guide").glob("*.md"))
FENCE = re.compile(r"^```(?P<language>\w+)(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of prepared graphs, one for all pages, because most of them use the same molecules."""
    return tmp_path_factory.mktemp("stores")


@pytest.fixture
def folder(tmp_path: Path, store: Path) -> Path:
    """A folder to execute a page in, with the embedded dataset's manifest of fewer molecules, which the pages name."""
    (tmp_path / "stores").symlink_to(store)
    write_small_manifest(tmp_path)
    return tmp_path


def run_page(page: Path, folder: Path) -> int:
    """Execute a page in a folder and return how many of its lines and programs ran."""
    executed = 0
    for block in FENCE.finditer(page.read_text()):
        code, named = block["code"], re.search(r"file=(\S+)", block["info"])
        if named:
            (folder / named[1]).write_text(code)
        elif block["language"] == "sh" and "norun" not in block["info"]:
            for line in code.strip().splitlines():
                run_line(line, folder)
                executed += 1
        elif block["language"] == "python":
            run_program(code, folder)
            executed += 1
    return executed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_runs(page: Path, folder: Path) -> None:
    assert run_page(page, folder), f"{page.name} holds nothing that runs"


def test_readme_runs(folder: Path) -> None:
    # What make has done before: the quickstart, on fewer molecules here.
    small = "data.datasets.embedded.manifest=small.yaml training.epochs=1 run.baselines=[]"
    run_line(f"molfound train quickstart {small}", folder)
    (folder / "molecules.csv").write_text("smiles\nCCO\nc1ccccc1O\n")
    assert run_page(README, folder)
    assert (folder / "predictions.parquet").is_file()
