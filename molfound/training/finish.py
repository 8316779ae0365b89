"""What follows a training: scores of the parts held out, predictions and baselines of the test part, the report."""

from molfound.config.schema import Experiment
from molfound.data.loader import evaluation_batches
from molfound.data.sampler import BatchLimits
from molfound.model import MolecularModel
from molfound.training.baselines import Forest, forest_scores, mean_scores
from molfound.training.console import EpochReporter
from molfound.training.corrupting import Corruptor
from molfound.training.evaluation import Evaluation, predicted
from molfound.training.labelled_predictions import LabelledPredictions
from molfound.training.mixture import TaskMixture, label_pairs
from molfound.training.report import write_report
from molfound.training.run_folder import RunFolder


def finish(
    experiment: Experiment,
    mixture: TaskMixture,
    model: MolecularModel,
    run: RunFolder,
    reporter: EpochReporter,
    corruptor: Corruptor | None,
) -> None:
    """Write ``scores.json``, ``predictions/``, ``report.html``, and, if there are any, objectives and baselines."""
    limits = BatchLimits.of(experiment.data.batch)
    scores, told = {}, {}
    for part in mixture.graphs.part_names:
        if part == "train":
            continue
        batches = evaluation_batches(mixture.graphs.collection, mixture.graphs.positions(part), limits)
        evaluation = Evaluation(model, corruptor, memory=experiment.training.metrics_mib << 20)
        kept = LabelledPredictions(model, mixture, memory=experiment.training.metrics_mib << 20)
        for predictions, batch in predicted(model, batches):
            evaluation.update(predictions, batch)
            if part == "test":
                kept.add(predictions, batch)
        found = evaluation.compute()
        scores[part] = found.to_dict(mixture.tasks)
        told[part] = found.restored()
        kept.write(run.predictions, part)
    run.write_json(run.scores, scores)
    if corruptor is not None:
        run.write_json(run.objectives, told)
    if experiment.run.baselines and "test" in scores:
        reporter.line(f"fitting the baselines ({', '.join(experiment.run.baselines)}) to the same rows")
        run.write_json(run.baselines, mixture_baselines(experiment, mixture))
    write_report(run.path)
    reporter.line(f"run folder: {run.path}; report: {run.report}")


def mixture_baselines(experiment: Experiment, mixture: TaskMixture) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return ``{task: {baseline: {metric: mean over labels}}}`` on the test part, fitted to the training part.

    The forest knows molecules and atoms: a task of edges or pairs is without it.
    """
    scores: dict[str, dict[str, dict[str, float | None]]] = {name: {} for name in mixture.tasks}
    for name, task in mixture.tasks.items():
        if "mean" in experiment.run.baselines:
            scores[name]["mean"] = mean_scores(task, *(label_pairs(mixture, task, part) for part in ("train", "test")))
        if "forest" in experiment.run.baselines and task.level in ("graph", "node"):
            train, test = (mixture.labelled(task, part) for part in ("train", "test"))
            scores[name]["forest"] = forest_scores(task, train, test, Forest(seed=experiment.seed))
    return scores
