"""The command line as in a shell, and small videos for it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

UNWANTED = ("RDMF_DEBUG", "NO_COLOR", "FORCE_COLOR", "COLUMNS")  # these variables change the output
PLAIN = {"PYTHONIOENCODING": "utf-8", "TERM": "xterm"}


def hear_ctrl_c() -> None:
    """Make a program react to Ctrl-C (a `preexec_fn`): processes in the background ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def command(*args: object) -> list[str]:
    return [sys.executable, "-m", "rdmf_cli", *map(str, args)]


def environment(**more: str) -> dict[str, str]:
    """Return a shell's environment, without variables that change the output; RDMF_CACHE_DIR is
    separate.
    """
    kept = {k: v for k, v in os.environ.items() if k not in UNWANTED}
    return {**kept, **PLAIN, **more}


Done = subprocess.CompletedProcess[str]


def run_in_shell(*args: object, stdin: str | None = None, cwd: Path | None = None, **env: str):
    """Run `rdmf ARGS` in a new process, as a shell does; this takes a second or more."""
    result = subprocess.run(
        command(*args),
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(**env),
        cwd=cwd,
        timeout=120,
    )
    return without_traceback(result)


def run_here(*args: object, stdin: str | None = None, cwd: Path | None = None, **env: str) -> Done:
    """Run `rdmf ARGS` in this process, with separate streams, environment and exit code.

    This shows what a command prints and returns. Signals, pipes, closed streams and imports can
    only be tested in a new process: use `run_in_shell`.
    """
    typed = list(map(str, args))
    streams = {"stdin": _stream(stdin or ""), "stdout": _stream(), "stderr": _stream()}
    ctrl_c, hook = signal.getsignal(signal.SIGINT), sys.excepthook
    with pytest.MonkeyPatch.context() as patch:
        for name in (*UNWANTED, *env):
            patch.delenv(name, raising=False)
        for name, value in {**PLAIN, **env}.items():
            patch.setenv(name, value)
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        patch.setattr(sys, "argv", ["rdmf", *typed])
        if cwd is not None:
            patch.chdir(cwd)
        try:
            code = _exit_code()
        finally:
            signal.signal(signal.SIGINT, ctrl_c)
            sys.excepthook = hook
    return without_traceback(Done(typed, code, *map(_text, (streams["stdout"], streams["stderr"]))))


def without_traceback(result: Done) -> Done:
    for text in (result.stdout, result.stderr):
        assert "Traceback" not in text, text
    return result


def _exit_code() -> int:
    """Run the command in `sys.argv`; return the exit code that Python would return to the shell."""
    from rdmf_cli.__main__ import main

    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _stream(text: str = "") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8", newline="\n")


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode()


def write_video(path: Path, seconds: float = 6, rate: int = 5, shade: int = 200) -> Path:
    """Write a video of a square that moves over a grey background."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=Fraction(rate))
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for i in range(round(seconds * rate)):
            image = np.full((120, 160, 3), 90, np.uint8)
            image[30:70, (3 * i) % 120 : (3 * i) % 120 + 40] = (shade, 40, 40)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        film.mux(stream.encode())
    return path


def remuxed_with_tags(source: Path, path: Path, **tags: str) -> Path:
    """Copy a video into a file with other metadata; nothing is encoded."""
    with av.open(str(source)) as film, av.open(str(path), "w") as out:
        out.metadata.update(tags)
        stream = out.add_stream_from_template(film.streams.video[0])
        for packet in film.demux(film.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return path


def write_sound(path: Path) -> Path:
    """Write a file with a sound stream and no pictures."""
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
