"""The decoders, one protocol for all: `DECODERS` is the registry, "auto" chooses among them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from rdmf_cli.errors import RdmfError, UsageError

from ..orientation import Orientation

if TYPE_CHECKING:
    from ..packets import Timeline
    from ..info import VideoInfo


@dataclass(frozen=True, eq=False)
class Scan:
    """A file looked through once: what it is, its packets, and how a picture is set upright.

    picture_size: (width, height) that a stored picture is scaled to before it is turned
    """

    info: VideoInfo
    timeline: Timeline
    orientation: Orientation
    picture_size: tuple[int, int]


class Picture(NamedTuple):
    """A decoded frame: the time that was asked for, its own, and its pixels (H, W, 3), RGB."""

    wanted: int
    pts: int
    image: np.ndarray


@dataclass
class Tally:
    """What a decoder counts while it works."""

    frames_decoded: int = 0
    errors: int = 0
    messages: list[str] = field(default_factory=list)

    def error(self, message: str) -> None:
        self.errors += 1
        if message not in self.messages and len(self.messages) < MESSAGES_KEPT:
            self.messages.append(message)


MESSAGES_KEPT = 20


class Decoder(Protocol):
    """Decodes the frames shown at given times of one file.

    `wanted`: presentation times in `scan.timeline.shown`, ascending, each once. Yields a Picture
    for each that could be had, in order; where a wanted frame is damaged, the nearest earlier
    frame (its own `pts` says so) or nothing. Closing the generator frees everything.
    """

    def __call__(self, scan: Scan, wanted: np.ndarray, tally: Tally) -> Iterator[Picture]: ...


def _lazily(module: str) -> Decoder:
    def pictures(scan: Scan, wanted: np.ndarray, tally: Tally) -> Iterator[Picture]:
        return import_module(f"{__name__}.{module}").pictures(scan, wanted, tally)

    return pictures


DECODERS: dict[str, Decoder] = {name: _lazily(name) for name in ("pyav", "ffmpeg", "decord")}


def scan(path: Path, decoder: str = "auto") -> Scan:
    """Look through a file with the decoder's own eyes.

    "auto" asks PyAV first, and the ffmpeg program, where there is one, for what PyAV cannot open.
    """
    from . import ffmpeg, pyav

    if decoder == "ffmpeg":
        return ffmpeg.scan(path)
    try:
        return pyav.scan(path)
    except RdmfError as first:
        if decoder != "auto":
            raise
        try:
            return ffmpeg.scan(path)
        except RdmfError:
            raise first from None


def choose(name: str, scan: Scan) -> str:
    return "pyav" if name == "auto" else name
