"""Parameters of which each process holds a share: fully sharded data parallelism for large encoders."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from molfound.errors import MolfoundError
from molfound.model import MolecularModel
from molfound.training.processes import Processes


def shard_encoder(model: MolecularModel, processes: Processes, device: torch.device) -> None:
    """Divide the encoder's stages among the processes, in place; each is put together while it is in use only.

    The rest of the model (inputs, read-outs, heads) is small and stays whole in every process. What a stage computes is
    not changed (Zhao et al., 2023, arXiv 2304.11277).

    Raises:
        MolfoundError: torch is too old.
    """
    if not hasattr(FSDPModule, "set_reduce_scatter_unused_params"):
        raise MolfoundError(f"training.shard needs a newer torch than {torch.__version__}")
    mesh = init_device_mesh(device.type, (processes.count,))
    for stage in model.encoder.stages():
        # A list of modules is a stage that is never called as one: there is no moment at which to put it together.
        if not isinstance(stage, nn.ModuleList):
            # Said, because each stage is the outermost of its own, which would stay put together until the way back.
            sharded = fully_shard(stage, mesh=mesh, reshard_after_forward=True)
            # Of what one process alone has used: the others send zeros.
            sharded.set_reduce_scatter_unused_params(True)


def is_sharded(value: object) -> bool:
    """Return whether a process holds a share of a tensor only."""
    return isinstance(value, DTensor)


def own_share(value: Tensor) -> Tensor:
    """Return the share of a tensor that this process holds, in the same memory; all of one that is not sharded."""
    return value.to_local() if isinstance(value, DTensor) else value


def whole(state: Any, *, kept: bool) -> Any:
    """Return a nest of dicts with every sharded tensor put together in the host's memory.

    All processes must ask for it. One tensor at a time is whole on the device. Processes that do not keep what comes of
    it get None in place of a tensor.
    """
    if isinstance(state, Mapping):
        return {key: whole(value, kept=kept) for key, value in state.items()}
    if not isinstance(state, DTensor):
        return state
    together = state.full_tensor()
    return together.cpu() if kept else None


def shared_like(value: Tensor, model: Tensor) -> Tensor:
    """Return a whole tensor as `model` is, of the same shape: sharded or not, on its device."""
    if isinstance(model, DTensor) and value.shape == model.shape:
        # Every process has all of it: nothing is to be sent.
        there = value.to(model.device)
        return distribute_tensor(there, model.device_mesh, model.placements, src_data_rank=None)
    return value


def clip_gradients(parameters: Iterable[nn.Parameter], limit: float) -> None:
    """Scale gradients so that the norm of all of them together, shares of other processes included, is at most this."""
    trained = [parameter for parameter in parameters if parameter.grad is not None]
    kinds = [[p for p in trained if is_sharded(p) is sharded] for sharded in (True, False)]
    norms = [get_total_norm([p.grad for p in some if p.grad is not None]) for some in kinds if some]
    if not norms:
        return
    parts = [norm.full_tensor() if isinstance(norm, DTensor) else norm for norm in norms]
    norm = torch.linalg.vector_norm(torch.stack(parts))
    for some in kinds:
        clip_grads_with_norm_(some, limit, norm)


def load_whole(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load a state that is not sharded into a module that may be."""
    own = module.state_dict()
    module.load_state_dict(
        {name: shared_like(value, own[name]) if name in own else value for name, value in state.items()}
    )
