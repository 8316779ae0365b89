"""How alike molecules are to those that a model knows: Tanimoto similarity of their circular fingerprints."""

import io
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rdkit import DataStructs
from rdkit.Chem import rdFingerprintGenerator

from molfound.chem.graphs import LARGEST_GRAPH
from molfound.chem.parsing import Rejection, parse
from molfound.errors import MolfoundError

RADIUS, BITS = 2, 2048
LARGEST = 64 << 20
"""Bytes that a file of fingerprints may unpack to: those of 262,144 molecules."""


@dataclass(frozen=True)
class KnownMolecules:
    """The fingerprints of some molecules, and how alike to them another has to be.

    Attributes:
        fingerprints: uint8 ``[M, 256]``, Morgan fingerprints of radius 2 in 2,048 bits (Rogers and Hahn, 2010).
        threshold: similarity to the nearest below which a molecule is unlike them.

    Example:
        >>> known = KnownMolecules.of(["CCO", "CCCO"], threshold=0.3)
        >>> known.nearest(["OCC", "c1ccccc1", "?"]).round(2).tolist()
        [1.0, 0.0, nan]
    """

    fingerprints: NDArray[np.uint8]
    threshold: float

    @classmethod
    def of(cls, molecules: Iterable[object], threshold: float = 0.0) -> Self:
        """Return those of SMILES or RDKit molecules; what is no molecule is left out."""
        texts = [DataStructs.BitVectToBinaryText(found) for found in _fingerprints(molecules) if found is not None]
        return cls(np.frombuffer(b"".join(texts), np.uint8).reshape(len(texts), BITS // 8), threshold)

    def nearest(self, molecules: Sequence[object]) -> NDArray[np.float32]:
        """Return the Tanimoto similarity of molecules to the nearest that is known, 0 to 1; NaN for no molecule."""
        known = [DataStructs.CreateFromBinaryText(row.tobytes()) for row in self.fingerprints]
        similarity = np.full(len(molecules), np.nan, np.float32)
        for place, found in enumerate(_fingerprints(molecules)):
            if found is not None:
                similarity[place] = max(DataStructs.BulkTanimotoSimilarity(found, known), default=0.0)
        return similarity

    def to_bytes(self) -> bytes:
        """Return what `from_bytes` reads, a compressed ``.npz``."""
        file = io.BytesIO()
        np.savez_compressed(file, fingerprints=self.fingerprints, threshold=np.float64(self.threshold))
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Return what `to_bytes` has written.

        Raises:
            MolfoundError: it is something else, or unpacks to more than `LARGEST`.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                unpacked = sum(entry.file_size for entry in packed.infolist())
            if unpacked > LARGEST:
                raise MolfoundError(f"these are too many fingerprints of known molecules: {unpacked:,} bytes")
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                fingerprints, threshold = arrays["fingerprints"], float(arrays["threshold"])
        except (ValueError, TypeError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
            raise MolfoundError(f"these are no fingerprints of known molecules: {error}") from None
        if fingerprints.dtype != np.uint8 or fingerprints.shape[1:] != (BITS // 8,):
            raise MolfoundError(f"these are no fingerprints of {BITS} bits: {fingerprints.shape}, {fingerprints.dtype}")
        return cls(fingerprints, threshold)


def _fingerprints(molecules: Iterable[object]) -> Iterable[DataStructs.ExplicitBitVect | None]:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)
    for given in molecules:
        # Which are too large, the model decides.
        molecule = parse(given, max_heavy_atoms=LARGEST_GRAPH)
        yield None if isinstance(molecule, Rejection) else generator.GetFingerprint(molecule)
