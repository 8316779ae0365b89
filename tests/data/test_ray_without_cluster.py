"""Preparation by Ray where no cluster is; apart from `test_ray`, for Ray finds whatever cluster runs on the machine."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.conftest import write_csv

pytest.importorskip("ray", reason="Ray is not installed: pip install 'molfound[ray]'")

pytestmark = pytest.mark.slow


def test_without_a_cluster_it_says_how_to_get_one(tmp_path: Path) -> None:
    write_csv(tmp_path / "table.csv", {"smiles": ["C"], "a": [1], "b": [2]})
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.data.preparing_process import main\n"
        "from molfound.errors import MolfoundError\n"
        "try:\n"
        "    main(Path(sys.argv[1]), 1, 'ray')\n"
        "except MolfoundError as error:\n"
        "    print(error)\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, "-c", program, str(tmp_path)]
    said = [
        subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            env=environment | named | {"RAY_TMPDIR": str(tmp_path)},
            cwd=Path(__file__).parents[2],
        ).stdout.strip()
        for named in ({}, {"RAY_ADDRESS": address})
    ]
    assert said[0].startswith("no Ray cluster is running here: start one (ray start --head), or name one in")
    assert said[1].startswith(f"no Ray cluster answers at {address} (")
