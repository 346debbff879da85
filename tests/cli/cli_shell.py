"""The command line as a shell sees it, and small videos for it."""

from __future__ import annotations

import os
import signal
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def hear_ctrl_c() -> None:
    """A program's `preexec_fn`: where the tests run in the background, Ctrl-C is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def command(*args: object) -> list[str]:
    return [sys.executable, "-m", "rdmf_cli", *map(str, args)]


def environment(**more: str) -> dict[str, str]:
    """A shell's, without what would change how output looks; RDMF_CACHE_DIR is the test's own."""
    unwanted = ("RDMF_DEBUG", "NO_COLOR", "FORCE_COLOR", "COLUMNS")
    kept = {k: v for k, v in os.environ.items() if k not in unwanted}
    return {**kept, "PYTHONIOENCODING": "utf-8", "TERM": "xterm", **more}


def write_video(path: Path, seconds: float = 6, rate: int = 5, shade: int = 200) -> Path:
    """A square that wanders over a grey ground."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=Fraction(rate))
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for i in range(round(seconds * rate)):
            image = np.full((120, 160, 3), 90, np.uint8)
            image[30:70, (3 * i) % 120 : (3 * i) % 120 + 40] = (shade, 40, 40)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        film.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """A file with a sound stream and no pictures."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=16000, layout="mono")
        for i in range(20):
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts = 16000, 1024 * i
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path
