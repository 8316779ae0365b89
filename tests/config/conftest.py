from collections.abc import Callable
from pathlib import Path

import pytest

BASE = """\
name: small
data:
  datasets:
    qm9: {manifest: toymix/qm9}
    tox21: {manifest: toymix/tox21}
model:
  encoder: {name: gnn, layer: gine, depth: 4}
tasks:
  qm9: {dataset: qm9, loss: {name: huber, delta: 1}}
  tox21: {dataset: tox21}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def base(write: Callable[[str, str], Path]) -> Path:
    return write("base.yaml", BASE)
