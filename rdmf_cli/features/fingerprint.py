"""The fingerprint of a video file: a hash of samples of its content, quick for any size.

Hashed are the size, the first and the last MiB, and 16 evenly spaced stretches of 256 KiB between
them; of a file of up to 8 MiB, everything. Name, folder and modification time do not count: a copy
has the same fingerprint. The fingerprint misses a change that keeps the size and all of these
stretches, such as bytes overwritten in place in the middle of a large file.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from rdmf_cli.files import unreadable

END_BYTES = 1 << 20  # read at the head and at the tail
SAMPLES, SAMPLE_BYTES = 16, 1 << 18  # read between them
WHOLE_UP_TO = 8 << 20


def content_fingerprint(path: Path, size: int | None = None) -> str:
    """Return the SHA-256 of a file's size and of samples of its content, in hexadecimal.

    Args:
        path: The file.
        size: Take only this many bytes from its start; None: the whole file. With its earlier
            size, a file that has grown gives its earlier fingerprint.

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
