"""What makes a video file that file: a hash of samples of its content, quick on any size.

The size, the first and the last MiB, and 16 stretches of 256 KiB that lie evenly between them are
hashed; a file of up to 8 MiB whole. Name, place and times do not count: a copy and a touched file
are the same. What it cannot see: a change inside a file that leaves the size and all of those
stretches as they were, such as bytes overwritten in place in the middle of a large file.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from rdmf_cli.files import unreadable

END_BYTES = 1 << 20  # read at the head and at the tail
SAMPLES, SAMPLE_BYTES = 16, 1 << 18  # read between them
WHOLE_UP_TO = 8 << 20


def content_fingerprint(path: Path, size: int | None = None) -> str:
    """Return a hex digest of the size and of samples of the content.

    Args:
        path: The file.
        size: Bytes from the start that count; None: the whole file. A file that has grown since
            has the fingerprint of then over the size of then.

    Raises:
        RdmfError: The file cannot be read.
    """
    try:
        size = path.stat().st_size if size is None else size
        digest = hashlib.sha256(str(size).encode())
        with open(path, "rb") as file:
            for start, count in _samples(size):
                file.seek(start)
                digest.update(file.read(count))
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.hexdigest()


def _samples(size: int) -> list[tuple[int, int]]:
    """(start, count) of the stretches that are hashed, in bytes."""
    if size <= WHOLE_UP_TO:
        return [(0, size)]
    room = size - 2 * END_BYTES - SAMPLE_BYTES
    between = [END_BYTES + i * room // (SAMPLES - 1) for i in range(SAMPLES)]
    return [
        (0, END_BYTES),
        *[(start, SAMPLE_BYTES) for start in between],
        (size - END_BYTES, END_BYTES),
    ]
