"""What a batch says of its graphs' rows, and when it is full."""

import numpy as np
import pytest
import torch

from molfound.config.schema import BatchConfig
from molfound.data.sampler import BatchLimits
from tests.nn.graphs import collate, random_graph


def test_rows_of_each_graph_at_each_level() -> None:
    rng = np.random.default_rng(3)
    graphs = [random_graph(rng, nodes) for nodes in (5, 1, 3)]
    batch = collate(graphs)
    edges = [2 * len(graph.bonds) for graph in graphs]
    expected = {"graph": [1, 1, 1], "node": [5, 1, 3], "edge": edges, "node_pair": [25, 1, 9]}
    for level, counts in expected.items():
        item_ptr = batch.item_ptr(level)
        assert item_ptr.dtype == torch.int64
        assert item_ptr.tolist() == [0, *np.cumsum(counts)]
    with pytest.raises(ValueError, match="unknown level 'bond'"):
        batch.item_ptr("bond")


def test_limits_are_those_of_the_configuration() -> None:
    assert BatchLimits.of(BatchConfig(size=3, nodes=40, edges=90)) == BatchLimits(graphs=3, nodes=40, edges=90)
