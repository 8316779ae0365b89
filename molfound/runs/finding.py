"""The one place that finds a run by what a user calls it."""

from pathlib import Path

from molfound.errors import MolfoundError, did_you_mean
from molfound.runs.archives import unpacked
from molfound.runs.hub import SCHEME, fetched
from molfound.runs.packaged import packaged_models


def find_run(name: str | Path) -> Path:
    """Return the folder of a run.

    Args:
        name: a run folder; an archive of one (``.zip``, ``.tar.gz``), which is unpacked into the cache, see
            `molfound.runs.archives.unpacked`; a model that comes with molfound, such as ``toymix-gine``; or
            ``hf://OWNER/NAME``, perhaps with ``@REVISION``, a repository of the Hugging Face Hub, with the extra
            ``[hub]``. A path goes first.

    Returns:
        The folder. An existing folder is returned as it is, whatever it holds.

    Raises:
        MolfoundError: there is none, with the nearest model that comes with molfound; an archive that cannot be
            unpacked safely; or a repository that cannot be fetched.

    Example:
        >>> find_run("toymix-gine").name
        'toymix-gine'
    """
    text = str(name)
    if text.startswith(SCHEME):
        return fetched(text)
    path = Path(name)
    try:
        is_folder, is_file = bool(text) and path.is_dir(), path.is_file()
    except OSError as error:
        raise MolfoundError(f"no run '{_short(text)}': {error.strerror}") from None
    if is_folder:
        return path
    if is_file:
        return unpacked(path)
    packaged = packaged_models()
    if text in packaged:
        return packaged[text]
    raise MolfoundError(
        f"no run '{_short(text)}': there is no such folder or archive, and no model of that name comes with molfound"
        f"{did_you_mean(_short(text), packaged)}"
    )


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"
