"""Every shipped configuration loads, and its network has the size that it should have."""

from pathlib import Path

import pytest

from molfound.config import load_config
from molfound.config.locations import shipped_names
from molfound.config.schema import Experiment, RandomSplit
from molfound.data.mixture import load_manifests
from molfound.data.splits import random_split
from molfound.model import count_parameters, save_specification, specify
from molfound.tasks.resolve import resolve_tasks
from molfound.training.corrupting import check_corruption
from molfound.training.pretrained import check_pretrained

EXPERIMENTS = [name for name in shipped_names("configs") if not name.startswith(("parts/", "suites/", "sweeps/"))]


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


def parameters(experiment: Experiment) -> dict[str, int]:
    """Count a network's parameters by what its manifests say of the tables, without these."""
    manifests = load_manifests(experiment)
    columns = {
        key: [label for task in manifest.tasks.values() for label in task.counted_columns() or ()]
        for key, manifest in manifests.items()
    }
    return count_parameters(specify(experiment, resolve_tasks(experiment, manifests, columns)))


@pytest.mark.parametrize("layer", ["gcn", "gin", "gine"])
def test_largemix_networks_have_4_to_6_million_parameters(layer: str) -> None:
    counts = parameters(load_config(f"largemix/{layer}"))
    assert 4_000_000 < counts["total"] < 6_000_000
    assert counts["encoder"] == parameters(load_config(f"ultralarge/{layer}"))["encoder"]


@pytest.mark.parametrize("mixture", ["largemix", "ultralarge"])
def test_look_alikes_stand_for_every_table_of_the_mixture(mixture: str) -> None:
    real, like = load_config(f"{mixture}/gine"), load_config(f"{mixture}/lookalike")
    for name, dataset in real.data.datasets.items():
        assert dataset.manifest == f"{mixture}/{name}"
        assert like.data.datasets[name].manifest == f"lookalike/{name}"
    assert (like.tasks, like.model) == (real.tasks, real.model)
    assert parameters(like) == parameters(real)


PUBLISHED_TOTALS = {
    "42m": 43_788_112,
    "84m": 84_116_080,
    "164m": 164_772_016,
    "310m": 310_082_880,
    "570m": 570_233_696,
    "1.1b": 1_129_209_696,
}
"""Of the encoder with both heads of its pretraining (arXiv 2406.14969)."""


@pytest.mark.parametrize("size", PUBLISHED_TOTALS)
def test_published_sizes_have_the_published_numbers_of_parameters(size: str) -> None:
    experiment = load_config(f"pretrain/{size}")
    counts = count_parameters(specify(experiment, {}))
    assert counts["total"] == PUBLISHED_TOTALS[size]
    assert counts["readouts"] == 0


@pytest.mark.parametrize("size", PUBLISHED_TOTALS)
def test_published_sizes_are_trained_as_published(size: str) -> None:
    experiment = load_config(f"pretrain/{size}")
    training, corruption = experiment.training, experiment.corruption
    assert experiment.data.batch.size * training.accumulate == 1024
    assert (training.optimizer.lr, training.optimizer.weight_decay, training.clip) == (1e-4, 1e-4, 1.0)
    assert training.optimizer.betas == (0.9, 0.99)
    assert training.precision == "bf16"
    assert (corruption.atoms, corruption.graphs) == (0.15, 0.5)
    assert corruption.coordinates is not None
    assert (corruption.coordinates.kind, corruption.coordinates.scale) == ("normal", 0.2)
    assert experiment.model.encoder.options.get("checkpointing", False) == (size in ("310m", "570m", "1.1b"))
    check_corruption(experiment)


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name.startswith("finetune/")])
def test_fine_tunings_take_over_the_tiny_encoder_or_start_from_scratch(name: str, tmp_path: Path) -> None:
    pretraining, experiment = load_config("pretrain/tiny"), load_config(name)
    assert experiment.training.pretrained is not None
    assert experiment.training.pretrained.run == str(pretraining.run_folder)
    save_specification(specify(pretraining, {}), tmp_path / "model.json")
    (tmp_path / "model.safetensors").touch()
    check_pretrained(load_config(name, [f"training.pretrained.run={tmp_path}"]))
    assert load_config(name, ["training.pretrained=null"]).training.pretrained is None


def test_qm9_gap_is_learned_from_5_000_molecules() -> None:
    split = load_config("finetune/qm9_gap").data.datasets["qm9"].split
    assert isinstance(split, RandomSplit)
    parts = random_split(105_650, split.fractions, split.seed)
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 5_000, "val": 2_000, "test": 10_565}
