"""What may be named as a run: a run folder, an archive of one, a model that comes with molfound, or one of a hub."""

from molfound.runs.finding import find_run
from molfound.runs.packaged import packaged_models

__all__ = ["find_run", "packaged_models"]
