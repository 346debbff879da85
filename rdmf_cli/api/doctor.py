"""What is installed, what is missing, and whether it works."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal

from rdmf_cli.errors import RdmfError
from rdmf_cli.interrupts import was_interrupted
from rdmf_cli.outputs.payloads.upkeep import Check, Diagnosis
from rdmf_cli.text import counted
from rdmf_cli.video.decoders import DECODERS, DecoderEntry

State = Literal["ok", "absent", "failed"]

NEEDED = (
    "numpy",
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
OPTIONAL = ("torch", "open_clip_torch", "matplotlib")
SELF_TEST = ("the face of a cat", 19.0, 32.0)  # the query; its moment in the example, in seconds


def diagnose(wrong_settings: Callable[[], Iterable[str]] = tuple) -> Diagnosis:
    """Check what rdmf needs and what rdmf can use, and answer a query on the example video.

    Args:
        wrong_settings: Describes the faults of the user's settings; only the command line knows
            which settings there are.
    """
    return Diagnosis(checks=tuple(_checks(wrong_settings)))


def _checks(wrong_settings: Callable[[], Iterable[str]]) -> Iterator[Check]:
    from rdmf_cli import __version__

    yield _check("rdmf", "ok", __version__)
    yield _check("python", "ok", f"{platform.python_version()} on {platform.platform()}")
    for name in NEEDED:
        yield _package(name, "failed")
    for name in OPTIONAL:
        yield _package(name, "absent")
    for entry in DECODERS.values():
        yield _guarded(entry.needs, partial(_decoder, entry))
    for name, check in (
        ("device", _device),
        ("encoders", _encoders),
        ("head", _head),
        ("cache", _cache),
        ("fetched weights", _data),
        ("towers", _towers),
        ("settings", partial(_settings, wrong_settings)),
        ("example video", _example),
        ("self-test", _self_test),
    ):
        yield _guarded(name, check)


def _check(name: str, state: State, detail: str) -> Check:
    return Check(name=name, state=state, detail=detail)


def _package(name: str, otherwise: State) -> Check:
    try:
        return _check(name, "ok", version(name))
    except PackageNotFoundError:
        return _check(name, otherwise, "not installed")


def _guarded(name: str, check: Callable[[], tuple[State, str]]) -> Check:
    """Run a check; a check that raises becomes a finding and does not end the report."""
    try:
        return _check(name, *check())
    except Exception as error:
        if was_interrupted(error):
            raise KeyboardInterrupt from error
        return _check(name, "failed", str(error) or type(error).__name__)


def _decoder(entry: DecoderEntry) -> tuple[State, str]:
    """Return the version or the path of a decoder; a missing decoder need not be a fault."""
    try:
        return "ok", entry.load().installed()
    except RdmfError as error:
        return "absent" if entry.optional else "failed", f"{error} ({entry.about})"


def _device() -> tuple[State, str]:
    if find_spec("torch") is None:
        return "ok", "cpu (no torch; the plain installation needs none)"
    import torch

    if torch.cuda.is_available():
        return "ok", f"cuda: {torch.cuda.get_device_name()}"
    return "ok", "mps" if torch.backends.mps.is_available() else "cpu"


def _encoders() -> tuple[State, str]:
    from rdmf_cli.encoders import list_encoders

    present = [entry.name for entry in list_encoders() if entry.is_here]
    return ("ok", ", ".join(present)) if present else ("failed", "none: install rdmf again")


def _head() -> tuple[State, str]:
    """Return which head answers if the user names no head."""
    from rdmf_cli.heads.registry import load_head

    return "ok", load_head().description


def _cache() -> tuple[State, str]:
    from rich.filesize import decimal

    from rdmf_cli.features import FeatureStore
    from rdmf_cli.files import new_part

    store = FeatureStore()
    store.make_folder()
    with new_part(store.folder):
        pass  # the folder is writable
    entries = counted(len(store.entries()), "entry", "entries")
    return "ok", f"{store.folder} ({entries}, {decimal(store.size())})"


def _data() -> tuple[State, str]:
    from rdmf_cli.folders import data_folder

    folder = data_folder()
    return "ok", str(folder) if folder.is_dir() else f"{folder} (not there yet)"


def _towers() -> tuple[State, str]:
    """Return the folder and the size of converted CLIP models and the kept embedded tower."""
    from rich.filesize import decimal

    from rdmf_cli.api.cache import size_of
    from rdmf_cli.folders import towers_root

    folder = towers_root()
    size = f"{decimal(size_of(folder))}; rdmf makes them again if you remove the folder"
    return "ok", f"{folder} ({size if folder.is_dir() else 'not there yet'})"


def _settings(wrong: Callable[[], Iterable[str]]) -> tuple[State, str]:
    """Return the path of config.toml, the settings of the user, and what is wrong with them."""
    from rdmf_cli.settings import config_file, read_config_file, set_variables

    path = config_file()
    tables = read_config_file(path)
    told = [f"[{name}] {k} = {v}" for name, table in tables.items() for k, v in table.items()]
    told += [f"{name}={value}" for name, value in set_variables().items()]
    where = str(path) if path.exists() else f"{path} (not there)"
    faults = [f"wrong: {fault}" for fault in wrong()]
    return "failed" if faults else "ok", "\n".join(["; ".join([where, *told]), *faults])


def _example() -> tuple[State, str]:
    from rdmf_cli.resources import example_video

    path = example_video()
    return ("ok" if path.is_file() else "failed"), str(path)


def _self_test() -> tuple[State, str]:
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
