"""Copy a video from stdin to a temporary file, because decoders must seek."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rdmf_cli.cli.video_names import STDIN
from rdmf_cli.errors import RdmfError, UsageError

MOST_BYTES = 64 << 30
LEFT_FREE = 1 << 30  # bytes to leave free on the disk of the temporary folder
BLOCK = 1 << 20


class Spooled(NamedTuple):
    """Hold the paths of all videos, and the names that the user typed for temporary files."""

    paths: list[str]
    typed: dict[str, str]

    def name(self, path: str) -> str:
        """Return the name that the user typed for a path."""
        return self.typed.get(path, path)


@contextmanager
def stdin_spooled(videos: Sequence[str]) -> Iterator[Spooled]:
    """Replace the video "-" by a temporary file with the content of stdin.

    Args:
        videos: The videos, as the user typed them.

    Raises:
        UsageError: stdin is closed, is a terminal, or is named twice.
        RdmfError: stdin is empty, or its content does not fit on the disk.
    """
    if STDIN not in videos:
        yield Spooled(list(videos), {})
        return
    from rdmf_cli.children import scratch_folder

    if videos.count(STDIN) > 1:
        raise UsageError("stdin can be read only once", STDIN, "write - only once")
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("there is no video on stdin", STDIN, 'cat VIDEO | rdmf - "a sentence"')
    with scratch_folder() as folder:
        spooled = folder / "stdin"
        _spool(spooled)
        paths = [str(spooled) if video == STDIN else video for video in videos]
        yield Spooled(paths, {str(spooled): STDIN})


def _spool(path: Path) -> None:
    most = min(MOST_BYTES, shutil.disk_usage(path.parent).free - LEFT_FREE)
    size = 0
    with path.open("wb") as file:
        while block := sys.stdin.buffer.read(BLOCK):
            size += len(block)
            if size > most:
                what = f"the video needs more than {max(most, 0) / 1e9:.1f} GB of the disk"
                todo = f"save it to a file, or make room in {path.parent.parent}"
                raise RdmfError(what, "stdin", todo)
            file.write(block)
    if not size:
        raise RdmfError("is empty (0 bytes)", "stdin", "pipe a video into it")
