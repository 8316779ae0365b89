"""The layout of the published checkpoints of Uni-Mol2 (Ji et al., 2024, arXiv 2406.14969), key by key."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch

import molfound
from molfound.chem.features import Feature, atom_features, bond_features
from molfound.config.component import Component
from molfound.config.schema import ModelConfig
from molfound.model.molecular_model import MolecularModel
from molfound.model.specification import ModelSpecification
from molfound.nn.encoder_inputs import FeatureVocabulary
from molfound.nn.two_track import SIZES, Size
from molfound.registry import Registry

_ATOMS = (
    *("atomic_number", "degree", "chirality", "total_degree", "charge"),
    *("hydrogens", "radicals", "hybridization", "aromatic", "in_ring"),
)
_BONDS = ("bond_type", "stereo", "conjugated")
_MAX_ATOMS = 256

# Modules by their name here and in the published code; what stands for a whole tensor is the kernel's means alone.
_NETWORK = {
    "atoms.tokens": "embed_tokens",
    "atoms.degrees": "atom_feature.degree_encoder",
    "atoms.features": "atom_feature.atom_encoder",
    "atoms.virtual": "atom_feature.vnode_encoder",
    "pairs.paths": "edge_feature.shorest_path_encoder",
    "pairs.bonds": "edge_feature.edge_encoder",
    "pairs.virtual": "edge_feature.vnode_virtual_distance",
    "pairs.kernel.means": "se3_invariant_kernel.gaussian.mean",
    "pairs.kernel.scales": "se3_invariant_kernel.gaussian.mul",
    "pairs.kernel.shifts": "se3_invariant_kernel.gaussian.bias",
    "pairs.kernel_hidden": "se3_invariant_kernel.out_proj.layer1",
    "pairs.kernel_out": "se3_invariant_kernel.out_proj.layer2",
    "norm": "encoder.layer_norm",
    "pair_norm": "encoder.pair_layer_norm",
}
_BLOCK = {
    "attention_norm": "self_attn_layer_norm",
    "attention.query": "self_attn.linear_q",
    "attention.key": "self_attn.linear_k",
    "attention.value": "self_attn.linear_v",
    "attention.bias": "self_attn.linear_bias",
    "attention.out": "self_attn.linear_o",
    "feed_forward_norm": "final_layer_norm",
    "feed_forward.hidden": "ffn.linear_1",
    "feed_forward.out": "ffn.linear_2",
    "outer_norm": "x_layer_norm_opm",
    "outer.projections": "opm.linear_in",
    "outer.out": "opm.linear_out",
    "triangle_norm": "pair_layer_norm_trimul",
    "triangle.projections": "pair_tri_mul.linear_ab_p",
    "triangle.gates": "pair_tri_mul.linear_ab_g",
    "triangle.norm": "pair_tri_mul.layer_norm_out",
    "triangle.out": "pair_tri_mul.linear_z",
    "triangle.out_gate": "pair_tri_mul.linear_g",
    "pair_feed_forward_norm": "pair_layer_norm_ffn",
    "pair_feed_forward.hidden": "pair_ffn.linear_1",
    "pair_feed_forward.out": "pair_ffn.linear_2",
}
_TOKEN_HEAD = {"norm": "lm_head.layer_norm", "hidden": "lm_head.dense", "logits": "lm_head"}
_COORDINATE_HEAD = {
    "norm": "movement_pred_head.layer_norm",
    "pair_norm": "movement_pred_head.pair_layer_norm",
    "query": "movement_pred_head.q_proj",
    "key": "movement_pred_head.k_proj",
    "value": "movement_pred_head.v_proj",
    "bias": "movement_pred_head.linear_bias",
    "out": "movement_pred_head.force_proj1",
}
_MODULES = {
    f"{part}.{name}": key
    for part, modules in (
        ("encoder.network", _NETWORK),
        ("objectives.masked_atoms.head", _TOKEN_HEAD),
        ("objectives.denoising.head", _COORDINATE_HEAD),
    )
    for name, key in modules.items()
}


@dataclass(frozen=True)
class Dimensions:
    """What the shapes of a checkpoint tell of its model; the published sizes differ in the first three."""

    depth: int
    width: int
    heads: int
    pair_width: int = 512
    pair_hidden: int = 64
    gaussians: int = 128

    @property
    def size(self) -> str | None:
        """The name of the published size, None of any other."""
        usual = Dimensions(self.depth, self.width, self.heads)
        names = (name for name, size in SIZES.items() if size == Size(self.depth, self.width, self.heads))
        return next(names, None) if self == usual else None


@dataclass(frozen=True)
class Place:
    """Where a tensor of a published checkpoint comes to lie.

    Attributes:
        name: of the model's tensor.
        shape: that it must have.
        trained: whether it is a parameter.
    """

    name: str
    shape: torch.Size
    trained: bool


def published_specification(dimensions: Dimensions) -> ModelSpecification:
    """Return the specification of a published model of these dimensions, of at most 256 atoms.

    It has no tasks; its objectives, masked atoms and denoising, are those of its pretraining.
    """
    parts = {"depth": dimensions.depth, "width": dimensions.width, "heads": dimensions.heads}
    options: dict[str, Any] = {
        **(parts if dimensions.size is None else {"size": dimensions.size}),
        "pair_width": dimensions.pair_width,
        "pair_hidden": dimensions.pair_hidden,
        "gaussians": dimensions.gaussians,
        "pair_type": "chirality",
        "norm_length": "real",
        "graph": "virtual",
    }
    return ModelSpecification(
        versions={"molfound": molfound.__version__, **{name: version(name) for name in ("torch", "rdkit", "numpy")}},
        atoms=_vocabularies(atom_features, _ATOMS),
        bonds=_vocabularies(bond_features, _BONDS),
        max_heavy_atoms=_MAX_ATOMS,
        encoded={},
        model=ModelConfig(encoder=Component("two_track", options)),
        tasks={},
        objectives={"masked_atoms": {}, "denoising": {}},
    )


def _vocabularies(registry: Registry[Feature], names: Sequence[str]) -> tuple[FeatureVocabulary, ...]:
    found = (registry[name].vocabulary for name in names)
    return tuple(FeatureVocabulary(each.name, each.values, each.version) for each in found)


def published_layout(dimensions: Dimensions) -> dict[str, Place]:
    """Return the keys of the published state dict of a model of these dimensions, and where each tensor goes.

    Raises:
        MolfoundError: there is no such model, as its heads cannot share its width, say.

    Example:
        >>> layout = published_layout(Dimensions(depth=1, width=32, heads=2))
        >>> layout["lm_head.weight"].name, layout["lm_head.weight"].shape
        ('objectives.masked_atoms.head.logits.weight', torch.Size([128, 32]))
    """
    with torch.device("meta"):
        model = MolecularModel(published_specification(dimensions))
    trained = {name for name, _ in model.named_parameters()}
    return {
        _published_key(name): Place(name, tensor.shape, name in trained) for name, tensor in model.state_dict().items()
    }


def _published_key(name: str) -> str:
    """Return the published key of a tensor of the model."""
    block = re.fullmatch(r"encoder\.network\.blocks\.(\d+)\.(.+)", name)
    return _key(name, _MODULES) if block is None else f"encoder.layers.{block[1]}.{_key(block[2], _BLOCK)}"


def _key(name: str, modules: Mapping[str, str]) -> str:
    """Return the key of a tensor: that of its module, and ``weight`` or ``bias``, unless it has its own."""
    module, _, last = name.rpartition(".")
    return modules[name] if name in modules else f"{modules[module]}.{last}"
