"""The assembly: inputs, encoder, read-outs and heads from a specification, and the files that keep them."""

from molfound.model.devices import torch_device
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

__all__ = [
    "ModelSpecification",
    "MolecularModel",
    "count_parameters",
    "load_model",
    "load_specification",
    "load_weights",
    "save_model",
    "save_specification",
    "save_weights",
    "specify",
    "torch_device",
]
