"""How a dataset is split into parts."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from molfound.config.schema.values import Count, Dropout, Section, Seed, Text, Texts


class FileSplit(Section):
    """Parts given as row numbers in a ``.pt``, ``.npz`` or ``.csv`` file."""

    kind: Literal["file"]
    """Row numbers are read from a file."""
    file: Text
    """The file, sought where the dataset's files are: part name to row numbers."""
    url: Text | None = None
    """Where the file can be fetched."""
    sha256: Text | None = None
    """SHA-256 checksum, in hexadecimal digits, which the file has to have; null: any."""


def _fractions(value: Any) -> Any:
    numbers = isinstance(value, list | tuple) and all(type(part) in (int, float) for part in value)
    if not numbers or len(value) != 3 or not all(0 <= part <= 1 for part in value) or value[0] == 0:
        raise PydanticCustomError("fractions", "should be three shares from 0 to 1, train, val and test, train above 0")
    if sum(value) > 1 + 1e-9:
        raise PydanticCustomError("fractions", "the fractions sum to {total}, above 1", {"total": f"{sum(value):g}"})
    return tuple(float(part) for part in value)


Fractions = Annotated[tuple[float, float, float], BeforeValidator(_fractions)]


class RandomSplit(Section):
    """Parts drawn row by row at random."""

    kind: Literal["random"]
    """Rows are drawn at random."""
    fractions: Fractions = (0.8, 0.1, 0.1)
    """Shares of the rows for train, val and test; at most 1 in all, and what they leave is not used."""
    seed: Seed = 42
    """Seed of the draw."""


class ScaffoldSplit(Section):
    """Parts of whole Murcko scaffolds, so that no scaffold stands in two parts."""

    kind: Literal["scaffold"]
    """Whole Murcko scaffolds are drawn."""
    fractions: Fractions = (0.8, 0.1, 0.1)
    """Shares of the rows for train, val and test; at most 1 in all, and what they leave is not used."""
    seed: Seed = 42
    """Seed of the draw."""


class ColumnSplit(Section):
    """Parts named by a column of the table."""

    kind: Literal["column"]
    """A column names each row's part."""
    column: Text
    """The column; its values are part names (train, val, test, …), and a row without one is not used."""


class TablesSplit(Section):
    """Parts that come as files of their own, which are the files of the table."""

    kind: Literal["tables"]
    """Each file of the table is a part, or belongs to one."""
    parts: Annotated[Texts, Field(min_length=1)]
    """The part (train, val, test, …) of each file, in the order of the manifest's files."""
    val: Dropout = 0.0
    """Share of the rows of train that are drawn at random for val, for a table that has no part for it."""
    seed: Seed = 42
    """Seed of that draw."""


class FoldSplit(Section):
    """A division of a k-fold cross-validation: a fold for test, the next one for val, all others for train."""

    kind: Literal["folds"]
    """Rows or scaffolds are dealt out to folds of equal size."""
    folds: Annotated[int, Field(ge=3)] = 5
    """Number of folds."""
    fold: Count = 1
    """The fold that is test, from 1; the one after it is val, after the last one the first."""
    scaffolds: bool = False
    """Whether molecules of one Murcko scaffold stand in one fold; the folds are then as equal as scaffolds allow."""
    seed: Seed = 42
    """Seed of the draw, the same for all divisions."""

    @model_validator(mode="after")
    def _check_fold(self) -> Self:
        if self.fold > self.folds:
            raise PydanticCustomError("fold", "should be a fold from 1 to {folds}, not {fold}", self.model_dump())
        return self


SplitSpec = Annotated[
    FileSplit | RandomSplit | ScaffoldSplit | FoldSplit | ColumnSplit | TablesSplit, Field(discriminator="kind")
]
"""How a dataset is split, in a manifest or in an experiment."""

SPLIT_KINDS = ("file", "random", "scaffold", "folds", "column", "tables")


def reads_scaffolds(split: SplitSpec) -> bool:
    """Return whether a split needs to know the scaffold of each molecule."""
    return isinstance(split, ScaffoldSplit) or (isinstance(split, FoldSplit) and split.scaffolds)


def _split_form(value: Any) -> str | None:
    if isinstance(value, str):
        return "name"
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) else None


SplitChoice = Annotated[
    Annotated[Text, Tag("name")]
    | Annotated[FileSplit, Tag("file")]
    | Annotated[RandomSplit, Tag("random")]
    | Annotated[ScaffoldSplit, Tag("scaffold")]
    | Annotated[FoldSplit, Tag("folds")]
    | Annotated[ColumnSplit, Tag("column")]
    | Annotated[TablesSplit, Tag("tables")],
    Discriminator(
        _split_form,
        custom_error_type="split",
        custom_error_message="should be the name of a split of the manifest, or {kind: …} with kind one of "
        + ", ".join(SPLIT_KINDS),
    ),
]
