from collections.abc import Iterator

import pytest
import torch

from molfound.data.batch import GraphBatch
from tests.nn.graphs import Graph, collate, sample_graphs


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute on one thread: tensors this small only lose by more, above all when the tests run in parallel."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def graphs() -> list[Graph]:
    return sample_graphs()


@pytest.fixture
def batch(graphs: list[Graph]) -> GraphBatch:
    return collate(graphs)
