"""The types that all decoders share: a scanned file, and decoded pictures of the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from rdmf_cli.video.orientation import Orientation

if TYPE_CHECKING:
    from rdmf_cli.video.info import VideoInfo
    from rdmf_cli.video.packets import Timeline
    from rdmf_cli.video.sizes import DecodeLimits


class Colours(NamedTuple):
    """How colours are coded, as numbers of ITU-T H.273; 2 means that the file does not state it."""

    matrix: int = 2
    primaries: int = 2
    transfer: int = 2


UNSPECIFIED_COLOURS = Colours()


@dataclass(frozen=True, eq=False)
class Scan:
    """The result of one pass over a file: its properties, its packets, and how to show a picture.

    Attributes:
        by: The decoder that scanned the file.
        info: Its properties.
        timeline: The packets of its video stream.
        orientation: How a stored picture is turned upright.
        picture_size: (width, height) that a stored picture is scaled to before it is turned, for
            square pixels.
        stored_size: (width, height) of a stored picture.
        limits: Limits for the decoder of the file.
        stream: Number of the video stream that is used, in the file.
        n_streams: Number of video streams.
        colours: How colours are coded, according to the first frame.
    """

    by: str
    info: VideoInfo
    timeline: Timeline
    orientation: Orientation
    picture_size: tuple[int, int]
    stored_size: tuple[int, int]
    limits: DecodeLimits
    stream: int = 0
    n_streams: int = 1
    colours: Colours = UNSPECIFIED_COLOURS


class Picture(NamedTuple):
    """A decoded frame.

    Attributes:
        wanted: Presentation time of the requested frame, in ticks.
        pts: Presentation time of this frame, in ticks.
        image: RGB, uint8 (H, W, 3), upright.
    """

    wanted: int
    pts: int
    image: np.ndarray


@dataclass
class Tally:
    """The counts and messages of a decoder at work.

    Attributes:
        frames_decoded: Number of frames decoded so far.
        errors: Number of errors so far.
        messages: The messages of errors and the notes, no duplicates; at most MESSAGES_KEPT.
    """

    frames_decoded: int = 0
    errors: int = 0
    messages: list[str] = field(default_factory=list)

    def error(self, message: str) -> None:
        """Count an error and keep its message."""
        self.errors += 1
        self.note(message)

    def forget_errors(self) -> None:
        """Start again: no errors and no messages."""
        self.errors = 0
        self.messages.clear()

    def note(self, message: str) -> None:
        """Keep a message that does not count as an error."""
        if message not in self.messages and len(self.messages) < MESSAGES_KEPT:
            self.messages.append(message)


MESSAGES_KEPT = 20


class Decoder(Protocol):
    """A decoder: a module of this folder with these functions."""

    def scan(self, path: Path) -> Scan:
        """Look through a file.

        Raises:
            RdmfError: The decoder cannot read the file as a video, or the decoder is missing.
        """
        ...

    def pictures(self, scan: Scan, wanted: np.ndarray, tally: Tally) -> Iterator[Picture]:
        """Decode the frames shown at given times.

        Args:
            scan: The scanned file.
            wanted: Distinct presentation times of `scan.timeline.shown`, ascending, int64 (F,).
            tally: Counts frames and errors.

        Yields:
            One Picture per wanted frame, in order. In place of a damaged frame, the nearest earlier
            frame (see its `pts`) or nothing. Close the generator to free its memory and files.
        """
        ...

    def installed(self) -> str:
        """Return the version of the decoder, or its path.

        Raises:
            RdmfError: The decoder is not installed.
        """
        ...
