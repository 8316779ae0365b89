"""The datasets: where they lie, how they are split, prepared and batched."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from molfound.config.schema.splits import SplitChoice
from molfound.config.schema.values import Count, Key, Section, Seed, TakesOutNull, Text


class ScaffoldsConfig(Section):
    """Samples drawn by Murcko scaffold: one with probability softmax(P / temperature), then a molecule of it.

    P is the scaffold's share of the molecules of the training part. Molecules without a ring are one scaffold.
    """

    model_config = ConfigDict(ser_json_inf_nan="strings")  # JSON has no infinity

    temperature: Annotated[float, Field(gt=0, allow_inf_nan=True)] = 0.005
    """Of the softmax; .inf: all scaffolds alike. Far below the share of the largest scaffold, little else is drawn."""
    cap: Count | None = None
    """A scaffold with more molecules counts in P as if it had this many; null: all count."""
    replacement: bool = True
    """true: a molecule is drawn anew from its scaffold each time; false: none a second time, in any epoch, before each
    of the scaffold has come once."""


class DatasetConfig(Section):
    """One dataset of the mixture."""

    manifest: Text
    """Name of a shipped manifest (toymix/qm9), or the YAML file of one, relative to the file that names it."""
    split: SplitChoice | None = None
    """Name of one of the manifest's splits, or a split of one's own; null: the manifest's first."""
    share: Annotated[float, Field(gt=0, le=100)] = 1.0
    """How often an epoch sees the training rows: 0.5, a fresh half of them each time; 2, all of them twice. With
    scaffolds, only how many samples it takes."""
    scaffolds: ScaffoldsConfig | None = None
    """Training samples by scaffold, such as {temperature: 0.005}; null: all molecules equally often."""


class BatchConfig(Section):
    """Bounds of a batch; it is full at whichever comes first."""

    size: Count = 200
    """Molecules."""
    nodes: Count | None = None
    """Nodes; null: no bound."""
    edges: Count | None = None
    """Edges, each bond counted in both directions; null: no bound."""
    pairs: Count | None = None
    """Pairs of nodes, the sum of the squared sizes of the molecules, which is what a two-track transformer costs; null:
    no bound."""
    bucket: Count | None = None
    """Batches of molecules of like size, so that padding is small: the samples of so many consecutive batches are
    sorted by size, cut into batches anew, and all batches of the epoch shuffled. Evaluation sorts all molecules, the
    largest first. null: sizes come as they fall."""


class ConformersConfig(Section):
    """Coordinates of the molecules, for networks that read them."""

    source: Literal["generated", "given", "drawn"] = "generated"
    """generated: by ETKDGv3 and MMFF94, or UFF; given: those that the datasets' manifests name; drawn: in the plane, as
    RDKit draws the molecule."""
    count: Count = 1
    """Conformers generated per molecule; each epoch sees one of them, evaluation the one of lowest energy."""
    seed: Seed = 0
    """Another seed yields other conformers."""
    attempts: Count = 30
    """Embeddings tried per conformer."""
    iterations: Count = 500
    """Steps of the force field per conformer."""
    max_atoms: Count = 256
    """A molecule with more heavy atoms is given no coordinates."""
    hang_seconds: Annotated[float, Field(gt=0, strict=False)] | None = 600.0
    """Wall-clock time after which a molecule is given up, which happens where RDKit hangs; null: never."""
    drawn: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the training samples that have the coordinates of a drawing in place of a conformer's, others in each
    epoch; evaluation sees conformers alone."""

    @model_validator(mode="after")
    def _check_drawn(self) -> Self:
        if self.source == "drawn" and self.drawn:
            problem = "source: drawn leaves no conformers that a share could be drawn beside; leave it out"
            raise PydanticCustomError("reference", "{problem}", {"path": "data.conformers.drawn", "problem": problem})
        return self


class DataConfig(Section):
    """The datasets, where they lie and how they are prepared and batched."""

    root: Text = "data"
    """Folder of the datasets' files, relative to the working directory; where no file names it, that of the environment
    variable MOLFOUND_DATA, or data."""
    store: Text = "stores"
    """Folder of the prepared graphs, relative to the working directory."""
    block_rows: Count = 8192
    """Input rows per shard of the store."""
    engine: Literal["local", "ray"] = "local"
    """What prepares: processes of this machine, or the nodes of a Ray cluster (RAY_ADDRESS, or the one that runs here);
    needs molfound[ray]."""
    processes: Count | None = None
    """Processes that prepare, or tasks of Ray at once; null: one per core."""
    max_rejected: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Preparation stops when more than this share of a dataset's rows is rejected."""
    max_heavy_atoms: Count = 1000
    """A molecule with more heavy atoms is rejected."""
    crop: Count | None = None
    """A molecule with more atoms is cut to so many around one of them: another in each epoch of the training, the one
    in its middle in evaluation and prediction. Its labels stay; tasks of nodes, edges and pairs are refused. null: none
    is cut."""
    conformers: ConformersConfig | None = None
    """Coordinates; null: none."""
    memory: Annotated[float, Field(gt=0)] = 8.0
    """GiB of prepared molecules held in memory. Where there are more, the smaller datasets are held, and the others
    read some blocks at a time: an epoch shuffles the blocks, then the samples of the blocks in memory."""
    datasets: Annotated[dict[Key, DatasetConfig], Field(min_length=1), TakesOutNull]
    """The mixture, by the names that tasks use; null takes an inherited one out."""
    batch: BatchConfig = BatchConfig()
    """Bounds of a batch."""
