"""From what a user calls a run to a model that predicts."""

from pathlib import Path

import torch

from molfound.errors import MolfoundError
from molfound.inference.applicability import load_known_molecules
from molfound.inference.calibrated import load_calibration
from molfound.inference.predictor import Predictor
from molfound.model import complete_members, load_ensemble, load_model, load_specification, torch_device
from molfound.plugins import restore_plugins
from molfound.runs import find_run


def load(run: str | Path, *, device: str | torch.device = "auto", allow_plugins: bool = False) -> Predictor:
    """Return the model of a run, or the ensemble of several, ready to predict.

    Args:
        run: a run folder or that of an ensemble, an archive of one, a model that comes with molfound, or one of a hub,
            see `molfound.runs.find_run`.
        device: where the model computes, see `molfound.model.torch_device`; by default a GPU where there is one.
        allow_plugins: whether copies of plugins kept in the run may be executed. The original files of one's own
            plugins are used without asking as long as they are unchanged.

    Raises:
        MolfoundError: no run or no model there, one made by a newer version, no such device, or a plugin that may not
            be executed.

    Example:
        >>> import molfound as mf
        >>> model = mf.load("toymix-gine")
        >>> model.predict("CC(C)Cc1ccc(cc1)C(C)C(=O)OC")["zinc12k.logp"].map("{:.1f}".format).item()  # RDKit: 3.16
        '3.1'
    """
    chosen, folder = torch_device(device), find_run(run)
    members = complete_members(folder)
    if not members and not (folder / "model.json").is_file():
        raise MolfoundError(f"{folder} holds no model: it has no model.json")
    for path in members or [folder]:
        restore_plugins(load_specification(path).plugins, path / "plugins", allow_copies=allow_plugins)
    model = load_ensemble(folder) if members else load_model(folder)
    return Predictor(model.to(chosen).eval(), load_calibration(folder), load_known_molecules(folder))
