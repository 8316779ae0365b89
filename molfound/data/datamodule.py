"""The Lightning data module of a mixture."""

from collections.abc import Callable

from lightning.pytorch import LightningDataModule

from molfound.config.schema import DataConfig, DatasetConfig
from molfound.data.loader import BatchLoader, evaluation_batches, training_batches
from molfound.data.mixture import Mixture
from molfound.data.sampler import BatchLimits, BlockPool, MixtureSampler, Pool, SamplePool
from molfound.data.scaffold_sampling import ScaffoldPool
from molfound.errors import MolfoundError


class MixtureDataModule(LightningDataModule):
    """Serves the batches of a mixture: training in the sampler's order, evaluation in the data's.

    Args:
        mixture: the graphs and their parts.
        config: batch limits, and how the samples of each dataset are drawn.
        seed: of the order of the training samples.
        position: returns the epoch and the batch within it at which training stands; asked whenever training batches
            are requested, so that a resumed training goes on with the next batch.
        rank: the number of this process.
        processes: how many processes share each batch.
    """

    def __init__(
        self,
        mixture: Mixture,
        config: DataConfig,
        seed: int,
        position: Callable[[], tuple[int, int]] = lambda: (0, 0),
        *,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        super().__init__()
        self.rank, self.processes = rank, processes
        self.mixture = mixture
        self.limits = BatchLimits.of(config.batch)
        self.position = position
        self.sampler = MixtureSampler(
            {name: training_pool(mixture, name, dataset) for name, dataset in config.datasets.items()},
            self.limits,
            *mixture.collection.sizes,
            seed,
            mixture.windows,
        )
        self.share_drawn = 0.0 if config.conformers is None else config.conformers.drawn

    def train_dataloader(self) -> BatchLoader:
        """Return what is left of the training batches of the present epoch."""
        epoch, first = self.position()
        return training_batches(
            self.mixture.collection,
            self.sampler,
            epoch,
            first,
            share_drawn=self.share_drawn,
            rank=self.rank,
            processes=self.processes,
        )

    def val_dataloader(self) -> BatchLoader:
        """Return the batches of the validation part."""
        return self.part_dataloader("val")

    def part_dataloader(self, part: str) -> BatchLoader:
        """Return the batches of a part of all datasets that have it, each molecule exactly once."""
        positions = self.mixture.positions(part)
        return evaluation_batches(
            self.mixture.collection, positions, self.limits, rank=self.rank, processes=self.processes
        )


def training_pool(mixture: Mixture, name: str, config: DatasetConfig) -> SamplePool:
    """Return what the training samples of a dataset are drawn from."""
    positions = mixture.positions("train", name)
    if name in mixture.block_ptr:
        if config.scaffolds is not None:
            raise MolfoundError(
                f"dataset '{name}' does not fit into data.memory, and only one in memory can be sampled by scaffold: "
                f"raise data.memory or leave out data.datasets.{name}.scaffolds"
            )
        return BlockPool(positions, mixture.block_ptr[name], config.share)
    if config.scaffolds is None:
        return Pool(positions, config.share)
    first, _ = mixture.collection.ranges[name]
    return ScaffoldPool(positions, mixture.scaffolds[name][positions - first], config.scaffolds, config.share)
