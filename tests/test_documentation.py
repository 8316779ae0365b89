"""Every page of the guide is executed, in its order: files are written, shell lines run, Python evaluated."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from molfound.config.locations import shipped_folder

PAGES = sorted((Path(__file__).parent.parent / "docs" / "guide").glob("*.md"))
FENCE = re.compile(r"^```(?P<language>\w+)(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def write_small_manifest(folder: Path) -> None:
    """Write the embedded dataset's manifest with fewer molecules, as the pages say they use."""
    manifest = yaml.safe_load((shipped_folder("datasets_manifest") / "embedded.yaml").read_text())
    manifest["generator"]["molecules"] = 300
    (folder / "small.yaml").write_text(yaml.safe_dump(manifest))


def run(command: list[str], folder: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(PAGES[0].parents[2]), os.environ.get("PYTHONPATH")])),
    }
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


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
                run(["bash", "-c", line.replace("molfound ", f"{sys.executable} -m molfound ", 1)], tmp_path)
                executed += 1
        elif block["language"] == "python":
            run([sys.executable, "-c", code], tmp_path)
            executed += 1
    assert executed, f"{page.name} holds nothing that runs"
