"""A training that is stopped anywhere and resumed meets every sample as one that is not: none lost, none twice."""

import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest
import torch

from molfound.config import load_config
from molfound.config.schema import Experiment
from molfound.data.mixture import Mixture
from molfound.training.checkpoint import load_checkpoint
from molfound.training.mixture import load_task_mixture
from molfound.training.recorder import TrainingInterruptedError
from molfound.training.run_folder import RunFolder
from molfound.training.train import resume, train
from tests.training.conftest import MakeExperiment
from tests.training.test_resume import EVERY_STEP, train_until
from tests.training.test_streaming import BLOCKS, TINY

pytestmark = pytest.mark.usefixtures("plugins_forgotten")

PLUGIN = Path(__file__).parents[2] / "benchmarks" / "logged_samples.py"
LOGGED = (
    f"plugins=[{PLUGIN}]",
    "model.readout={name: logged_pool}",
    "data.datasets.atoms.share=1",
    "training.epochs=2",
    "run.baselines=[]",
    EVERY_STEP,
)
FORMS = {"in memory": (), "streamed": (BLOCKS, TINY)}

Samples = list[tuple[str, int]]


def samples(log: Path) -> list[Samples]:
    """Return what all processes together were given in each step, none of them having been given nothing."""
    processes = [list(map(json.loads, path.read_text().splitlines())) for path in log.iterdir()]
    return [sorted((name, row) for share in shares for name, row in share) for shares in zip(*processes, strict=True)]


def training_molecules(graphs: Mixture) -> Samples:
    return sorted(
        (name, row) for name in graphs.parts for row in graphs.collection.rows[graphs.positions("train", name)].tolist()
    )


def steps_taken(run: RunFolder) -> int:
    return load_checkpoint(run.last_checkpoint)["progress"].step if run.last_checkpoint.exists() else 0


@pytest.fixture(scope="module", params=FORMS)
def whole(
    request: pytest.FixtureRequest, data_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[Samples]]:
    """How the molecules are held, and the samples of each step of a training that is not stopped."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("whole")
    options = (f"run.folder={folder / 'run'}", *LOGGED, *FORMS[request.param])
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SAMPLES_LOG", str(folder / "log"))
        (folder / "log").mkdir()
        chosen = load_config(data_folder / "tiny.yaml", options)
        train(chosen)
    order, molecules = samples(folder / "log"), training_molecules(load_task_mixture(chosen, None).graphs)
    assert epochs(order) == [molecules] * 2
    return request.param, order


def epochs(order: Sequence[Samples]) -> list[Samples]:
    """Return the samples of the two epochs of a training, sorted."""
    every = list(chain.from_iterable(order))
    return [sorted(every[: len(every) // 2]), sorted(every[len(every) // 2 :])]


@pytest.mark.parametrize("place", ["start", "middle", "last batch", "boundary", "twice", "Ctrl-C"])
def test_a_stopped_training_meets_every_sample_once(
    experiment: MakeExperiment,
    whole: tuple[str, list[Samples]],
    place: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    form, order = whole
    monkeypatch.setattr("molfound.training.train.finish", lambda *arguments: None)
    chosen = experiment(*LOGGED, *FORMS[form])
    run, epoch = RunFolder(chosen.run_folder), len(order) // 2
    kept: list[Samples] = []

    def go_on(experiment: Experiment) -> RunFolder:
        return resume(run.path, experiment)

    stops = {
        "start": [1],
        "middle": [epoch + epoch // 2],
        "last batch": [epoch],
        "boundary": [epoch + 1],
        "twice": [3, epoch],
        "Ctrl-C": [epoch + 3],
    }[place]
    for number, stop in enumerate([*stops, None]):
        first, log = steps_taken(run), tmp_path / f"log{number}"
        log.mkdir()
        monkeypatch.setenv("SAMPLES_LOG", str(log))
        begin = go_on if number else train
        if stop is None:
            begin(chosen)
        elif place == "Ctrl-C":
            monkeypatch.setenv("SAMPLES_STOP", f"SIGINT {stop} train")
            with pytest.raises(TrainingInterruptedError):
                begin(chosen)
            monkeypatch.delenv("SAMPLES_STOP")
            assert steps_taken(run) == stop
        else:
            train_until(chosen, stop, monkeypatch, begin)
            # Of steps after the checkpoint nothing is kept, so they are taken again.
            assert first <= steps_taken(run) < first + stop
        kept += samples(log)[: steps_taken(run) - first]
    assert kept == order
