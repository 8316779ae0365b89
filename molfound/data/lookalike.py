"""Look-alikes of the LargeMix and UltraLarge tables: their columns and types, of any number of real molecules.

The labels are made up, but as in the tables: sparse, imbalanced, correlated, on the right atoms. And they follow from
the structure, so that a model can learn them: from what atoms and their neighbours are, see
`molfound.data.lookalike_signal`.

- Assays: 11 % of the cells are filled, of some labels a hundred times as many as of others, and not the same of each of
  eight screening libraries, of which a molecule is in one; 0.1 to 10 % of a label's values are 1, evenly on a
  logarithmic scale.
- Genes: classes 0 to 4, of which 2, unchanged, has 85 to 97 % of a gene's values.
- Properties: numbers of very different scales; those of a second calculation are missing in half of the rows.
- Atoms: lists of numbers in the order of the atoms of the SMILES.

The last column, ``split``, is of the look-alike's own: train, val, test (0.92, 0.04, 0.04), and test_seen, molecules
that another look-alike of the same molecules has in train.
"""

import hashlib
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import Field
from rdkit import rdBase

from molfound.chem.graphs import FEATURIZER_VERSION, featurize
from molfound.config.schema import Text
from molfound.data import (
    assembly,
    fragments,
    lookalike_labels,
    lookalike_molecules,
    lookalike_schemas,
    lookalike_signal,
)
from molfound.data.generators import generators
from molfound.data.lookalike_labels import LabelMaker
from molfound.data.lookalike_molecules import molecules
from molfound.data.lookalike_schemas import SCHEMAS, Name, Schema
from molfound.data.lookalike_signal import ATOM_FEATURES
from molfound.data.manifest import file_sha256
from molfound.data.shards import partial_file

BLOCK = 1024
"""Rows made at a time; the labels' frequencies are fitted to the first of them."""
ROW_GROUP = 8192
PARTS = ("train", "val", "test", "test_seen")
BOUNDS = (0.92, 0.96)
RESTRICTED = 250
"""One of so many SMILES is the word ``restricted``, where there are any."""

Natural = Annotated[int, Field(ge=0)]


@generators.register("lookalike")
def lookalike(
    folder: Path,
    *,
    of: Name,
    rows: Annotated[int, Field(ge=20)],
    smiles: list[Text] | None = None,
    seed: Natural = 0,
    noise: Annotated[float, Field(ge=0, le=0.9)] = 0.2,
    start: Natural = 0,
    seen: Natural = 0,
) -> Path:
    """Write a look-alike into `folder`, unless it is there already, and return its path.

    The file's bytes are a function of the options, of the SMILES files' content, of this code and of the versions of
    RDKit, numpy and Arrow; its name tells some of the options and a hash of the rest. Memory does not depend on `rows`.

    Args:
        folder: where to write it.
        of: the table, by the name of its manifest.
        rows: how many.
        smiles: files of molecules, see `molfound.data.lookalike_molecules.molecules`; None: the embedded molecules.
        seed: of everything made up. Look-alikes of one seed are about the same molecules, and their labels follow from
            the same properties of these.
        noise: share of each label's variance that does not follow from the structure.
        start: how many molecules come before the first row's.
        seen: how many molecules another look-alike has, whose start is 0: of those here that it has in its part train,
            the part is test_seen.

    Raises:
        MolfoundError: a SMILES file that is missing or empty, or a folder that cannot be written.
    """
    files = [Path(name) for name in smiles or ()]
    choices = f"{seed} {noise} {start} {seen} {[file_sha256(path) for path in files]} {_code()}"
    path = folder / f"{of}-{rows}-{hashlib.sha256(choices.encode()).hexdigest()[:12]}.parquet"
    if not path.exists():
        write_lookalike(path, of, rows, files=files, seed=seed, noise=noise, start=start, seen=seen)
    return path


def write_lookalike(
    path: Path,
    of: Name,
    rows: int,
    *,
    files: Sequence[Path] = (),
    seed: int = 0,
    noise: float = 0.2,
    start: int = 0,
    seen: int = 0,
) -> None:
    """Write the Parquet file of `lookalike`, atomically."""
    schema = SCHEMAS[of]
    source = islice(molecules(files, schema.shuffled, seed), start, start + rows)
    # A word for each molecule of the source, so that its part is the same wherever it starts.
    words = np.random.Philox(key=0)
    words.random_raw(start)
    labels: LabelMaker | None = None
    with (
        partial_file(path) as partial,
        pq.ParquetWriter(partial, _arrow_schema(schema), **_encodings(schema)) as writer,
    ):
        pending: list[pa.Table] = []
        for first in range(0, rows, BLOCK):
            pairs = list(islice(source, BLOCK))
            graphs = featurize([molecule for _, molecule in pairs], ATOM_FEATURES, [])
            labels = labels or LabelMaker(schema, graphs, seed, of, noise)
            columns = labels.columns_of(graphs, np.random.default_rng([seed, *of.encode(), first]))
            numbers = first + np.arange(len(pairs))
            parts = _parts(words.random_raw(len(pairs)), start + numbers < seen)
            columns |= _other_columns(schema, numbers, [text for text, _ in pairs]) | {"split": parts}
            pending.append(pa.table(columns).select(_arrow_schema(schema).names))
            if len(pending) * BLOCK >= ROW_GROUP or first + BLOCK >= rows:
                writer.write_table(pa.concat_tables(pending).combine_chunks(), row_group_size=ROW_GROUP)
                pending.clear()


def _parts(words: NDArray[np.uint64], seen: NDArray[np.bool_]) -> pa.Array:
    """Return the part of each molecule; `seen` tells whether another look-alike has it."""
    part = np.searchsorted(BOUNDS, words / 2.0**64, side="right")
    part = np.where(seen & (part == PARTS.index("train")), PARTS.index("test_seen"), part)
    return pa.array(PARTS).take(pa.array(part))


def _other_columns(schema: Schema, numbers: NDArray[np.int64], smiles: Sequence[str]) -> dict[str, pa.Array]:
    """Return the columns that hold no labels."""
    texts = np.array(smiles, dtype=object)
    if schema.restricted:
        texts[numbers % RESTRICTED == 7] = "restricted"
    found: dict[str, pa.Array] = {}
    for column in schema.columns:
        match column.content:
            case "row":
                found[column.name] = pa.array(numbers, column.type)
            case "text":
                found[column.name] = pa.array(
                    [f"{column.prefix}{number:07}" for number in numbers.tolist()], column.type
                )
            case "constant":
                found[column.name] = pa.array([column.prefix] * len(numbers), column.type)
            case "empty":
                found[column.name] = pa.nulls(len(numbers), column.type)
            case "smiles":
                found[column.name] = pa.array(texts, column.type)
    return found


def _arrow_schema(schema: Schema) -> pa.Schema:
    fields = [(column.name, column.type) for column in schema.columns]
    return pa.schema([*fields, ("split", pa.string())])


def _encodings(schema: Schema) -> dict[str, object]:
    """Return how the writer encodes the columns: a dictionary pays where a column has few different values."""
    few: list[str] = ["split", *schema.names("assay", "gene", "count", "constant")]
    return {"compression": "zstd", "compression_level": 3, "use_dictionary": few, "write_statistics": False}


def _code() -> str:
    """Return what changes with the code that makes the table and with the libraries that it asks."""
    modules = (assembly, fragments, lookalike_labels, lookalike_molecules, lookalike_schemas, lookalike_signal)
    sources = [Path(str(file)).read_bytes() for file in (__file__, *(module.__file__ for module in modules))]
    digest = hashlib.sha256(b"\n".join(sources)).hexdigest()
    return f"{digest} {rdBase.rdkitVersion} {np.__version__} {pa.__version__} {FEATURIZER_VERSION}"
