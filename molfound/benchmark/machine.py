"""What a figure of speed was measured on."""

import os
import platform
from importlib.metadata import version
from typing import Any

from molfound.data.workers import available_cores, processor_name

PACKAGES = ("torch", "rdkit", "numpy")


def machine() -> dict[str, Any]:
    """Return a description of this machine: processor, cores at hand, memory in GiB, load, system and versions.

    Example:
        >>> sorted(machine())
        ['cores', 'load', 'memory_gib', 'processor', 'python', 'system', 'versions']
    """
    return {
        "processor": processor_name(),
        "cores": available_cores(),
        "memory_gib": _memory_gib(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def machine_line(described: dict[str, Any]) -> str:
    """Return a description in one line."""
    memory, load = described["memory_gib"], described["load"]
    versions = ", ".join(f"{name} {number}" for name, number in described["versions"].items())
    parts = [
        described["processor"],
        f"cores: {described['cores']}",
        *([f"{memory:g} GiB"] if memory is not None else []),
        *([f"load {load:g}"] if load is not None else []),
        described["system"],
        f"Python {described['python']}",
        versions,
    ]
    return "; ".join(parts)


def _memory_gib() -> float | None:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
