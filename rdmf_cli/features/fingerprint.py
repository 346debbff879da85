"""The fingerprint of a video file: a hash of samples of its content.

The hash takes little time for files of any size. It covers the size, the first MiB, the last MiB,
and 16 evenly spaced samples of 256 KiB between the first and the last MiB. For a file of up to 8
MiB the hash covers the whole content. Name, folder and modification time do not count: a copy has
the same fingerprint. The fingerprint does not notice a change that keeps the size and all samples,
for example bytes that are overwritten in place in the middle of a large file.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from rdmf_cli.files import unreadable

END_BYTES = 1 << 20  # number of bytes read at the start, and at the end
SAMPLES, SAMPLE_BYTES = 16, 1 << 18  # number of samples in between, and bytes per sample
WHOLE_UP_TO = 8 << 20


def content_fingerprint(path: Path, size: int | None = None) -> str:
    """Return the SHA-256 of a file's size and of samples of its content, in hexadecimal.

    Args:
        path: The file.
        size: Take only this many bytes from the start of the file; None: the whole file. If a file
            has grown, its earlier size gives its earlier fingerprint.

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
    """(start, count) of the samples that are hashed, in bytes."""
    if size <= WHOLE_UP_TO:
        return [(0, size)]
    room = size - 2 * END_BYTES - SAMPLE_BYTES
    between = [END_BYTES + i * room // (SAMPLES - 1) for i in range(SAMPLES)]
    return [
        (0, END_BYTES),
        *[(start, SAMPLE_BYTES) for start in between],
        (size - END_BYTES, END_BYTES),
    ]
