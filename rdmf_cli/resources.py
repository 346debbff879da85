"""The files that are part of rdmf: their paths, and the check of the hashes of the weights.

In an installation the files are inside the package; in a checkout they are beside the package.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from rdmf_cli.errors import RdmfError
from rdmf_cli.files import unreadable

PACKAGE = Path(__file__).resolve().parent
REINSTALL = "install rdmf again, or put the file of this release in its place"


def example_video() -> Path:
    """Return the path of the example video (photographs), for the README and `rdmf doctor`."""
    return _shipped("_examples/tour.mp4", "examples/tour.mp4")


def weights_folder() -> Path:
    """Return the folder of the weights that are part of rdmf."""
    return _shipped("_weights", "weights")


def read_manifest(folder: Path | None = None) -> dict[str, Any]:
    """Read the manifest of a weights folder: sha256, size, role and origin of each file.

    Args:
        folder: The weights folder; None: the folder of rdmf itself.

    Raises:
        RdmfError: The manifest is missing or cannot be read.
    """
    return dict(_manifest(folder or weights_folder()))


@lru_cache(maxsize=8)
def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RdmfError("the manifest of the weights is missing", path, REINSTALL) from None
    except (OSError, ValueError) as error:
        what = f"the manifest of the weights cannot be read ({error})"
        raise RdmfError(what, path, REINSTALL) from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise RdmfError("the manifest of the weights lists no files", path, REINSTALL)
    return manifest


def sha256_of(name: str, folder: Path | None = None) -> str:
    """Return the SHA-256 that the manifest lists for a file.

    Args:
        name: Name of the file.
        folder: The weights folder; None: the folder of rdmf itself.

    Raises:
        RdmfError: The manifest does not list this file.
    """
    folder = folder or weights_folder()
    entry = read_manifest(folder)["files"].get(name)
    if not isinstance(entry, dict) or "sha256" not in entry:
        raise RdmfError(f"lists no {name}", folder / "manifest.json", REINSTALL)
    return str(entry["sha256"])


def load_weights(name: str, folder: Path | None = None) -> bytes:
    """Read a weights file and check its hash.

    Args:
        name: Name of the file.
        folder: The weights folder; None: the folder of rdmf itself.

    Raises:
        RdmfError: The file is missing, cannot be read, or has another hash than the manifest.
    """
    folder = folder or weights_folder()
    promised, path = sha256_of(name, folder), folder / name
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RdmfError("this file of the weights is missing", path, REINSTALL) from None
    except OSError as error:
        raise unreadable(path, error, "this file of the weights", REINSTALL) from error
    if hashlib.sha256(content).hexdigest() != promised:
        raise RdmfError("is not the weights file that was shipped", path, REINSTALL)
    return content


def _shipped(installed: str, in_checkout: str) -> Path:
    path = PACKAGE / installed
    return path if path.exists() else PACKAGE.parent / in_checkout
