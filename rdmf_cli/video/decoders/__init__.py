"""The decoders, one protocol for all: `DECODERS` is the registry, "auto" chooses among them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from rdmf_cli.errors import RdmfError, UsageError

from ..encryption import EncryptedVideoError
from ..orientation import Orientation

if TYPE_CHECKING:
    from ..info import VideoInfo
    from ..packets import Timeline
    from ..sizes import Bearing


class Colours(NamedTuple):
    """How colours are coded, in the numbers of ITU-T H.273; 2: the file does not tell."""

    matrix: int = 2
    primaries: int = 2
    transfer: int = 2


UNTOLD = Colours()


@dataclass(frozen=True, eq=False)
class Scan:
    """A file looked through once: what it is, its packets, and how a picture is set upright.

    by: the decoder that looked
    picture_size: (width, height) that a stored picture is scaled to before it is turned, so that
                  its pixels are square; `stored_size` is its size before that
    bearing: what decoding it may take
    stream: the number of the stream that is watched, in the file; n_streams: how many hold video
    colours: how the first frame says that its colours are coded
    """

    by: str
    info: VideoInfo
    timeline: Timeline
    orientation: Orientation
    picture_size: tuple[int, int]
    stored_size: tuple[int, int]
    bearing: Bearing
    stream: int = 0
    n_streams: int = 1
    colours: Colours = UNTOLD


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
        self.note(message)

    def forget_errors(self) -> None:
        self.errors = 0
        self.messages.clear()

    def note(self, message: str) -> None:
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
    """Look through a file: by PyAV, unless the ffmpeg program is asked for.

    "auto" turns to the ffmpeg program, where there is one, for what PyAV cannot open.
    Raises RdmfError, UsageError for a decoder that does not exist.
    """
    from . import ffmpeg, pyav

    if decoder not in ("auto", *DECODERS):
        known = ", ".join(("auto", *DECODERS))
        raise UsageError(f"no decoder is called {decoder!r}", "--decoder", f"choose from {known}")
    if decoder == "ffmpeg":
        return ffmpeg.scan(path)
    try:
        return pyav.scan(path)
    except RdmfError as problem:
        if decoder != "auto" or isinstance(problem, EncryptedVideoError):
            raise
        with suppress(RdmfError):
            return ffmpeg.scan(path)
        raise problem


def choose(decoder: str, scan: Scan) -> tuple[str, Decoder]:
    """The decoder for a file, by name or "auto": the one that could scan it, PyAV first.

    Raises RdmfError where the one that is named is not installed.
    """
    if decoder == "auto":
        return scan.by, DECODERS[scan.by]
    if decoder == "decord":
        from . import decord

        decord.require(scan)
    return decoder, DECODERS[decoder]
