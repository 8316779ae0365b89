"""The models that come with molfound, in its folder ``pretrained/``."""

from pathlib import Path

from molfound.model.files import SPECIFICATION_FILE

FOLDER = Path(__file__).resolve().parents[1] / "pretrained"


def packaged_models() -> dict[str, Path]:
    """Return the run folders of the models that come with molfound, by name.

    >>> list(packaged_models())
    ['toymix-gine']
    """
    return {path.parent.name: path.parent for path in sorted(FOLDER.glob(f"*/{SPECIFICATION_FILE}"))}
