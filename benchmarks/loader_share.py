"""What the batches cost beside the steps of the LargeMix GINE that they are made for, in memory and read from shards.

The experiment is `largemix/lookalike`, the network and the tasks of `largemix/gine` on made-up tables of the same
columns. Making a batch is everything up to the tensors that the step reads: the order of the epoch, gathering, labels
made dense, and, read from zstd shards, reading, checking and unpacking the blocks of each window by the thread ahead.
A step goes forward and backward, clips the gradient and updates the weights. CPU time of all threads, one of torch.
"""

import argparse
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path

import torch
from measuring import report

from molfound.config import Experiment, load_config
from molfound.data.batch import GraphBatch
from molfound.data.datamodule import MixtureDataModule
from molfound.model import MolecularModel, count_parameters, specify
from molfound.training.mixture import TaskMixture, fit_label_statistics, fit_weighting, load_task_mixture
from molfound.training.objective import task_losses, task_sums, with_present_labels
from molfound.training.optimization import make_optimizer

BAR = 0.05
# In GiB: all four tables; some blocks of each.
MEMORY = {"in_memory": 8.0, "streamed": 0.004}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        experiments = {name: experiment(Path(folder), options.batch, memory) for name, memory in MEMORY.items()}
        mixtures = {name: load_task_mixture(chosen, None) for name, chosen in experiments.items()}
        loaders = {name: MixtureDataModule(mixtures[name].graphs, experiments[name].data, seed=0) for name in MEMORY}
        step = Step(experiments["in_memory"], mixtures["in_memory"])
        steps: list[float] = []
        making: dict[str, list[float]] = {name: [] for name in MEMORY}
        for number in range(options.rounds + 1):
            for name, loader in loaders.items():
                making[name].append(seconds_per_batch(loader, number))
            steps += [
                step.seconds(batch) for batch in islice(loaders["in_memory"].train_dataloader(), number, number + 2)
            ]
    took = statistics.median(steps[2:])
    shares = {name: statistics.median(seconds[1:]) / took for name, seconds in making.items()}
    ratio = max(shares.values())
    report(
        ratio,
        BAR,
        met=ratio <= BAR,
        **{f"{name}_share": share for name, share in shares.items()},
        **{f"{name}_batch_ms": 1000 * statistics.median(seconds[1:]) for name, seconds in making.items()},
        step_ms=1000 * took,
        parameters=step.parameters,
        batch=options.batch,
        windows=mixtures["streamed"].graphs.windows,
    )


def experiment(folder: Path, size: int, memory: float) -> Experiment:
    """Return the experiment with so many molecules in a batch, and so many GiB of them in memory."""
    data = [f"data.root={folder}", f"data.store={folder / 'stores'}", "data.block_rows=256", f"data.memory={memory}"]
    return load_config("largemix/lookalike", [*data, f"data.batch.size={size}"])


def seconds_per_batch(loader: MixtureDataModule, epoch: int) -> float:
    """Return the CPU seconds of a batch, of all those of an epoch."""
    loader.position = lambda: (epoch, 0)
    start = time.process_time()
    count = sum(1 for batch in loader.train_dataloader() if with_present_labels(batch))
    return (time.process_time() - start) / count


class Step:
    """Training steps of the network.

    Attributes:
        parameters: of the model.
    """

    def __init__(self, chosen: Experiment, mixture: TaskMixture) -> None:
        torch.manual_seed(0)
        specification = specify(chosen, mixture.tasks)
        self.parameters = count_parameters(specification)["total"]
        self.model = MolecularModel(specification).train()
        fit_label_statistics(self.model, mixture)
        self.weighting = fit_weighting(chosen.training.task_weights, self.model, mixture)
        # At the experiment's own rate without its warm-up the network may diverge.
        rate = chosen.training.optimizer.model_copy(update={"lr": 1e-5})
        self.optimizer = make_optimizer(self.model.parameters(), rate)
        self.clip = chosen.training.clip or float("inf")

    def seconds(self, batch: GraphBatch) -> float:
        """Take a step and return its CPU seconds."""
        labelled = with_present_labels(batch)
        start = time.process_time()
        loss = self.weighting(task_losses(self.model, task_sums(self.model, self.model(labelled), labelled)))
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        return time.process_time() - start


if __name__ == "__main__":
    main()
