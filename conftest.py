"""What of the package is not collected for its doctests."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("ray") else ["molfound/data/ray_workers.py"]  # ray is an extra
