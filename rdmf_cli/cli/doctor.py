"""rdmf doctor: what is installed, what is missing, and whether it works."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import typer

from rdmf_cli.cli import options
from rdmf_cli.interrupts import was_interrupted

NEEDED = (
    "numpy",
    "av",
    "onnxruntime",
    "pillow",
    "safetensors",
    "filelock",
    "pydantic",
    "platformdirs",
    "typer",
    "rich",
    "ffmpeg-python",
)
OPTIONAL = ("decord", "torch", "open_clip_torch", "matplotlib")
SELF_TEST = ("the face of a cat", 19.0, 32.0)  # the query, and where the example shows it, seconds


@dataclass(frozen=True)
class Check:
    """state: "ok"; "absent", which is no fault; or "failed"."""

    name: str
    state: str
    detail: str


def doctor(as_json: options.Json = False) -> None:
    """Say what is installed, what is missing, and answer a question on the example video."""
    checks = list(_checks())
    if as_json:
        typer.echo(json.dumps({"schema": "rdmf.doctor/1", "checks": [asdict(c) for c in checks]}))
    else:
        _print(checks)
    if any(check.state == "failed" for check in checks):
        raise typer.Exit(1)


def _checks() -> Iterator[Check]:
    from rdmf_cli import __version__

    yield Check("rdmf", "ok", __version__)
    yield Check("python", "ok", f"{platform.python_version()} on {platform.platform()}")
    for name in NEEDED:
        yield _package(name, "failed")
    for name in OPTIONAL:
        yield _package(name, "absent")
    for name, check in (
        ("ffmpeg program", _ffmpeg),
        ("device", _device),
        ("encoders", _encoders),
        ("head", _head),
        ("cache", _cache),
        ("fetched weights", _data),
        ("example video", _example),
        ("self-test", _self_test),
    ):
        yield _guarded(name, check)


def _package(name: str, otherwise: str) -> Check:
    try:
        return Check(name, "ok", version(name))
    except PackageNotFoundError:
        return Check(name, otherwise, "not installed")


def _guarded(name: str, check: Callable[[], tuple[str, str]]) -> Check:
    """A check that breaks is a finding, not the end of the report."""
    try:
        return Check(name, *check())
    except Exception as error:
        if was_interrupted(error):
            raise KeyboardInterrupt from error
        return Check(name, "failed", str(error) or type(error).__name__)


def _ffmpeg() -> tuple[str, str]:
    from rdmf_cli.errors import RdmfError
    from rdmf_cli.video.decoders.ffmpeg import find_program

    try:
        return "ok", str(find_program().path)
    except RdmfError as error:
        return "absent", f"{error}; only unusual files need it"


def _device() -> tuple[str, str]:
    if find_spec("torch") is None:
        return "ok", "cpu (no torch; the plain installation needs none)"
    import torch

    if torch.cuda.is_available():
        return "ok", f"cuda: {torch.cuda.get_device_name()}"
    return "ok", "mps" if torch.backends.mps.is_available() else "cpu"


def _encoders() -> tuple[str, str]:
    from rdmf_cli.encoders import list_encoders

    present = [entry.name for entry in list_encoders() if entry.is_here]
    return ("ok", ", ".join(present)) if present else ("failed", "none: install rdmf again")


def _head() -> tuple[str, str]:
    """Which head answers where none is named."""
    from rdmf_cli.heads.registry import load_head

    return "ok", load_head().description


def _cache() -> tuple[str, str]:
    from rich.filesize import decimal

    from rdmf_cli.features import FeatureStore
    from rdmf_cli.files import new_part

    store = FeatureStore()
    store.make_folder()
    with new_part(store.folder):
        pass  # it can be written
    return "ok", f"{store.folder} ({len(store.entries())} entries, {decimal(store.size())})"


def _data() -> tuple[str, str]:
    from rdmf_cli.folders import data_folder

    folder = data_folder()
    return "ok", str(folder) if folder.is_dir() else f"{folder} (not there yet)"


def _example() -> tuple[str, str]:
    from rdmf_cli.resources import example_video

    path = example_video()
    return ("ok" if path.is_file() else "failed"), str(path)


def _self_test() -> tuple[str, str]:
    from rdmf_cli import Searcher
    from rdmf_cli.resources import example_video

    sentence, start, end = SELF_TEST
    begun = time.perf_counter()
    answer = Searcher(encoder="embedded", cache=False).ask(example_video(), [sentence])[0]
    took = time.perf_counter() - begun
    best = answer.moments[0]
    said = (
        f'"{sentence}": {best.start:.1f}-{best.end:.1f} s, shown {start:g}-{end:g} s ({took:.1f} s)'
    )
    return ("ok" if best.start < end and best.end > start else "failed"), said


def _print(checks: list[Check]) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    marks = {"ok": "[green]ok[/]", "absent": "[dim]absent[/]", "failed": "[red]FAILED[/]"}
    table = Table(box=box.SIMPLE_HEAD, show_header=False)
    for check in checks:
        table.add_row(check.name, marks[check.state], escape(check.detail))
    Console(file=sys.stdout, highlight=False).print(table)
