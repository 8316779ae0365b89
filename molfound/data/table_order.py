"""The rows of a batch, in the order in which a table lists a molecule's labels."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from rdkit import Chem
from torch import Tensor

from molfound.chem.graphs import LARGEST_GRAPH, featurize
from molfound.chem.parsing import parse
from molfound.data.item_order import MAPPED, ItemLevel, item_order
from molfound.data.ragged import places


def table_order(level: str, smiles: Sequence[object], item_ptr: Tensor) -> Tensor:
    """Return int64 ``[R]``: which row of the graphs stands at each place of their tables' lists.

    The lists are those that labels come in (see `molfound.data.item_order.item_order`); a molecule whose atom-map
    numbers are not 1 to n keeps the order of its SMILES.

    Args:
        level: ``"graph"``, ``"node"``, ``"edge"`` or ``"node_pair"``.
        smiles: ``[G]``, of the graphs, or RDKit molecules, whose own order is kept.
        item_ptr: int64 ``[G + 1]``, the graphs' rows, from 0 on.
    """
    rows = torch.arange(int(item_ptr[-1]))
    # Of edges, only the molecule knows at which atom a bond begins.
    texts = [text if isinstance(text, str) else "" for text in smiles]
    if level == "graph" or (level != "edge" and not any(map(MAPPED.search, texts))):
        return rows
    parsed = [parse(text, max_heavy_atoms=LARGEST_GRAPH) for text in smiles]
    molecules = [molecule for molecule in parsed if isinstance(molecule, Chem.Mol)]
    graphs = featurize(molecules, [], [])
    order = item_order(cast(ItemLevel, level), len(smiles), np.arange(len(smiles)), molecules, texts, graphs)
    counts = item_ptr.diff().numpy()
    graph = np.repeat(np.arange(len(smiles)), counts)
    return torch.from_numpy(item_ptr.numpy()[graph] + order.graph_item(graph, places(counts)))
