"""How a model is trained and what a training leaves behind."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, Strict

from molfound.config.component import Component
from molfound.config.schema.values import Count, Dropout, Section, Text

Baseline = Literal["mean", "forest", "boosting", "probe", "knn"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
FrozenBaseline = Literal["probe", "knn"]
FROZEN_BASELINES: tuple[FrozenBaseline, ...] = get_args(FrozenBaseline)
"""Those that are fitted to the embeddings of a pretrained run."""


class OptimizerConfig(Section):
    """The optimiser."""

    name: Literal["adamw"] = "adamw"
    """AdamW (Loshchilov and Hutter, 2019)."""
    lr: Annotated[float, Field(gt=0)] = 1e-3
    """Highest learning rate."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Decoupled weight decay."""
    betas: Annotated[tuple[Dropout, Dropout], Strict(False)] = (0.9, 0.999)
    """Decays of the running means of the gradient and of its square."""


class ScheduleConfig(Section):
    """The learning rate over the steps: a linear warm-up, then the named way down."""

    name: Literal["constant", "linear", "cosine"] = "linear"
    """Course after the warm-up."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Length of the warm-up as a share of all steps."""
    final: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Learning rate to which linear and cosine go down, as a share of the highest; constant has no use for it."""


class EarlyStoppingConfig(Section):
    """When to stop before the last epoch."""

    monitor: Text = "val/loss"
    """The figure watched."""
    patience: Count = 10
    """Epochs without improvement after which training stops."""
    mode: Literal["min", "max"] | None = None
    """Whether smaller or larger is better; null: as the metric says."""


class PretrainedConfig(Section):
    """The run whose encoder a training starts from, and how gently it is changed."""

    run: Text
    """What `molfound predict` takes as RUN: a run folder or an archive of one, relative to the working directory, a
    model that comes with molfound, or one of a hub. Its encoder must have the same features and options."""
    layers: Count | None = None
    """The encoder takes over so many of the run's blocks, its first; what model.encoder.depth says beyond these are new
    blocks, which start near doing nothing where they can. null: all of the run's, and no other."""
    head: Text | None = None
    """A task of the run, whose head and normalisation the experiment's only task starts from; it has as many labels, in
    the same order. null: a new head."""
    frozen: Annotated[int, Field(ge=0)] | Literal["all"] = 0
    """How many stages of the encoder stay as they are, counted from its inputs, which are the first; all: all that come
    from the run."""
    thaw_epoch: Count | None = None
    """The epoch, from 2 on, at whose beginning the frozen stages join the training; null: never."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Learning rate of each stage of the encoder as a share of that of the stage after it."""


def _precision(value: Any) -> Any:
    return str(value) if type(value) is int else value


class TrainingConfig(Section):
    """How the model is trained."""

    epochs: Count = 60
    """Epochs."""
    optimizer: OptimizerConfig = OptimizerConfig()
    """The optimiser."""
    schedule: ScheduleConfig = ScheduleConfig()
    """The learning-rate schedule."""
    task_weights: Component = Component("fixed")
    """How the losses of the tasks are weighed in their sum: fixed, the weights given in tasks.NAME.weight; label_count,
    a power of the number of training labels; uncertainty, learned. The weights given are factors of those found."""
    clip: Annotated[float, Field(gt=0)] | None = 1.0
    """Largest norm of the gradient; null: not clipped."""
    accumulate: Count = 1
    """Batches per optimiser step."""
    precision: Annotated[Literal["32", "bf16"], BeforeValidator(_precision)] = "32"
    """Number format of the forward and backward pass."""
    average: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of the moving average of the weights, such as 0.999; null: none."""
    compile: bool = False
    """Compile the model (torch.compile)."""
    early_stopping: EarlyStoppingConfig | None = None
    """When to stop early; null: never."""
    monitor: Text = "val/loss"
    """The figure that says which checkpoint is best."""
    monitor_mode: Literal["min", "max"] | None = None
    """Whether a smaller or a larger figure is better; null: as the metric says."""
    metrics_mib: Count = 1024
    """MiB of predictions that an evaluation holds in memory, of all tasks together; what is beyond goes to a temporary
    file, in the folder that the environment variable TMPDIR names. The scores are the same."""
    nonfinite: Literal["stop", "skip"] = "stop"
    """What to do at a NaN or infinite loss: stop and name it, or skip the step."""
    pretrained: PretrainedConfig | None = None
    """A run to start from; null: from random weights."""
    threads: Count | None = None
    """Torch threads; null: torch's own choice."""
    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    """Kind of device. auto: a GPU where there is one; gpu: CUDA or Apple's (mps)."""
    devices: Count = 1
    """Processes that share each batch on this machine, each with a GPU of its own or a share of the cores. Where
    torchrun has started the processes, on one machine or several, it says how many there are."""
    shard: bool = False
    """Whether several processes divide the encoder's weights and their optimiser's state among them (FSDP), for an
    encoder too large for one device; the result is the same."""
    checkpoint_steps: Count | None = None
    """Also keep the last checkpoint every so many steps; null: each epoch only."""


class RunConfig(Section):
    """What a training leaves behind."""

    folder: Text | None = None
    """The run folder, relative to the working directory; null: runs/ followed by the experiment's name."""
    baselines: Annotated[tuple[Baseline, ...], Strict(False)] = ("mean",)
    """Fitted to the same training rows and scored on the same test rows: the training mean; a random forest and, of
    tasks at graph level, gradient boosting on Morgan counts, for small sets: they take minutes where there are tens of
    thousands of molecules or hundreds of labels, and a dense table of labels. In a fine-tuning (training.pretrained),
    of tasks at graph level, also ridge or logistic regression (probe) and nearest neighbours (knn) on the molecules'
    embeddings by the run that the training starts from."""
    tensorboard: bool = False
    """Also write the figures for TensorBoard, into the run's folder tensorboard/; needs molfound[track]."""
