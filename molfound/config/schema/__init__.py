"""The typed, frozen configuration of an experiment: every key, its type, its default and what it means."""

from molfound.config.schema.data import BatchConfig, ConformersConfig, DataConfig, DatasetConfig, ScaffoldsConfig
from molfound.config.schema.experiment import Experiment, with_encoding_encoders
from molfound.config.schema.model import FeaturesConfig, ModelConfig, TaskConfig
from molfound.config.schema.objectives import CorruptionConfig, NoiseConfig
from molfound.config.schema.splits import (
    ColumnSplit,
    FileSplit,
    FoldSplit,
    RandomSplit,
    ScaffoldSplit,
    SplitSpec,
    TablesSplit,
    reads_scaffolds,
)
from molfound.config.schema.training import (
    BASELINES,
    FROZEN_BASELINES,
    Baseline,
    FrozenBaseline,
    OptimizerConfig,
    PretrainedConfig,
    ScheduleConfig,
    TrainingConfig,
)
from molfound.config.schema.values import Count, Dropout, Key, Kind, Level, Section, Seed, Text, Texts

__all__ = [
    "BASELINES",
    "FROZEN_BASELINES",
    "Baseline",
    "BatchConfig",
    "ColumnSplit",
    "ConformersConfig",
    "CorruptionConfig",
    "Count",
    "DataConfig",
    "DatasetConfig",
    "Dropout",
    "Experiment",
    "FeaturesConfig",
    "FileSplit",
    "FoldSplit",
    "FrozenBaseline",
    "Key",
    "Kind",
    "Level",
    "ModelConfig",
    "NoiseConfig",
    "OptimizerConfig",
    "PretrainedConfig",
    "RandomSplit",
    "ScaffoldSplit",
    "ScaffoldsConfig",
    "ScheduleConfig",
    "Section",
    "Seed",
    "SplitSpec",
    "TablesSplit",
    "TaskConfig",
    "Text",
    "Texts",
    "TrainingConfig",
    "reads_scaffolds",
    "with_encoding_encoders",
]
