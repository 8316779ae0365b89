"""What leaves a machine: a run folder without the machine's paths, with a card that says what the model is."""

from molfound.sharing.export import export_run
from molfound.sharing.program import export_program

__all__ = ["export_program", "export_run"]
