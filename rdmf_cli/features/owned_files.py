"""Feature files that name their video: videos with equal names do not overwrite each other.

The comment of the `.npz` archive holds the fingerprint of the video's content and a hash of the
video's path. Readers of arrays do not see the comment.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path

import numpy as np

from rdmf_cli.errors import RdmfError
from rdmf_cli.features.files import save_video_features
from rdmf_cli.features.fingerprint import content_fingerprint
from rdmf_cli.files import check_target

KEY = "rdmf.video/1"
WHAT = "the features"


def check_features_file(folder: Path, video: Path, *, force: bool = False) -> None:
    """Check that the features of a video can be written into a folder.

    Args:
        folder: The folder.
        video: The video file. The file of features has the same name, except for the suffix.
        force: Replace a file that rdmf did not write, or that holds another video's features.

    Raises:
        RdmfError: The file exists and holds the features of another video with the same name.
        UsageError: The file exists, and rdmf did not write it.
    """
    file = folder / f"{video.stem}.npz"
    if os.path.lexists(file):  # a missing folder is made later
        check_target(file, inputs=[video], force=force, what=WHAT)
    owner = _owner(file)
    if force or owner is None or not video.is_file():
        return
    own = _marks(video)
    if not any(owner.get(name) == mark for name, mark in own.items()):
        raise same_name(video, "another video of this name")


def same_name(video: Path, other: object) -> RdmfError:
    """Make the error for two videos whose features would be written to the same file."""
    what = (
        f"its features would replace the features of {other}: both files are named {video.stem}.npz"
    )
    return RdmfError(what, video, "extract one of the videos with another --out")


def save_features_of(folder: Path, video: Path, rows: np.ndarray, *, force: bool = False) -> Path:
    """Write the features (L, D) of a video into a folder, with a mark that identifies the video.

    Returns:
        The path of the file.

    Raises:
        RdmfError: The same as in `check_features_file`, or the file cannot be written.
    """
    check_features_file(folder, video, force=force)
    mark = json.dumps({KEY: _marks(video)}).encode()
    return save_video_features(folder, video.stem, rows, inputs=[video], force=force, comment=mark)


def _marks(video: Path) -> dict[str, str]:
    """Return fingerprints of a video's content and path; an equal one means the same video."""
    path = str(video.resolve()).encode("utf-8", "surrogatepass")
    return {
        "content": content_fingerprint(video),
        "path": hashlib.sha256(path).hexdigest(),
    }


def _owner(file: Path) -> dict[str, str] | None:
    """Read the mark in a file of features; None if the file has no mark."""
    try:
        with zipfile.ZipFile(file) as opened:
            said = json.loads(opened.comment)
        return dict(said[KEY])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None
