"""What of the package is not collected for its doctests."""

from importlib.util import find_spec

EXTRAS = {
    "ray": ["molfound/data/ray_workers.py"],
    "optuna": [f"molfound/sweep/{name}.py" for name in ("study", "checking", "running", "results")],
}
collect_ignore = [path for extra, paths in EXTRAS.items() if find_spec(extra) is None for path in paths]
