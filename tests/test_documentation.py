"""Every page of the guide is executed, in its order: files are written, shell lines run, Python evaluated."""

import re
from pathlib import Path

import pytest
import yaml

from molfound.config.locations import shipped_folder
from tests.command_process import run_line, run_program

PAGES = sorted((Path(__file__).parent.parent / "docs" / "guide").glob("*.md"))
FENCE = re.compile(r"^```(?P<language>\w+)(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def write_small_manifest(folder: Path) -> None:
    """Write the embedded dataset's manifest with fewer molecules, as the pages say they use."""
    manifest = yaml.safe_load((shipped_folder("datasets_manifest") / "embedded.yaml").read_text())
    manifest["generator"]["molecules"] = 300
    (folder / "small.yaml").write_text(yaml.safe_dump(manifest))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_runs(page: Path, tmp_path: Path) -> None:
    write_small_manifest(tmp_path)
    blocks = list(FENCE.finditer(page.read_text()))
    executed = 0
    for block in blocks:
        code, named = block["code"], re.search(r"file=(\S+)", block["info"])
        if named:
            (tmp_path / named[1]).write_text(code)
        elif block["language"] == "sh" and "norun" not in block["info"]:
            for line in code.strip().splitlines():
                run_line(line, tmp_path)
                executed += 1
        elif block["language"] == "python":
            run_program(code, tmp_path)
            executed += 1
    assert executed, f"{page.name} holds nothing that runs"
