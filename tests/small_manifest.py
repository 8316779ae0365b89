"""The embedded dataset with few molecules."""

from pathlib import Path

import yaml

from molfound.config.locations import shipped_folder


def write_small_manifest(folder: Path) -> None:
    """Write the manifest of 300 molecules of the embedded dataset, `small.yaml`, into a folder."""
    manifest = yaml.safe_load((shipped_folder("datasets_manifest") / "embedded.yaml").read_text())
    manifest["generator"]["molecules"] = 300
    (folder / "small.yaml").write_text(yaml.safe_dump(manifest))
