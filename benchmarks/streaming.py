"""An epoch read from zstd shards against `torch_geometric.data.Batch.from_data_list` on molecules in memory.

Streaming reads, checks and unpacks the blocks of each window and gathers its batches; PyG has every molecule ready in
memory. Both give the same tensors, with ToyMix's features and encodings. CPU time of all threads is compared, since a
thread of its own reads the next window.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from batches import as_data, check_equal
from measuring import arguments, report
from torch_geometric.data import Batch

from molfound.config.schema import DataConfig, FeaturesConfig
from molfound.data.collection import GraphCollection
from molfound.data.loader import training_batches
from molfound.data.manifest import load_manifest
from molfound.data.prepare import prepare_dataset
from molfound.data.sampler import BatchLimits, BlockPool, MixtureSampler
from molfound.data.store import GraphStore
from molfound.data.streaming import StreamedCollection

BAR = 3.0
SIZE = 512
WINDOWS = 3
ENCODINGS = {"laplacian": {"pairs": 8}, "random_walk": {"steps": 16}}


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "", rounds=5)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        store = prepared(options.data, Path(folder))
        streamed = StreamedCollection({}, {"zinc": store}, ["zinc"], {}, {"zinc": 2})
        pool = BlockPool(np.arange(len(streamed)), streamed.block_ptr["zinc"])
        sampler = MixtureSampler({"zinc": pool}, BatchLimits(SIZE), *streamed.sizes, 0, WINDOWS)
        whole = GraphCollection({"zinc": store.load()})
        data = [as_data(whole, position) for position in range(len(whole))]
        check_equal(whole, data, np.arange(0, len(whole), 29))

        def stream(epoch: int) -> None:
            for _ in training_batches(streamed, sampler, epoch):
                pass

        def collate(epoch: int) -> None:
            for positions in sampler.batches(epoch):
                Batch.from_data_list([data[i] for i in positions])

        seconds: dict[str, list[float]] = {"molfound": [], "pyg": []}
        for epoch in range(options.rounds + 1):
            seconds["molfound"].append(cpu_seconds(stream, epoch))
            seconds["pyg"].append(cpu_seconds(collate, epoch))
    ratios = [theirs / ours for ours, theirs in zip(seconds["molfound"], seconds["pyg"], strict=True)]
    report(
        statistics.median(ratios[1:]),
        BAR,
        streamed_graphs_per_s=len(whole) / statistics.median(seconds["molfound"][1:]),
        pyg_graphs_per_s=len(whole) / statistics.median(seconds["pyg"][1:]),
        windows=WINDOWS,
        batch=SIZE,
    )


def prepared(data: Path, folder: Path) -> GraphStore:
    """Return the store of ZINC12k in blocks of 2,048 rows, with ToyMix's encodings."""
    manifest = load_manifest("toymix/zinc12k")
    config = DataConfig.model_validate({"datasets": {"zinc": {"manifest": "toymix/zinc12k"}}, "block_rows": 2048})
    found = prepare_dataset(manifest, {}, FeaturesConfig(), ENCODINGS, config, root=data, store=folder)
    return GraphStore.open(found.folder, found.families)


def cpu_seconds(action: Callable[[int], None], epoch: int) -> float:
    """Return the CPU seconds of all threads that the action takes."""
    start = time.process_time()
    action(epoch)
    return time.process_time() - start


if __name__ == "__main__":
    main()
