"""The assembly: inputs, encoder, read-outs and heads from a specification, and the files that keep them."""

from molfound.model.devices import torch_device
from molfound.model.dropout_samples import DropoutSamples
from molfound.model.ensemble import (
    Ensemble,
    check_alike,
    complete_members,
    ensemble_members,
    load_ensemble,
    save_ensemble,
)
from molfound.model.files import (
    load_model,
    load_specification,
    load_weights,
    save_model,
    save_specification,
    save_weights,
)
from molfound.model.molecular_model import MolecularModel, count_parameters
from molfound.model.specification import ModelSpecification, specify
from molfound.model.task_model import TaskModel

__all__ = [
    "DropoutSamples",
    "Ensemble",
    "ModelSpecification",
    "MolecularModel",
    "TaskModel",
    "check_alike",
    "complete_members",
    "count_parameters",
    "ensemble_members",
    "load_ensemble",
    "load_model",
    "load_specification",
    "load_weights",
    "save_ensemble",
    "save_model",
    "save_specification",
    "save_weights",
    "specify",
    "torch_device",
]
