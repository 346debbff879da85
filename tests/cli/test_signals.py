"""SIGTERM: a command ends as after Ctrl-C, with its child programs and its temporary folders."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_shell import command, environment

# A real ffmpeg ends too soon; this program reports that it runs, and then writes nothing.
SILENT_FFMPEG = """#!{python}
import os, pathlib, subprocess, sys, time
if sys.argv[1:] == ["-version"]:
    print("ffmpeg version 7.0")
elif "framecrc" in sys.argv or "-vframes" in sys.argv:
    sys.exit(subprocess.run([{ffmpeg!r}, *sys.argv[1:]]).returncode)
else:
    pathlib.Path({mark!r}).write_text(str(os.getpid()))
    time.sleep(600)
"""


def wait_for(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_children_and_removes_folders(
    number: signal.Signals, video: Path, tmp_path: Path
) -> None:
    import imageio_ffmpeg

    mark, program, scratch = tmp_path / "pid", tmp_path / "ffmpeg", tmp_path / "scratch"
    scratch.mkdir()
    real = imageio_ffmpeg.get_ffmpeg_exe()
    program.write_text(SILENT_FFMPEG.format(python=sys.executable, ffmpeg=real, mark=str(mark)))
    program.chmod(0o755)
    worker = subprocess.Popen(
        command("query", video, "a cat", "--decoder", "ffmpeg"),
        env=environment(RDMF_FFMPEG=str(program), TMPDIR=str(scratch)),
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: mark.exists() and mark.read_text())
    assert [path.name[:5] for path in scratch.iterdir()] == ["rdmf-"]
    worker.send_signal(number)
    _, said = worker.communicate(timeout=30)
    assert worker.returncode == 128 + number
    assert "interrupted" in said
    wait_for(lambda: not is_running(int(mark.read_text())))
    assert list(scratch.iterdir()) == []
