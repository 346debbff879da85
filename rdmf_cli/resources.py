"""The files that rdmf ships: where they lie, and the proof that weights are those we made.

Installed they lie in the package, in a checkout beside it.
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
    """The tour of photographs that the README and the self-test use."""
    return _shipped("_examples/tour.mp4", "examples/tour.mp4")


def weights_folder() -> Path:
    """The folder of the shipped weights."""
    return _shipped("_weights", "weights")


def read_manifest(folder: Path | None = None) -> dict[str, Any]:
    """The manifest of a weights folder: per file its sha256, size and role, and how it was made.

    Raises RdmfError if there is none or it cannot be read.
    """
    return dict(_manifest(folder or weights_folder()))


@lru_cache(maxsize=8)
def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RdmfError("the list of the shipped weights is missing", path, REINSTALL) from None
    except (OSError, ValueError) as error:
        raise RdmfError(f"the list of the shipped weights: {error}", path, REINSTALL) from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise RdmfError("the list of the shipped weights names no files", path, REINSTALL)
    return manifest


def sha256_of(name: str, folder: Path | None = None) -> str:
    """The hash that the manifest promises for a file. Raises RdmfError if it lists no such file."""
    folder = folder or weights_folder()
    entry = read_manifest(folder)["files"].get(name)
    if not isinstance(entry, dict) or "sha256" not in entry:
        raise RdmfError(f"lists no {name}", folder / "manifest.json", REINSTALL)
    return str(entry["sha256"])


def load_weights(name: str, folder: Path | None = None) -> bytes:
    """The content of a weights file, its hash checked.

    Raises RdmfError if the file is missing, cannot be read, or is not what the manifest promises.
    """
    folder = folder or weights_folder()
    promised, path = sha256_of(name, folder), folder / name
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RdmfError("this file of the shipped weights is missing", path, REINSTALL) from None
    except OSError as error:
        raise unreadable(path, error, "this file of the shipped weights", REINSTALL) from error
    if hashlib.sha256(content).hexdigest() != promised:
        raise RdmfError("is not the weights file that was shipped", path, REINSTALL)
    return content


def _shipped(installed: str, in_checkout: str) -> Path:
    path = PACKAGE / installed
    return path if path.exists() else PACKAGE.parent / in_checkout
