"""What is sharded is whole while it is in use only, and tensors come back as they were."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from molfound.model import MolecularModel, specify
from molfound.training.mixture import load_task_mixture
from molfound.training.processes import Processes
from molfound.training.sharding import clip_gradients, is_sharded, load_whole, shard_encoder, whole
from tests.training.conftest import MakeExperiment


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A group of one process, of which parameters are sharded all the same."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("group")
def test_stages_are_put_together_for_a_moment(experiment: MakeExperiment) -> None:
    chosen = experiment()
    mixture = load_task_mixture(chosen, None)
    torch.manual_seed(0)
    model = MolecularModel(specify(chosen, mixture.tasks)).eval()
    batch = mixture.graphs.collection.batch(range(20))
    before, state = model(batch), {name: value.clone() for name, value in model.state_dict().items()}

    shard_encoder(model, Processes(), torch.device("cpu"))
    after = model(batch)
    blocks = [parameter for stage in model.encoder.stages()[1:] for parameter in stage.parameters()]
    assert blocks
    assert all(is_sharded(parameter) for parameter in blocks)
    assert not any(is_sharded(parameter) for parameter in model.heads.parameters())
    for name, prediction in before.items():
        torch.testing.assert_close(after[name], prediction)

    together = whole(model.state_dict(), kept=True)
    assert all(torch.equal(together[name], value) for name, value in state.items())
    assert None in whole(model.state_dict(), kept=False).values()
    load_whole(model, {name: value + 1 if value.is_floating_point() else value for name, value in state.items()})
    moved = whole(model.state_dict(), kept=True)
    assert all(torch.equal(moved[name], value + 1) for name, value in state.items() if value.is_floating_point())


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("limit", [1e-3, 1e3])
def test_gradients_are_clipped_together(experiment: MakeExperiment, limit: float) -> None:
    chosen = experiment()
    mixture = load_task_mixture(chosen, None)
    batch = mixture.graphs.collection.batch(range(20))
    gradients = []
    for sharded in (False, True):
        torch.manual_seed(0)
        model = MolecularModel(specify(chosen, mixture.tasks)).eval()
        if sharded:
            shard_encoder(model, Processes(), torch.device("cpu"))
        sum(prediction.square().sum() for prediction in model(batch).values()).backward()
        if sharded:
            clip_gradients(model.parameters(), limit)
        else:
            torch.nn.utils.clip_grad_norm_(model.parameters(), limit)
        gradients.append(whole({n: p.grad for n, p in model.named_parameters() if p.grad is not None}, kept=True))
    assert gradients[0].keys() <= gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-4, atol=1e-8)
