"""Three hundred files with random damage: each is read or refused, without any other exception.

A crash of a decoder must not end the tests, so the files are read in other processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from barcoded import Recipe
from damage import KINDS, damaged

RECIPES = (
    Recipe("small_sound", "libx264", "mp4", frames=20, b_frames=2, gop=10, sound=True),
    Recipe("small_mkv", "libx264", "mkv", frames=20, b_frames=2),
    Recipe("small_ts", "libx264", "ts", frames=20, sound=True),
    Recipe("small_avi", "mpeg4", "avi", frames=20),
    Recipe("small_webm", "libvpx", "webm", frames=20),
    Recipe("small_mpg", "mpeg2video", "mpg", frames=20),
    Recipe("small_flv", "flv", "flv", frames=20),
    Recipe("small_wmv", "wmv2", "wmv", frames=20),
    Recipe(
        "small_pieces",
        "libx264",
        "mov",
        frames=20,
        gop=5,
        container_options={"movflags": "frag_keyframe+empty_moov"},
    ),
)
FILES, FILES_PER_PROCESS = 300, 100
SECONDS = 120.0

READ_ALL = """
import sys
from rdmf_cli.errors import RdmfError
from rdmf_cli.video import open_clips, probe

for path in sys.argv[1:]:
    print("at", path, flush=True)
    try:
        eighth = max(0.1, probe(path).duration / 8)  # damage may make time leap by years
        with open_clips(path, eighth) as reader:
            if sum(1 for _ in reader) != len(reader.grid):
                print("fault", path, "not a frame per clip")
    except RdmfError as error:
        if not error.what or not error.todo:
            print("fault", path, "says too little:", error)
    except Exception as error:
        print("fault", path, repr(error))
"""


@pytest.fixture(scope="module")
def files(made: Callable[[Recipe], Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Damaged copies, named by their seeds."""
    folder = tmp_path_factory.mktemp("damaged")
    wholes = [made(recipe) for recipe in RECIPES]
    assert len({whole.suffix for whole in wholes}) == len(RECIPES)
    paths = []
    for seed in range(FILES):
        whole = wholes[seed % len(wholes)]
        paths.append(folder / f"{seed}{whole.suffix}")
        paths[-1].write_bytes(damaged(whole.read_bytes(), seed) or b"\0")
    return paths


def read_all(paths: list[Path]) -> list[str]:
    """Return one line per file that breaks a rule, including files that crash a process."""
    faults: list[str] = []
    while paths:
        lines, end = _read(paths)
        faults += [line for line in lines if line.startswith("fault")]
        reached = sum(line.startswith("at ") for line in lines)
        if end:
            faults.append(f"fault {paths[reached - 1]} {end}")
        paths = paths[reached:] if end else []
    return faults


def _read(paths: list[Path]) -> tuple[list[str], str]:
    """Return the lines of a process that reads these files, and how it ended, if it failed.

    The process cannot use an ffmpeg program: only PyAV reads the files.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PATH": ""}
    command = [sys.executable, "-c", READ_ALL, *map(str, paths)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        said = error.stdout.decode() if isinstance(error.stdout, bytes) else error.stdout or ""
        return said.splitlines(), "takes too long"
    end = f"ends the process with {done.returncode}: {done.stderr}" if done.returncode else ""
    return done.stdout.splitlines(), end


@pytest.mark.parametrize("first", range(0, FILES, FILES_PER_PROCESS))
def test_damaged_files_are_read_or_refused(files: list[Path], first: int) -> None:
    assert read_all(files[first : first + FILES_PER_PROCESS]) == []


def test_damaged_files_in_one_command(files: list[Path]) -> None:
    """On the command line, each file gives a line of JSON and at most one line of error."""
    some = files[: 2 * len(RECIPES)]
    command = [sys.executable, "-m", "rdmf_cli", "query", "--json", "--no-cache", "--encoder"]
    command += ["embedded", "-q", "a barcode", *map(str, some)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=SECONDS)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == len(some)
    refused = [row["error"] for row in rows if row["schema"] == "rdmf.error/1"]
    assert 0 < len(refused) < len(rows)
    assert done.returncode == 3
    assert not [error for error in refused if "unexpected" in error["what"]]
    assert sum(line.startswith("error: ") for line in done.stderr.splitlines()) == len(refused)
    kinds = {line.split(":")[0] for line in done.stderr.splitlines()}
    assert kinds <= {"error", "warning", "note"}


def test_damage_is_the_same_for_the_same_seed() -> None:
    whole = bytes(range(256)) * 20
    assert [damaged(whole, seed) for seed in range(50)] == [damaged(whole, s) for s in range(50)]
    assert len({damaged(whole, seed) for seed in range(50)}) == 50
    assert len(KINDS) == 10
