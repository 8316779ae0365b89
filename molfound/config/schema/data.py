"""The datasets: where they lie, how they are split, prepared and batched."""

from typing import Annotated

from pydantic import Field

from molfound.config.schema.splits import SplitChoice
from molfound.config.schema.values import Count, Key, Section, TakesOutNull, Text


class DatasetConfig(Section):
    """One dataset of the mixture."""

    manifest: Text
    """Name of a shipped manifest (toymix/qm9), or the YAML file of one, relative to the file that names it."""
    split: SplitChoice | None = None
    """Name of one of the manifest's splits, or a split of one's own; null: the manifest's first."""
    share: Annotated[float, Field(gt=0, le=100)] = 1.0
    """How often an epoch sees the training rows: 0.5, a fresh half of them each time; 2, all of them twice."""


class BatchConfig(Section):
    """Bounds of a batch; it is full at whichever comes first."""

    size: Count = 200
    """Molecules."""
    nodes: Count | None = None
    """Nodes; null: no bound."""
    edges: Count | None = None
    """Edges, each bond counted in both directions; null: no bound."""


class DataConfig(Section):
    """The datasets, where they lie and how they are prepared and batched."""

    root: Text = "data"
    """Folder of the datasets' files, relative to the working directory; where no file names it, that of the environment
    variable MOLFOUND_DATA, or data."""
    store: Text = "stores"
    """Folder of the prepared graphs, relative to the working directory."""
    block_rows: Count = 8192
    """Input rows per shard of the store."""
    processes: Count | None = None
    """Processes that prepare; null: one per core."""
    max_rejected: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Preparation stops when more than this share of a dataset's rows is rejected."""
    max_heavy_atoms: Count = 1000
    """A molecule with more heavy atoms is rejected."""
    datasets: Annotated[dict[Key, DatasetConfig], Field(min_length=1), TakesOutNull]
    """The mixture, by the names that tasks use; null takes an inherited one out."""
    batch: BatchConfig = BatchConfig()
    """Bounds of a batch."""
