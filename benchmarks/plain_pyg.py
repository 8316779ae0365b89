"""The ToyMix GINE as one writes it with torch-geometric: the rival of `train_step.py`.

The same architecture as molfound's, so that weights can be copied from one to the other: an embedding per feature, the
DeepSet and the perceptron of the encodings, GINEConv with a linear map of the edge features, norm, GELU and residual,
sum pooling, one perceptron per task. One loss per task over the labels that are there.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GINEConv, global_add_pool

from molfound.data.batch import GraphBatch
from molfound.model import MolecularModel
from molfound.tasks.task import Task


class PlainGINE(nn.Module):
    """A GINE over several tasks in plain PyG.

    Args:
        atom_sizes: values of each atom feature.
        bond_sizes: values of each bond feature.
        tasks: by name; their heads are perceptrons with one hidden layer.
        depth: number of layers.
        width: of the nodes in the layers.
        input_width: of the nodes before them.
        steps: of the random walk.
    """

    def __init__(
        self,
        atom_sizes: Sequence[int],
        bond_sizes: Sequence[int],
        tasks: Mapping[str, Task],
        *,
        depth: int,
        width: int,
        input_width: int,
        steps: int,
    ) -> None:
        super().__init__()
        wide, edge_width, encoding_width = 2 * input_width, input_width // 2, 32
        self.atoms = nn.ModuleList(nn.Embedding(size, wide) for size in atom_sizes)
        self.bonds = nn.ModuleList(nn.Embedding(size, edge_width) for size in bond_sizes)
        self.bond_mlp = nn.Sequential(nn.Linear(edge_width, edge_width), nn.GELU(), nn.Linear(edge_width, edge_width))
        self.pair = nn.Linear(2, encoding_width)
        self.pair_out = nn.Linear(encoding_width, encoding_width)
        self.walk = nn.Sequential(
            nn.Linear(steps, 2 * encoding_width), nn.ReLU(), nn.Linear(2 * encoding_width, encoding_width)
        )
        self.encoded = nn.Linear(2 * encoding_width, wide)
        self.out = nn.Sequential(nn.LayerNorm(wide), nn.GELU(), nn.Linear(wide, input_width))
        widths = [input_width] + [width] * depth
        self.convs = nn.ModuleList(
            GINEConv(
                nn.Sequential(nn.Linear(before, width), nn.ReLU(), nn.Linear(width, width)),
                train_eps=True,
                edge_dim=edge_width,
            )
            for before in widths[:-1]
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.heads = nn.ModuleDict({name: head(width, task) for name, task in tasks.items()})

    def forward(self, data: Batch) -> dict[str, Tensor]:
        """Return the predictions of every task for every graph."""
        hidden = sum(embedding(data.x[:, i]) for i, embedding in enumerate(self.atoms))
        eigenvalues, magnitudes = data.eigenvalues[data.batch], data.magnitudes
        pairs = torch.stack((eigenvalues, magnitudes), dim=-1)
        absent = pairs.isnan().any(-1, keepdim=True)
        each = self.pair(pairs.nan_to_num()).relu().masked_fill(absent, 0.0)
        encoded = torch.cat((self.pair_out(each.sum(1)), self.walk(data.probabilities)), dim=-1)
        x = self.out(hidden + self.encoded(encoded))
        edges = self.bond_mlp(sum(embedding(data.edge_attr[:, i]) for i, embedding in enumerate(self.bonds)))
        for conv, norm in zip(self.convs, self.norms, strict=True):
            updated = F.gelu(norm(conv(x, data.edge_index, edges)))
            x = x + updated if x.shape == updated.shape else updated
        pooled = global_add_pool(x, data.batch, size=data.num_graphs)
        return {task: head(pooled) for task, head in self.heads.items()}

    def load_from(self, model: MolecularModel) -> None:
        """Take over the weights of molfound's model."""
        inputs = "encoder.inputs"
        same = {
            "bond_mlp": "encoder.bonds.mlp",
            "pair": f"{inputs}.encodings.laplacian.pair",
            "pair_out": f"{inputs}.encodings.laplacian.out",
            "walk": f"{inputs}.encodings.random_walk.mlp",
            "encoded": f"{inputs}.encoded",
            "out": f"{inputs}.out",
            **{f"heads.{task}": f"heads.{task}.layers" for task in self.heads},
        }
        for i in range(len(self.convs)):
            block = f"encoder.blocks.{i}"
            same |= {f"convs.{i}.nn": f"{block}.layer.mlp", f"convs.{i}.lin": f"{block}.layer.edge"}
            same |= {f"norms.{i}": f"{block}.after.0"}
            self.get_parameter(f"convs.{i}.eps").data.copy_(model.get_parameter(f"{block}.layer.epsilon"))
        for ours, theirs in same.items():
            parameters = model.get_submodule(theirs).parameters()
            for mine, given in zip(self.get_submodule(ours).parameters(), parameters, strict=True):
                mine.data.copy_(given)
        for ours, theirs in (("atoms", f"{inputs}.atoms"), ("bonds", "encoder.bonds.embedding")):
            tables = list(self.get_submodule(ours).parameters())
            stacked = model.get_parameter(f"{theirs}.weight")
            for table, rows in zip(tables, torch.split(stacked, [len(table) for table in tables]), strict=True):
                table.data.copy_(rows)


def head(width: int, task: Task) -> nn.Sequential:
    """Return a task's head."""
    (hidden,), dropout = task.head.options["hidden"], task.head.options.get("dropout", 0.0)
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, len(task.labels)))


def masked_losses(predictions: Mapping[str, Tensor], data: Batch) -> Tensor:
    """Return the sum over tasks of the mean loss of the labels that are there."""
    total = torch.zeros(())
    for task, prediction in predictions.items():
        target = data[task]
        present = ~target.isnan()
        if not present.any():
            continue
        if task == "tox21":
            total = total + F.binary_cross_entropy_with_logits(prediction[present], target[present])
        else:
            total = total + F.l1_loss(prediction[present], target[present])
    return total


def as_data(single: GraphBatch, labels: Mapping[str, Tensor]) -> Data:
    """Return a molecule as PyG holds it; `labels` are its rows, NaN where missing."""
    return Data(
        x=single.node_codes.long(),
        edge_index=single.edge_index,
        edge_attr=single.bond_codes[single.edge_bond].long(),
        magnitudes=single.encodings["laplacian.magnitudes"],
        eigenvalues=single.encodings["laplacian.eigenvalues"],
        probabilities=single.encodings["random_walk.probabilities"],
        **labels,
    )
