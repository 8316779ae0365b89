"""Runs in repositories of the Hugging Face Hub."""

import re
from pathlib import Path

from molfound.errors import MolfoundError

SCHEME = "hf://"
FILES = ("*.json", "*.yaml", "*model.safetensors", "*known_molecules.npz", "*README.md", "*plugins/*.py")
"""What of a repository is fetched: the files that `molfound export` writes, in it or in its folders."""

_ADDRESS = re.compile(r"hf://(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")


def fetched(address: str) -> Path:
    """Return the folder of a run in a repository, fetched into the hub's own cache unless it is there already.

    Args:
        address: ``hf://OWNER/NAME`` or ``hf://OWNER/NAME@REVISION``, a branch, a tag or a commit.

    Raises:
        MolfoundError: another address, huggingface_hub is not installed, or the repository cannot be fetched.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise MolfoundError(
            f"'{address}' is no address of a run: write {SCHEME}OWNER/NAME or {SCHEME}OWNER/NAME@REVISION"
        )
    try:
        import huggingface_hub
    except ImportError:
        raise MolfoundError(f"{address} needs huggingface_hub: pip install 'molfound[hub]'") from None
    try:
        folder = huggingface_hub.snapshot_download(
            match["repository"], revision=match["revision"], allow_patterns=list(FILES), library_name="molfound"
        )
    # Of the network, the hub, its cache or the name: which errors they are is another with each version of the library.
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise MolfoundError(f"cannot fetch {address}: {reason[0].rstrip('.')}") from error
    return Path(folder)
