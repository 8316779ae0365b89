"""What leaves a machine: a run folder without the machine's paths, with a card that says what the model is."""

from molfound.sharing.export import export_run

__all__ = ["export_run"]
