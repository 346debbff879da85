"""rdmf show where the terminal draws true pixels: what textual-image writes for it."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
from collections.abc import Mapping
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


def on_terminal(
    answers: Mapping[bytes, bytes], size: tuple[int, int] = (24, 80)
) -> tuple[int, bytes]:
    """What `rdmf show` writes on a terminal that answers some questions; and its exit code."""
    import fcntl
    import pty
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    words = command("show", "--example", "old coins", "-k", "1", "--encoder", "embedded")
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), slave)
    environ = environment(COLORTERM="truecolor", COLUMNS="80")
    waiting = dict(answers)
    with subprocess.Popen(words, env=environ, **streams) as process:
        os.close(slave)
        printed = b""
        with suppress(OSError):  # on Linux, this error means that the other side was closed
            while block := os.read(master, 65536):
                printed += block
                for question in [*waiting]:
                    if found := re.search(question, printed):
                        number = found[1] if found.re.groups else b""
                        os.write(master, waiting.pop(question).replace(b"{number}", number))
    os.close(master)
    return process.returncode, printed


ATTRIBUTES, GRAPHICS, CELLS = rb"\x1b\[c", rb"\x1b_G[^;]*i=(\d+)[^;]*;AAAA\x1b", rb"\x1b\[16t"
SIZE = {CELLS: b"\x1b[6;20;10t"}
SIXEL = {ATTRIBUTES: b"\x1b[?62;4;22c", **SIZE}
KITTY = {ATTRIBUTES: b"\x1b[?62;22c", GRAPHICS: b"\x1b_Gi={number};OK\x1b\\", **SIZE}

posix = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals of this kind")


@posix
@pytest.mark.parametrize(
    ("answers", "mark"), [(SIXEL, b"\x1bP"), (KITTY, "\U0010eeee".encode())], ids=["sixel", "kitty"]
)
def test_a_terminal_that_says_what_it_can_gets_pixels(answers, mark):
    code, printed = on_terminal(answers)
    assert code == 0
    assert mark in printed
    assert "▀".encode() not in printed
    assert b"#1  0:" in printed


@posix
@pytest.mark.parametrize(
    ("answers", "size"), [({}, (24, 80)), ({}, (0, 0)), (SIXEL, (0, 0)), (KITTY, (0, 0))]
)
def test_a_terminal_that_does_not_answer_gets_half_blocks_and_no_traceback(answers, size):
    """Nor does a terminal that does not know its size get pixels."""
    code, printed = on_terminal(answers, size)
    assert code == 0
    assert "▀".encode() in printed
    assert b"Traceback" not in printed
    assert b"probe" not in printed
