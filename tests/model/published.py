"""The published two-track transformer by its description: the keys of its checkpoint, and a plain forward pass."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from molfound.model.published_layout import Dimensions
from molfound.nn.two_track import MoleculeTensors

SMALL = Dimensions(depth=2, width=12, heads=3, pair_width=10, pair_hidden=4, gaussians=8)

State = dict[str, Tensor]


def published_shapes(d: Dimensions) -> dict[str, tuple[int, ...]]:
    """Return every key of the published layout with its shape."""
    shapes: dict[str, tuple[int, ...]] = {}

    def linear(name: str, rows: int, columns: int, *, bias: bool = True) -> None:
        shapes[f"{name}.weight"] = (rows, columns)
        if bias:
            shapes[f"{name}.bias"] = (rows,)

    def norm(name: str, width: int) -> None:
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (width,)

    linear("embed_tokens", 128, d.width, bias=False)
    linear("atom_feature.atom_encoder", 512, d.width, bias=False)
    linear("atom_feature.degree_encoder", 128, d.width, bias=False)
    linear("atom_feature.vnode_encoder", 1, d.width, bias=False)
    linear("edge_feature.edge_encoder", 64, d.pair_width, bias=False)
    linear("edge_feature.shorest_path_encoder", 512, d.pair_width, bias=False)
    linear("edge_feature.vnode_virtual_distance", 1, d.pair_width, bias=False)
    shapes["se3_invariant_kernel.gaussian.mean"] = (d.gaussians,)
    linear("se3_invariant_kernel.gaussian.mul", 512, 1, bias=False)
    linear("se3_invariant_kernel.gaussian.bias", 512, 1, bias=False)
    linear("se3_invariant_kernel.out_proj.layer1", d.gaussians, d.gaussians)
    linear("se3_invariant_kernel.out_proj.layer2", d.pair_width, d.gaussians)
    norm("encoder.layer_norm", d.width)
    norm("encoder.pair_layer_norm", d.pair_width)
    linear("lm_head", 128, d.width)
    linear("lm_head.dense", d.width, d.width)
    norm("lm_head.layer_norm", d.width)
    norm("movement_pred_head.layer_norm", d.width)
    norm("movement_pred_head.pair_layer_norm", d.pair_width)
    for projection in ("q_proj", "k_proj", "v_proj"):
        linear(f"movement_pred_head.{projection}", d.width, d.width, bias=False)
    linear("movement_pred_head.force_proj1", 1, d.width, bias=False)
    linear("movement_pred_head.linear_bias", d.heads, d.pair_width)
    for i in range(d.depth):
        layer = f"encoder.layers.{i}"
        for projection in ("linear_q", "linear_k", "linear_v"):
            linear(f"{layer}.self_attn.{projection}", d.width, d.width, bias=False)
        linear(f"{layer}.self_attn.linear_o", d.width, d.width)
        linear(f"{layer}.self_attn.linear_bias", d.heads, d.pair_width)
        for name in ("self_attn_layer_norm", "final_layer_norm", "x_layer_norm_opm"):
            norm(f"{layer}.{name}", d.width)
        for name in ("pair_layer_norm_trimul", "pair_layer_norm_ffn"):
            norm(f"{layer}.{name}", d.pair_width)
        for number in (1, 2):
            linear(f"{layer}.ffn.linear_{number}", d.width, d.width)
            linear(f"{layer}.pair_ffn.linear_{number}", d.pair_width, d.pair_width)
        linear(f"{layer}.opm.linear_in", 2 * d.pair_hidden, d.width)
        linear(f"{layer}.opm.linear_out", d.pair_width, d.pair_hidden**2)
        for name in ("linear_ab_p", "linear_ab_g"):
            linear(f"{layer}.pair_tri_mul.{name}", 2 * d.pair_hidden, d.pair_width)
        linear(f"{layer}.pair_tri_mul.linear_g", d.pair_width, d.pair_width)
        linear(f"{layer}.pair_tri_mul.linear_z", d.pair_width, d.pair_hidden)
        norm(f"{layer}.pair_tri_mul.layer_norm_out", d.pair_hidden)
    return shapes


def random_state(dimensions: Dimensions = SMALL, seed: int = 0) -> State:
    """Return a state dict of random float32 tensors."""
    generator = torch.Generator().manual_seed(seed)
    return {key: 0.4 * torch.randn(shape, generator=generator) for key, shape in published_shapes(dimensions).items()}


def write_checkpoint(path: Path, state: object) -> Path:
    """Write a state dict as it is published, under the key ``model``, and return the path."""
    torch.save({"model": state, "epoch": 3}, path)
    return path


@dataclass(frozen=True)
class PlainResult:
    """What the published network makes of one molecule of n atoms; x and z are those of the atoms alone."""

    molecule: Tensor
    x: Tensor
    z: Tensor
    logits: Tensor
    coordinates: Tensor


class PlainNetwork:
    """The published network in float64, for one molecule without padding, each formula as it is written down."""

    def __init__(self, state: State, dimensions: Dimensions) -> None:
        self.state = {key: tensor.double() for key, tensor in state.items()}
        self.dimensions = dimensions

    def __call__(self, molecule: MoleculeTensors) -> PlainResult:
        assert molecule.coordinates is not None
        r = molecule.coordinates[0]
        x = self.norm("encoder.layer_norm", self.atoms(molecule))
        z = self.norm("encoder.pair_layer_norm", self.pairs(molecule, r))
        for i in range(self.dimensions.depth):
            x, z = self.block(f"encoder.layers.{i}", x, z)
        cls, x, z = x[0], x[1:], z[1:, 1:]
        hidden = gelu(self.linear("lm_head.dense", self.norm("lm_head.layer_norm", x)))
        return PlainResult(cls, x, z, self.linear("lm_head", hidden), self.moved(x, z, r))

    def linear(self, name: str, values: Tensor) -> Tensor:
        result = torch.einsum("rc,...c->...r", self.state[f"{name}.weight"], values)
        return result + self.state[f"{name}.bias"] if f"{name}.bias" in self.state else result

    def norm(self, name: str, values: Tensor) -> Tensor:
        centred = values - values.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return scaled * self.state[f"{name}.weight"] + self.state[f"{name}.bias"]

    def atoms(self, molecule: MoleculeTensors) -> Tensor:
        features = self.state["atom_feature.atom_encoder.weight"][molecule.features[0].long()].sum(1)
        tokens = self.state["embed_tokens.weight"][molecule.tokens[0].long()]
        degrees = self.state["atom_feature.degree_encoder.weight"][molecule.degrees[0].long()]
        return torch.cat((self.state["atom_feature.vnode_encoder.weight"], tokens + degrees + features))

    def pairs(self, molecule: MoleculeTensors, r: Tensor) -> Tensor:
        n, kernel = len(r), "se3_invariant_kernel"
        chirality = molecule.features[0, :, 0].long()
        mul = self.state[f"{kernel}.gaussian.mul.weight"][chirality, 0].abs()
        bias = self.state[f"{kernel}.gaussian.bias.weight"][chirality, 0]
        d = (r[:, None] - r[None]).square().sum(-1).sqrt()
        d = (mul[:, None] + mul[None]) * d + bias[:, None] + bias[None]
        means, width = self.state[f"{kernel}.gaussian.mean"], 9 / (self.dimensions.gaussians - 1)
        densities = torch.distributions.Normal(means, width).log_prob(d[..., None]).exp()
        seen = self.linear(f"{kernel}.out_proj.layer2", gelu(self.linear(f"{kernel}.out_proj.layer1", densities)))
        paths = self.state["edge_feature.shorest_path_encoder.weight"][molecule.shortest_paths[0].long()]
        bonds = self.state["edge_feature.edge_encoder.weight"][molecule.bond_features[0].long()].mean(2)
        z = self.state["edge_feature.vnode_virtual_distance.weight"].expand(n + 1, n + 1, -1).clone()
        z[1:, 1:] = paths + bonds + seen
        return z

    def block(self, name: str, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        attention = f"{name}.self_attn"
        y = self.norm(f"{attention}_layer_norm", x)
        q, k, v = (self.by_head(self.linear(f"{attention}.linear_{part}", y)) for part in "qkv")
        weights = attention_weights(q, k, self.linear(f"{attention}.linear_bias", z))
        x = x + self.linear(f"{attention}.linear_o", torch.einsum("hij,hjd->ihd", weights, v).flatten(1))
        x = x + self.feed_forward(f"{name}.ffn", self.norm(f"{name}.final_layer_norm", x))
        z = z + self.outer_product(f"{name}.opm", self.norm(f"{name}.x_layer_norm_opm", x))
        z = z + self.triangle(f"{name}.pair_tri_mul", self.norm(f"{name}.pair_layer_norm_trimul", z))
        z = z + self.feed_forward(f"{name}.pair_ffn", self.norm(f"{name}.pair_layer_norm_ffn", z))
        return x, z

    def by_head(self, values: Tensor) -> Tensor:
        return values.unflatten(1, (self.dimensions.heads, -1)).transpose(0, 1)

    def feed_forward(self, name: str, values: Tensor) -> Tensor:
        return self.linear(f"{name}.linear_2", gelu(self.linear(f"{name}.linear_1", values)))

    def outer_product(self, name: str, x: Tensor) -> Tensor:
        a, b = self.linear(f"{name}.linear_in", x).split(self.dimensions.pair_hidden, dim=1)
        outer = torch.einsum("ic,je->ijce", a, b).flatten(2)
        return self.linear(f"{name}.linear_out", outer) / (1e-3 + 1 / len(x))

    def triangle(self, name: str, z: Tensor) -> Tensor:
        sides = self.linear(f"{name}.linear_ab_p", z) * self.linear(f"{name}.linear_ab_g", z).sigmoid()
        a, b = (sides / len(z) ** 0.5).split(self.dimensions.pair_hidden, dim=2)
        sums = torch.einsum("ikc,jkc->ijc", a, b) + torch.einsum("kic,kjc->ijc", a, b)
        out = self.linear(f"{name}.linear_z", self.norm(f"{name}.layer_norm_out", sums))
        return out * self.linear(f"{name}.linear_g", z)

    def moved(self, x: Tensor, z: Tensor, r: Tensor) -> Tensor:
        head = "movement_pred_head"
        y, pairs = self.norm(f"{head}.layer_norm", x), self.norm(f"{head}.pair_layer_norm", z)
        q, k, v = (self.by_head(self.linear(f"{head}.{part}_proj", y)) for part in "qkv")
        weights = attention_weights(q, k, self.linear(f"{head}.linear_bias", pairs))
        w = self.state[f"{head}.force_proj1.weight"][0].unflatten(0, (self.dimensions.heads, -1))
        directions = r[None] - r[:, None]
        return r + torch.einsum("hij,hjd,hd,ijx->ix", weights, v, w, directions)


def attention_weights(q: Tensor, k: Tensor, bias: Tensor) -> Tensor:
    return (torch.einsum("hid,hjd->hij", q, k) / q.shape[-1] ** 0.5 + bias.permute(2, 0, 1)).softmax(-1)


def gelu(values: Tensor) -> Tensor:
    return 0.5 * values * (1 + torch.erf(values / 2**0.5))
