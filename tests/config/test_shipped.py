"""Every shipped configuration loads, and the networks of one family have a comparable size."""

import pytest

from molfound.config import load_config
from molfound.config.locations import shipped_names
from molfound.data.mixture import load_manifests
from molfound.model import count_parameters, specify
from molfound.tasks.resolve import resolve_tasks

EXPERIMENTS = [name for name in shipped_names("configs") if not name.startswith("parts/")]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_shipped_configuration_loads(name: str) -> None:
    experiment = load_config(name)
    assert experiment.name.replace("-", "_").split("_")[-1] in name


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name.startswith("toymix/")])
def test_toymix_networks_have_about_150_000_parameters(name: str) -> None:
    experiment = load_config(name)
    manifests = load_manifests(experiment)
    columns = {
        key: [label for task in manifest.tasks.values() for label in task.labels] for key, manifest in manifests.items()
    }
    total = count_parameters(specify(experiment, resolve_tasks(experiment, manifests, columns)))["total"]
    assert 90_000 < total < 185_000
