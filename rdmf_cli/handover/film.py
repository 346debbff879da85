"""Encode pictures and sound to a video file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from rdmf_cli.errors import UsageError

FINE = Fraction(1, 90_000)  # seconds per tick, if the frame rate varies
NOMINAL_RATE = Fraction(30)  # the rate in the header, if the frame rate varies
BT709 = 1  # matrix, primaries and transfer of ITU-T H.273


@dataclass(frozen=True)
class Kind:
    """A kind of video file that can be written.

    Attributes:
        form: FFmpeg's name of the container.
        picture: The encoder of pictures.
        picture_options: Options of this encoder; they give almost no loss.
        sound: The encoder of sound.
        sound_rates: The samples per second that this encoder supports.
        subtitles: The subtitle codecs that the container supports.
    """

    form: str
    picture: str
    picture_options: dict[str, str]
    sound: str
    sound_rates: tuple[int, ...]
    subtitles: frozenset[str]


# Without B-frames, the first picture of a file is its first packet. So a program that ignores edit
# lists also shows this picture at the right time.
_H264 = ("libx264", {"crf": "18", "preset": "veryfast", "bf": "0"})
_VP9 = ("libvpx-vp9", {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "5"})
_AAC = ("aac", (16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000))
_OPUS = ("libopus", (48000,))
_MKV_TEXT = frozenset({"subrip", "ass", "webvtt", "hdmv_pgs_subtitle", "dvd_subtitle"})

KINDS = {
    "mp4": Kind("mp4", *_H264, *_AAC, frozenset({"mov_text"})),
    "m4v": Kind("mp4", *_H264, *_AAC, frozenset({"mov_text"})),
    "mov": Kind("mov", *_H264, *_AAC, frozenset({"mov_text"})),
    "mkv": Kind("matroska", *_H264, *_AAC, _MKV_TEXT),
    "webm": Kind("webm", *_VP9, *_OPUS, frozenset({"webvtt"})),
}
"""The kinds of files, by suffix."""

PREVIEW = Kind(
    "mp4",
    "libx264",
    {"crf": "29", "preset": "veryfast", "bf": "0", "g": "25"},
    *_AAC,
    frozenset(),
)
"""Small videos inside pages: one key frame per second, so that a player seeks quickly."""


def kind_of(path: Path) -> Kind:
    """Return the kind of a file by its suffix.

    Raises:
        UsageError: The suffix is not supported.
    """
    kind = KINDS.get(path.suffix.lower().removeprefix("."))
    if kind is None:
        endings = ", ".join(f".{ending}" for ending in KINDS)
        what = "does not have the suffix of a video that can be written"
        raise UsageError(what, path, f"use one of {endings}")
    return kind


@dataclass(frozen=True)
class Track:
    """A sound track to write.

    Attributes:
        rate: Samples per second.
        layout: FFmpeg's name of its channels: "stereo".
        language: The language of the track; "": unknown.
    """

    rate: int
    layout: str
    language: str = ""


class Film:
    """A video file that is being written.

    Args:
        file: A seekable binary file.
        kind: The format of the file, such as that of .mp4 or .mkv files.
        size: (width, height) of the pictures in pixels; an odd last column or row is cut off.
        rate: Frames per second; None: the rate varies.
        tracks: The sound tracks.
        subtitles: The subtitle streams of PyAV that will be copied.
    """

    def __init__(
        self,
        file: BinaryIO,
        kind: Kind,
        size: tuple[int, int],
        rate: Fraction | None,
        tracks: Sequence[Track] = (),
        subtitles: Sequence[Any] = (),
    ):
        self.container: Any = av.open(file, "w", format=kind.form)
        self.size = max(2, size[0] & ~1), max(2, size[1] & ~1)
        self.tick = 1 / rate if rate else FINE
        self.picture = self._add_picture(kind, rate or NOMINAL_RATE)
        self.sounds = [self._add_sound(kind, track) for track in tracks]
        self.subtitles = [self.container.add_stream_from_template(s) for s in subtitles]
        self._written = [0] * len(tracks)  # samples

    def _add_picture(self, kind: Kind, rate: Fraction) -> Any:
        stream = self.container.add_stream(kind.picture, rate=rate)
        stream.width, stream.height = self.size
        stream.pix_fmt = "yuv420p"
        stream.options = kind.picture_options
        context = stream.codec_context
        stream.time_base = context.time_base = self.tick
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = ColorRange.MPEG
        return stream

    def _add_sound(self, kind: Kind, track: Track) -> Any:
        stream = self.container.add_stream(kind.sound, rate=track.rate, layout=track.layout)
        stream.time_base = Fraction(1, track.rate)
        if track.language:
            stream.metadata["language"] = track.language
        return stream

    def add_picture(self, image: np.ndarray, at: Fraction) -> None:
        """Add a picture.

        Args:
            image: RGB, uint8 (height, width, 3).
            at: The time at which the picture is shown, in seconds from the start of the film.
        """
        width, height = self.size
        image = np.ascontiguousarray(image[:height, :width])
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.BICUBIC,
        )
        frame.pts, frame.time_base = round(at / self.tick), self.tick
        self.container.mux(self.picture.encode(frame))

    def add_sound(self, track: int, samples: np.ndarray) -> None:
        """Add samples to the end of a sound track.

        Args:
            track: Number of the track.
            samples: float32 (channels, samples).
        """
        stream = self.sounds[track]
        block = np.ascontiguousarray(samples, np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=stream.layout.name)
        frame.sample_rate, frame.time_base = stream.rate, Fraction(1, stream.rate)
        frame.pts = self._written[track]
        self._written[track] += samples.shape[1]
        self.container.mux(stream.encode(frame))

    def sounded(self, track: int) -> Fraction:
        """Return the length of a sound track so far, in seconds."""
        return Fraction(self._written[track], self.sounds[track].rate)

    def add_subtitle(self, number: int, packet: Any) -> None:
        """Add a subtitle packet, with times from the start of the film."""
        packet.stream = self.subtitles[number]
        self.container.mux(packet)

    def __enter__(self) -> Film:
        """Return the film, to which pictures and sound can now be added."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the frames that the encoders still hold, and finish the file."""
        if kind is None:
            for stream in (self.picture, *self.sounds):
                self.container.mux(stream.encode(None))
            self.container.close()
        else:
            with suppress(FFmpegError, ValueError, OSError):  # the first error is reported
                self.container.close()
