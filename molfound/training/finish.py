"""What follows a training: scores of the parts held out, predictions and baselines of the test part, the report."""

from pathlib import Path

from molfound.config import to_yaml
from molfound.config.schema import FROZEN_BASELINES, Experiment, FrozenBaseline
from molfound.data.loader import evaluation_batches
from molfound.data.memory import release_free_memory
from molfound.data.sampler import BatchLimits
from molfound.data.shards import write_atomically
from molfound.errors import MolfoundError
from molfound.model import MolecularModel, TaskModel, load_model, torch_device
from molfound.plugins import load_plugins
from molfound.runs import find_run
from molfound.tasks.calibration import Calibration
from molfound.tasks.task import Task
from molfound.training.baselines import mean_scores
from molfound.training.boosting import Boosting, boosting_scores
from molfound.training.calibrating import calibrate, with_test_figures
from molfound.training.console import EpochReporter
from molfound.training.corrupting import Corruptor
from molfound.training.evaluation import Evaluation, predicted
from molfound.training.forest import Forest, forest_scores
from molfound.training.frozen_baselines import embedded_molecules, frozen_scores
from molfound.training.known_molecules import known_molecules
from molfound.training.labelled_predictions import LabelledPredictions
from molfound.training.mixture import TaskMixture, label_pairs, load_task_mixture
from molfound.training.report import write_report
from molfound.training.run_folder import RunFolder
from molfound.training.seen import seen_molecules
from molfound.training.worst_molecules import worst_molecules


def finish(
    experiment: Experiment,
    mixture: TaskMixture,
    model: TaskModel,
    run: RunFolder,
    reporter: EpochReporter,
    corruptor: Corruptor | None,
) -> None:
    """Write scores, predictions, the report, what was trained on and, if there are any, calibration and baselines."""
    limits = BatchLimits.of(experiment.data.batch)
    scores, told = {}, {}
    calibration: Calibration | None = None
    # The validation part goes first, for what is calibrated on it is tried on the test part.
    for part in sorted(set(mixture.graphs.part_names) - {"train"}, key=lambda part: (part != "val", part)):
        batches = evaluation_batches(mixture.graphs.collection, mixture.graphs.positions(part), limits)
        evaluation = Evaluation(model, corruptor, memory=experiment.training.metrics_mib << 20)
        kept = LabelledPredictions(model, mixture, memory=experiment.training.metrics_mib << 20)
        for predictions, batch in predicted(model, batches):
            evaluation.update(predictions, batch)
            if part == "test":
                kept.add(predictions, batch)
        if part == "val":
            calibration = calibrate(evaluation)
        elif part == "test" and calibration is not None:
            calibration = with_test_figures(calibration, evaluation)
        found = evaluation.compute()
        scores[part] = found.to_dict(mixture.tasks)
        told[part] = found.restored()
        kept.write(run.predictions, part)
        release_free_memory()
    run.write_json(run.scores, scores)
    run.write_json(run.seen, seen_molecules(mixture.graphs, model.specification))
    if "test" in scores:
        run.write_json(run.worst, worst_molecules(mixture, run.predictions))
    if calibration is not None:
        run.write_json(run.calibration, calibration.model_dump())
    known = known_molecules(mixture.graphs, experiment.seed) if mixture.tasks else None
    if known is not None:
        write_atomically(run.known_molecules, known.to_bytes())
    release_free_memory()
    if corruptor is not None:
        run.write_json(run.objectives, told)
    if experiment.run.baselines and "test" in scores:
        without = [name for name, task in mixture.tasks.items() if not forest_fits(mixture, task)]
        if "forest" in experiment.run.baselines and without:
            reporter.line(f"no forest, which knows molecules and atoms in memory, for {', '.join(without)}")
        reporter.line(f"fitting the baselines ({', '.join(experiment.run.baselines)}) to the same rows")
        whole = [name for name in experiment.run.baselines if name not in ("mean", "forest")]
        others = [name for name, task in mixture.tasks.items() if not molecules_fit(mixture, task)]
        if whole and others:
            reporter.line(f"no {' or '.join(whole)}, which know whole molecules in memory, for {', '.join(others)}")
        run.write_json(run.baselines, mixture_baselines(experiment, mixture, model))
    write_report(run.path)
    reporter.line(f"run folder: {run.path}; report: {run.report}")


def fit_baselines(experiment: Experiment) -> RunFolder:
    """Fit an experiment's baselines and nothing else: its run folder gets ``config.yaml`` and ``baselines.json``.

    Raises:
        MolfoundError: a mistake in the experiment or its data, or no baseline of those it names fits any of its tasks.
    """
    load_plugins(Path(path) for path in experiment.plugins)
    mixture = load_task_mixture(experiment, EpochReporter(1).line)
    scores = mixture_baselines(experiment, mixture)
    if not any(scores.values()):
        raise MolfoundError(
            f"no baseline of {', '.join(experiment.run.baselines) or 'none'} fits the tasks {', '.join(mixture.tasks)}"
        )
    run = RunFolder(experiment.run_folder)
    write_atomically(run.config, to_yaml(experiment).encode())
    run.write_json(run.baselines, scores)
    return run


def forest_fits(mixture: TaskMixture, task: Task) -> bool:
    """Return whether a forest can be grown for a task: of molecules or atoms, of a dataset that is in memory."""
    return task.level in ("graph", "node") and task.dataset not in mixture.graphs.block_ptr


def molecules_fit(mixture: TaskMixture, task: Task) -> bool:
    """Return whether boosting, probe and neighbours can learn a task: of whole molecules, of a dataset in memory."""
    return task.level == "graph" and task.dataset not in mixture.graphs.block_ptr


def mixture_baselines(
    experiment: Experiment, mixture: TaskMixture, model: TaskModel | None = None
) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return ``{task: {baseline: {metric: mean over labels}}}`` on the test part, fitted to the training part.

    See `forest_fits` for tasks without the forest, `molecules_fit` for those without boosting, probe and neighbours.

    Args:
        experiment: names the baselines, and the run whose embeddings some of them read.
        mixture: its data.
        model: whose units the metrics are in; None: those of a model fitted to the training labels.
    """
    frozen = _frozen(experiment)
    embeds = _pretrained_model(experiment) if frozen else None
    limits = BatchLimits.of(experiment.data.batch)
    scores: dict[str, dict[str, dict[str, float | None]]] = {name: {} for name in mixture.tasks}
    for name, task in mixture.tasks.items():
        normalizer = None if model is None else model.normalizers[name]
        if "mean" in experiment.run.baselines:
            test_labels = label_pairs(mixture, task, "test")
            memory = experiment.training.metrics_mib << 20
            scores[name]["mean"] = mean_scores(
                task, mixture.training_labels[name], test_labels, normalizer, memory=memory
            )
        if "forest" in experiment.run.baselines and forest_fits(mixture, task):
            train, test = (mixture.labelled(task, part) for part in ("train", "test"))
            scores[name]["forest"] = forest_scores(task, train, test, Forest(seed=experiment.seed), normalizer)
        if "boosting" in experiment.run.baselines and molecules_fit(mixture, task):
            train, test = (mixture.labelled(task, part) for part in ("train", "test"))
            scores[name]["boosting"] = boosting_scores(task, train, test, Boosting(seed=experiment.seed), normalizer)
        if embeds is not None and molecules_fit(mixture, task):
            parts = {}
            for part in ("train", "val", "test"):
                positions = mixture.graphs.positions(part, task.dataset)
                batches = evaluation_batches(mixture.graphs.collection, positions, limits)
                parts[part] = embedded_molecules(embeds, batches, task)
            scores[name] |= {baseline: frozen_scores(baseline, task, parts, normalizer) for baseline in frozen}
    return scores


def _frozen(experiment: Experiment) -> list[FrozenBaseline]:
    return [name for name in FROZEN_BASELINES if name in experiment.run.baselines]


def _pretrained_model(experiment: Experiment) -> MolecularModel | None:
    config = experiment.training
    if config.pretrained is None:
        return None
    return load_model(find_run(config.pretrained.run)).to(torch_device(config.accelerator)).eval()
