"""`rdmf --help | head -1` ends with 0: it is no failure if the reader ends early."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from cli_shell import command, environment

SHOW = ("show", "--example", "old coins", "--quiet", "--encoder", "embedded")


@pytest.mark.parametrize("words", [("--help",), ("query", "-h"), ("cache",), ("--version",), SHOW])
def test_a_command_ends_with_0_where_nobody_reads(words):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(
            command(*words), stdout=pipe, stderr=subprocess.PIPE, env=environment(), timeout=60
        )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is a device of Linux")
def test_help_on_a_full_disk_is_an_error():
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command("--help"), stdout=full, stderr=subprocess.PIPE, env=environment(), timeout=60
        )
    assert done.returncode == 1
    assert b"error: the output cannot be written" in done.stderr
    assert b"Traceback" not in done.stderr
