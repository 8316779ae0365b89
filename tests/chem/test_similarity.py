"""Known molecules: what a file of them holds, and what is none."""

import io
from typing import Any

import numpy as np
import pytest

from molfound.chem import similarity
from molfound.chem.similarity import KnownMolecules
from molfound.errors import MolfoundError

KNOWN = KnownMolecules.of(["CCO", "c1ccccc1O"], threshold=0.25)


def packed(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def test_bytes_are_read_as_they_were_written() -> None:
    again = KnownMolecules.from_bytes(KNOWN.to_bytes())
    assert again.threshold == 0.25
    assert np.array_equal(again.fingerprints, KNOWN.fingerprints)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\3\4",
        b"text",
        KNOWN.to_bytes()[:-5],
        bytes(byte ^ (0x55 if 60 < place < 120 else 0) for place, byte in enumerate(KNOWN.to_bytes())),
        packed(fingerprints=KNOWN.fingerprints),
        packed(fingerprints=KNOWN.fingerprints, threshold=np.zeros(3)),
        packed(fingerprints=KNOWN.fingerprints[:, :9], threshold=0.5),
    ],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(MolfoundError, match="these are no fingerprints"):
        KnownMolecules.from_bytes(content)


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "LARGEST", 1 << 16)
    with pytest.raises(MolfoundError, match="too many fingerprints"):
        KnownMolecules.from_bytes(packed(fingerprints=np.zeros((512, 256), np.uint8), threshold=0.5))
