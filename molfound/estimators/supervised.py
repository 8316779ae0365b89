"""A regressor and a classifier of molecules: a network trained from scratch, or a run fine-tuned."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, column_or_1d

from molfound.chem.parsing import Rejection, parse
from molfound.config import Experiment, load_config
from molfound.config.documents import write_text
from molfound.config.locations import find_config
from molfound.config.schema import Kind
from molfound.data.shards import write_atomically
from molfound.errors import MolfoundError
from molfound.estimators.samples import MoleculeEstimator
from molfound.inference import Predictor, applicability, calibrated, load
from molfound.inference.molecules import molecule_rows, one_column
from molfound.inference.predictor import Molecules
from molfound.model import save_model, torch_device
from molfound.training.finetuning import FineTuning, training_defaults
from molfound.training.train import train

FROM_SCRATCH = "parts/small_data_training"
NAME = "samples"  # of the dataset and of its task
MODEL = "model"


class _Supervised(MoleculeEstimator):
    """What the regressor and the classifier share: a network trained on a table of SMILES and labels."""

    def __init__(
        self,
        run: str | Path | None = None,
        *,
        config: str | Path | None = None,
        overrides: Sequence[str] = (),
        validation: float = 0.1,
        random_state: Any = None,
        device: str | torch.device = "auto",
    ) -> None:
        self.run = run
        self.config = config
        self.overrides = overrides
        self.validation = validation
        self.random_state = random_state
        self.device = device

    def _train(self, samples: Iterable[object], labels: NDArray[np.float64], kind: Kind, classes: int | None) -> None:
        molecules = one_column(samples)
        check_consistent_length(molecules, labels)
        with TemporaryDirectory() as temporary:
            folder = Path(temporary)
            names = [f"y{number}" for number in range(labels.shape[1])]
            columns = dict(zip(names, labels.T, strict=True))
            pq.write_table(pa.table({"smiles": molecule_rows(molecules).smiles, **columns}), folder / "samples.parquet")
            task = {"level": "graph", "kind": kind, "labels": names, "classes": classes}
            experiment = self._experiment(folder, task, len(molecules))
            _check_molecules(molecules, experiment.data.max_heavy_atoms)
            self.predictor_: Predictor = load(train(experiment, quiet=True).path, device=self.device)

    def _experiment(self, folder: Path, task: dict[str, Any], molecules: int) -> Experiment:
        """Write a manifest and an experiment of a table that is in the folder, and return the experiment."""
        seed = self.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(2**31 - 1)
        manifest = {
            "name": NAME,
            "title": "Samples of an estimator",
            "licence": "unknown",
            "citation": "unknown",
            "source": "samples.parquet",
            "files": [{"name": "samples.parquet"}],
            "smiles": "smiles",
            "tasks": {NAME: task},
            "splits": {
                "random": {"kind": "random", "fractions": [1 - self.validation, self.validation, 0], "seed": int(seed)}
            },
        }
        own: dict[str, Any] = {
            "name": "estimator",
            "seed": int(seed),
            "data": {
                "root": str(folder),
                "store": str(folder / "stores"),
                "processes": 1,  # several estimators are fitted at a time (n_jobs)
                "datasets": {NAME: {"manifest": "samples.yaml"}},
            },
            "tasks": {NAME: {"dataset": NAME}},
            "training": {"accelerator": torch_device(self.device).type},
            "run": {"folder": str(folder / "run"), "baselines": []},
        }
        if self.run is not None and self.config is None:
            defaults = training_defaults(round(molecules * (1 - self.validation)))
            own |= {name: {**own[name], **defaults[name]} for name in ("data", "training")}
        else:
            # By its whole path, for the file that names it is elsewhere.
            own["extends"] = str(find_config(str(self.config or FROM_SCRATCH)).resolve())
        write_atomically(folder / "samples.yaml", write_text(manifest).encode())
        path = folder / "experiment.yaml"
        write_atomically(path, write_text(own).encode())
        if self.run is None:
            experiment = load_config(path, self.overrides)
        else:
            experiment = FineTuning(self.run).of_configuration(str(path), self.overrides)
        others = [name for name in (*experiment.data.datasets, *experiment.tasks) if name != NAME]
        if others:
            raise MolfoundError(
                f"{self.config or 'overrides'} names '{others[0]}', and an estimator learns its samples alone: take a "
                "configuration without datasets and tasks, such as parts/graph_network"
            )
        return experiment

    def _predicted(self, samples: Iterable[object]) -> list[NDArray[Any]]:
        """Return the columns of the predictions, each with a number or an array per sample."""
        check_is_fitted(self, "predictor_")
        table = self.predictor_.predict(cast(Molecules, one_column(samples)))
        if table["rejected"].notna().any():
            place = int(table["rejected"].notna().to_numpy().argmax())
            raise MolfoundError(f"sample {place} is no molecule: {table['rejected'].iloc[place]}")
        return [table[f"{NAME}.{label}"].to_numpy() for label in self.predictor_.tasks[NAME]]

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: the files that a run folder would have of the model and its calibration."""
        state: dict[str, Any] = super().__getstate__()
        if "predictor_" in state:
            predictor = state["predictor_"]
            with TemporaryDirectory() as temporary:
                save_model(predictor.model, Path(temporary))
                if predictor.calibration is not None:
                    (Path(temporary) / calibrated.FILE).write_text(predictor.calibration.model_dump_json())
                if predictor.known is not None:
                    (Path(temporary) / applicability.FILE).write_bytes(predictor.known.to_bytes())
                files = {path.name: path.read_bytes() for path in Path(temporary).iterdir()}
            state = {name: value for name, value in state.items() if name != "predictor_"} | {MODEL: files}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Load the model from its files if there was one."""
        files = state.get(MODEL)
        super().__setstate__({name: value for name, value in state.items() if name != MODEL})
        if files is not None:
            with TemporaryDirectory() as temporary:
                for name, content in files.items():
                    (Path(temporary) / name).write_bytes(content)
                self.predictor_ = load(temporary, device=self.device)


class MoleculeRegressor(RegressorMixin, _Supervised):  # type: ignore[misc]
    """Learns numbers of molecules, with a network from scratch or with that of a run.

    Samples are SMILES or RDKit molecules, of which the SMILES is learned from, in a list, an array or a pandas Series.
    A target is a number, or a row of several, ``[samples, labels]``; NaN where it was not measured.

    Args:
        run: the run whose network is fine-tuned, as `molfound finetune` does it; None: a network from scratch.
        config: a configuration, by name or path, of the training and, from scratch, of the network, without datasets
            and tasks. None: ``parts/small_data_training`` from scratch; with a run what suits the number of samples.
        overrides: ``key=value`` changes of it, such as ``training.epochs=20``.
        validation: share of the samples that are drawn to choose the best epoch by; nothing is learned from them.
        random_state: of that draw and of the training.
        device: where the model computes, see `molfound.load`; of several GPUs, training takes the first.

    Attributes:
        predictor_: the trained model.

    Raises:
        MolfoundError: in `fit`, a run, configuration or device that is not there or does not fit; a sample that is no
            molecule.
        ValueError: targets that are not as many as the samples, infinite, no classes, or all of one class.

    Example:
        >>> import molfound as mf
        >>> regressor = mf.MoleculeRegressor(overrides=["training.epochs=20"], random_state=0)
        >>> regressor.fit(["CCO", "CCC", "c1ccccc1"] * 10, [-0.3, 1.4, 1.7] * 10)  # doctest: +SKIP
        >>> regressor.predict(["CCN"])  # doctest: +SKIP
    """

    def fit(self, X: Iterable[object], y: object) -> Self:  # noqa: N803 (scikit-learn's name)
        """Train the network on the samples."""
        options = {"dtype": np.float64, "ensure_2d": False, "ensure_all_finite": "allow-nan", "input_name": "y"}
        targets = check_array(y, **options)
        self.n_outputs_ = targets.shape[1] if targets.ndim == 2 else None
        self._train(X, targets.reshape(len(targets), -1), "regression", None)
        return self

    def predict(self, X: Iterable[object]) -> NDArray[np.float64]:  # noqa: N803 (scikit-learn's name)
        """Return the predictions, ``[samples]`` or ``[samples, labels]`` as the targets were."""
        columns = self._predicted(X)
        return np.stack(columns, axis=1).astype(np.float64) if self.n_outputs_ else columns[0].astype(np.float64)

    def __sklearn_tags__(self) -> Any:
        """Say that there may be several targets."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class MoleculeClassifier(ClassifierMixin, _Supervised):  # type: ignore[misc]
    """Learns to which of two or more classes molecules belong, with a network from scratch or with that of a run.

    Arguments, samples and errors are those of `MoleculeRegressor`; a target is the name or number of a class.

    Attributes:
        classes_: the classes, sorted.
        predictor_: the trained model.

    Example:
        >>> import molfound as mf
        >>> classifier = mf.MoleculeClassifier("runs/quickstart", random_state=0)
        >>> classifier.fit(["CCO", "CCC", "c1ccccc1"] * 10, ["polar", "not", "not"] * 10)  # doctest: +SKIP
        >>> classifier.predict(["CCN"])  # doctest: +SKIP
    """

    def fit(self, X: Iterable[object], y: object) -> Self:  # noqa: N803 (scikit-learn's name)
        """Train the network on the samples."""
        check_classification_targets(y)
        self.classes_, codes = np.unique(column_or_1d(y), return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"all targets are of one class ({self.classes_[0]}): there is nothing to learn")
        several = len(self.classes_) > 2
        kind: Kind = "multiclass" if several else "binary"
        self._train(X, codes[:, None].astype(np.float64), kind, len(self.classes_) if several else None)
        return self

    def predict_proba(self, X: Iterable[object]) -> NDArray[np.float64]:  # noqa: N803 (scikit-learn's name)
        """Return the probability of each class, ``[samples, classes]``."""
        (column,) = self._predicted(X)
        if len(self.classes_) > 2:
            return np.stack(list(column)).astype(np.float64)
        positive = column.astype(np.float64)
        return np.stack([1 - positive, positive], axis=1)

    def predict(self, X: Iterable[object]) -> NDArray[Any]:  # noqa: N803 (scikit-learn's name)
        """Return the most probable class of each sample."""
        check_is_fitted(self, "predictor_")
        chosen: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return chosen


def _check_molecules(samples: Sequence[object], max_heavy_atoms: int) -> None:
    """Refuse what is no molecule before anything is prepared, where a share of the rows may be."""
    for place, sample in enumerate(samples):
        found = parse(sample, max_heavy_atoms=max_heavy_atoms)
        if isinstance(found, Rejection):
            detail = f": {found.detail}" if found.detail else ""
            raise MolfoundError(f"sample {place} is no molecule: {found.reason}{detail}")
