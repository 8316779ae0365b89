"""What each of two processes does in a test; apart, so that they import little."""

from multiprocessing.queues import Queue
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from molfound.tasks.task import Task
from molfound.tasks.task_metrics import TaskMetrics, TaskScores

Case = tuple[Task, Tensor, Tensor]


def score_shares(rank: int, store: Path, cases: list[Case], results: "Queue[tuple[str, TaskScores]]") -> None:
    """Score the last rows, or the first ones, with the other process; then all, the other process having none."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    for task, prediction, target in cases:
        for cut in (20, len(target)):
            mine = slice(cut, None) if rank == 0 else slice(0, cut)
            metrics = TaskMetrics(task, group=dist.group.WORLD, memory=rank * 1000)
            metrics.update(prediction[mine], target[mine])
            results.put((task.kind, metrics.compute()))
    dist.destroy_process_group()
