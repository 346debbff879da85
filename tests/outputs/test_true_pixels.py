"""rdmf show where the terminal draws true pixels: what textual-image writes for it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from cli_shell import command, environment
from rich.console import Console
from textual_image import renderable

from rdmf_cli.outputs.pictures import PictureRow, as_pixels

IMAGES = [np.full((180, 320, 3), shade, np.uint8) for shade in (0, 100, 200)]


def printed(part: object) -> str:
    stream = io.StringIO()
    Console(file=stream, width=80, force_terminal=True, color_system="truecolor").print(part)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("kind", "mark"), [("SixelImage", "\x1bP"), ("TGPImage", "\U0010eeee"), ("HalfcellImage", "▀")]
)
def test_pixels_take_the_rows_that_characters_take(kind, mark):
    drawn = getattr(renderable, kind)
    pixels = printed(as_pixels(IMAGES, 80, lambda i, w, h: drawn(i, width=w, height=h)))
    assert mark in pixels
    assert pixels.count("\n") == printed(PictureRow(IMAGES)).count("\n") == 7


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
def test_a_terminal_that_does_not_answer_gets_half_blocks_and_no_traceback():
    import pty

    master, slave = pty.openpty()
    words = command("show", "--example", "old coins", "-k", "1", "--encoder", "embedded")
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), slave)
    environ = environment(COLORTERM="truecolor", COLUMNS="80")
    with subprocess.Popen(words, env=environ, **streams) as process:
        os.close(slave)
        printed = b""
        with suppress(OSError):  # on Linux, this error means that the other side was closed
            while block := os.read(master, 65536):
                printed += block
    os.close(master)
    assert process.returncode == 0
    assert "▀" in printed.decode()
    assert b"Traceback" not in printed
    assert b"probe" not in printed
