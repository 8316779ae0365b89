"""What is wrong with a fine-tuning, or should be known of it, before it is trained."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from molfound.config import Experiment
from molfound.config.schema import FoldSplit
from molfound.errors import MolfoundError
from molfound.plugins import load_plugins
from molfound.training.mixture import experiment_tasks, label_pairs, load_task_mixture, prepare_mixture
from molfound.training.pretrained import check_head, check_pretrained
from molfound.training.train import check


def check_fine_tuning(experiments: Sequence[Experiment]) -> list[str]:
    """Refuse what no training could make sense of, preparing the data, and return what to know of its parts.

    Args:
        experiments: one, or those of the folds of a cross-validation.

    Raises:
        MolfoundError: whatever a training refuses, such as a run or head that does not fit; a part without labels, or a
            label that has one value alone in the training part.
    """
    first = experiments[0]
    load_plugins(Path(path) for path in first.plugins)
    check_pretrained(first)
    check_head(first, experiment_tasks(first)[1])
    prepare_mixture(first)  # which shows how far it has come
    remarks = [remark for experiment in experiments for remark in _part_remarks(experiment)]
    check(first, quiet=True)
    return remarks


def _part_remarks(experiment: Experiment) -> list[str]:
    mixture = load_task_mixture(experiment, None)
    remarks = []
    for name, task in mixture.tasks.items():
        split = experiment.data.datasets[task.dataset].split
        folds = isinstance(split, FoldSplit)
        fold = f" of fold {split.fold}" if isinstance(split, FoldSplit) else ""
        for part in ("train", "val", "test"):
            pairs = list(label_pairs(mixture, task, part))
            label, values = (np.concatenate(column) for column in zip(*pairs, strict=True))
            if len(label) == 0:
                raise MolfoundError(
                    f"the split leaves no molecule with a label of task '{name}' for the part '{part}'{fold}: take a "
                    f"random split, {'fewer folds, ' if folds else ''}or a table with more molecules and more "
                    "different scaffolds"
                )
            single = [title for number, title in enumerate(task.labels) if len(np.unique(values[label == number])) < 2]
            if single and part == "train":
                key = f"data.datasets.{task.dataset}.split"
                other = f"{key}.seed=1" if folds else f"{key}='{{kind: random, seed: 1}}'"
                raise MolfoundError(
                    f"label '{single[0]}' has fewer than two different values in the training part{fold}: leave it "
                    f"out, or draw another split ({other})"
                )
            if single and task.kind == "binary":
                remarks.append(
                    f"{part}{fold} has one class alone of {', '.join(single[:5])}: AUROC and AP are undefined there"
                )
    return remarks
