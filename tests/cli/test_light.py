"""The plain installation is light: what an answer imports, and what help does not import."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cli_shell import command, environment

HEAVY = ("torch", "open_clip", "torchvision", "transformers", "matplotlib", "scipy", "pandas")


def imported_by(*args: object) -> set[str]:
    """Top-level packages that a command imports."""
    shell = [sys.executable, "-X", "importtime", *command(*args)[1:]]
    result = subprocess.run(shell, capture_output=True, text=True, env=environment(), timeout=120)
    assert result.returncode == 0, result.stderr[-2000:]
    marked = (line for line in result.stderr.splitlines() if line.startswith("import time:"))
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in marked}


@pytest.mark.parametrize("head", ["shipped", "learned"])
def test_a_warm_answer_imports_nothing_heavy(run, tour, learned, head):
    question = ("query", tour, "the face of a cat", "--encoder", "embedded")
    question += ("--checkpoint", learned) if head == "learned" else ()
    run(*question)
    packages = imported_by(*question)
    assert "onnxruntime" in packages
    assert not packages.intersection(HEAVY)
    assert "av" not in packages  # a warm answer decodes nothing


@pytest.mark.parametrize("args", [("--help",), ("--version",), ("query", "--help")])
def test_help_and_version_import_no_numerics(args):
    assert not imported_by(*args).intersection({*HEAVY, "numpy", "av", "onnxruntime", "PIL"})


HELP_OF_CACHE = """
import sys
from rdmf_cli.cli.app import app
app(["cache", "--help"], standalone_mode=False)
print(*sys.modules)
"""


def test_a_command_imports_no_other_command():
    shell = [sys.executable, "-c", HELP_OF_CACHE]
    said = subprocess.run(shell, capture_output=True, text=True, check=True, timeout=120).stdout
    assert "rdmf_cli.cli.cache" in said.split()
    assert not {f"rdmf_cli.cli.{name}" for name in ("query", "train", "eval")} & {*said.split()}


def test_the_version_is_the_packages(run):
    from rdmf_cli import __version__

    assert run("--version").stdout == f"rdmf {__version__}\n"


def test_help_names_every_command(run):
    said = run("--help").stdout
    for name in ("query", "extract", "fuse", "eval", "cache", "weights", "doctor"):
        assert name in said


def test_an_unknown_command_is_a_usage_error(run):
    assert run("ask").returncode == 2


def test_an_unknown_option_is_a_usage_error(run):
    assert run("query", "--colour").returncode == 2


def test_an_answer_leaves_no_file_in_the_temporary_folder(tour, tmp_path):
    """The telemetry of ONNX Runtime would leave a file (`.ses`)."""
    question = command("query", tour, "the face of a cat", "--encoder", "embedded")
    asked = environment(TMPDIR=str(tmp_path))
    asked.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run(question, env=asked, check=True, capture_output=True, timeout=120)
    assert list(tmp_path.iterdir()) == []
