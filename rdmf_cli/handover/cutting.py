"""Cut a span out of a video by encoding the span again, exact to the frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from rdmf_cli.errors import RdmfError
from rdmf_cli.handover.film import PREVIEW, Film, Kind, Track
from rdmf_cli.handover.rates import frame_rate_of
from rdmf_cli.handover.sound import sound_between, tracks_of
from rdmf_cli.video.decoders import choose
from rdmf_cli.video.decoders.base import Scan, Tally
from rdmf_cli.video.packets import opened, packets
from rdmf_cli.video.timeline import exact

MONTAGE_TRACK = Track(48000, "stereo")
PREVIEW_SIDE = 480  # pixels of the longer side, at most
EARLIER_SUBTITLES = 60  # seconds before a span in which to look for its first subtitle


@dataclass(frozen=True)
class Span:
    """The frames [first, stop) of a video, numbered in display order.

    Attributes:
        scan: The video.
        first: The first frame.
        stop: The first frame after the span.
    """

    scan: Scan
    first: int
    stop: int

    @property
    def begins(self) -> Fraction:
        """The time at which the first frame is shown, in seconds of the file's own time."""
        return int(self.scan.timeline.shown[self.first]) * self.scan.timeline.time_base

    @property
    def ends(self) -> Fraction:
        """The time at which the last frame ends, in seconds of the file's own time."""
        return int(_edges(self.scan)[self.stop]) * self.scan.timeline.time_base

    @property
    def player_times(self) -> tuple[float, float]:
        """The start and end of the span in seconds, as a player shows time."""
        shift = exact(self.scan.info.clock.begins) - _first_time(self.scan)
        return float(self.begins + shift), float(self.ends + shift)

    @cached_property
    def rate(self) -> Fraction | None:
        """The frames per second of the video; None: the rate varies."""
        timeline = self.scan.timeline
        stated = (Fraction(self.scan.info.frame_rate).limit_denominator(1001),)
        return frame_rate_of(timeline.shown, timeline.time_base, stated)


def span_of(scan: Scan, start: float, end: float, pad: float = 0.0) -> Span:
    """Find the frames of a moment, from the frame that begins nearest to its start.

    Args:
        scan: The video.
        start: Start of the moment in seconds, as a player shows it.
        end: End of the moment in seconds; the frame that begins nearest to it is not included.
        pad: Seconds to add on both sides, within the video.
    """
    shift = _first_time(scan) - exact(scan.info.clock.begins)
    first = _nearest(scan, exact(start) - exact(pad) + shift)
    stop = _nearest(scan, exact(end) + exact(pad) + shift)
    first = min(first, len(scan.timeline.shown) - 1)
    return Span(scan, first, max(stop, first + 1))


def _first_time(scan: Scan) -> Fraction:
    return scan.timeline.start * scan.timeline.time_base


def _edges(scan: Scan) -> np.ndarray:
    """Return the start of each frame and the end of the last frame, in ticks, int64 (F + 1,)."""
    return np.append(scan.timeline.shown, scan.timeline.end)


def _nearest(scan: Scan, time: Fraction) -> int:
    """Find the frame start nearest to a time in seconds; of two equally near, the later start."""
    edges = _edges(scan)
    ticks = time / scan.timeline.time_base
    after = int(np.searchsorted(edges, float(ticks)))
    near = range(max(0, after - 1), min(after + 2, len(edges)))
    return min(near, key=lambda n: (abs(int(edges[n]) - ticks), -n))


def write_span(file: BinaryIO, kind: Kind, span: Span) -> tuple[str, ...]:
    """Encode a span again, exact to the frame.

    Pictures are upright, with square pixels and the colours of an ordinary screen. All sound tracks
    are cut exactly to the sample. Subtitles are kept if the container supports them.

    Args:
        file: A seekable binary file.
        kind: The format of the file, such as that of .mp4 or .mkv files.
        span: The frames.

    Returns:
        One sentence for each thing that could not be kept.

    Raises:
        RdmfError: None of the frames can be decoded.
    """
    path = span.scan.info.path
    with opened(path) as (container, _):
        tracks = [] if span.scan.timeline.joins else tracks_of(container, kind)
        kept, notes = _subtitles(container, kind)
        size = span.scan.info.width, span.scan.info.height
        rate = span.rate if span.scan.timeline.joins == () else None
        streams = [container.streams.subtitles[number] for number in kept]
        with Film(file, kind, size, rate, [track for _, track in tracks], streams) as film:
            for number, packet in _subtitle_packets(container, streams, span):
                film.add_subtitle(number, packet)
            _write(film, span, [*tracks], Fraction(0))
    if span.scan.timeline.joins and span.scan.info.has_audio:
        notes.append("the sound of joined recordings is not kept")
    return tuple(notes)


def write_preview(file: BinaryIO, span: Span) -> None:
    """Encode a span as a small MP4 with its first sound track, for a page.

    Args:
        file: A seekable binary file.
        span: The frames.

    Raises:
        RdmfError: None of the frames can be decoded.
    """
    info = span.scan.info
    scale = min(1.0, PREVIEW_SIDE / max(info.width, info.height))
    size = round(scale * info.width), round(scale * info.height)
    width, height = (max(2, round(scale * side)) for side in span.scan.picture_size)
    span = replace(span, scan=replace(span.scan, picture_size=(width, height)))  # cheaper to decode
    with opened(info.path) as (container, _):
        tracks = [] if span.scan.timeline.joins else tracks_of(container, PREVIEW)[:1]
        with Film(file, PREVIEW, size, span.rate, [track for _, track in tracks]) as film:
            _write(film, span, [*tracks], Fraction(0))


def write_montage(file: BinaryIO, kind: Kind, spans: Sequence[Span]) -> None:
    """Encode spans of several videos one after another, in the picture size of the first.

    Pictures of another shape get black borders. Sound is stereo; a video without sound
    is silent.

    Args:
        file: A seekable binary file.
        kind: The format of the file, such as that of .mp4 or .mkv files.
        spans: The frames, in order; at least one span.

    Raises:
        RdmfError: None of the frames of a span can be decoded.
    """
    size = spans[0].scan.info.width, spans[0].scan.info.height
    rates = {span.rate for span in spans}
    rate = rates.pop() if len(rates) == 1 else None
    loud = any(span.scan.info.has_audio for span in spans)
    at = Fraction(0)
    with Film(file, kind, size, rate, [MONTAGE_TRACK] * loud) as film:
        for span in spans:
            number = 0 if span.scan.info.has_audio and not span.scan.timeline.joins else None
            _write(film, span, [(number, MONTAGE_TRACK)] * loud, at)
            at += round((span.ends - span.begins) / film.tick) * film.tick


def _write(
    film: Film, span: Span, tracks: Sequence[tuple[int | None, Track]], at: Fraction
) -> None:
    """Encode a span with its sound into the film, from the time `at` on."""
    path = span.scan.info.path
    length = span.ends - span.begins
    sounds = [
        iter(()) if number is None else sound_between(path, number, track, span.begins, span.ends)
        for number, track in tracks
    ]
    shown = False
    for time, image in _pictures(span):
        _sound_until(film, sounds, at + time)
        film.add_picture(_fitted(image, film.size), at + time)
        shown = True
    if not shown:
        raise RdmfError("no frame of this moment can be decoded", path, "try --copy")
    _sound_until(film, sounds, at + length)
    _fill_silence(film, at + length)


def _sound_until(film: Film, sounds: Sequence[Iterator[np.ndarray]], time: Fraction) -> None:
    for number, sound in enumerate(sounds):
        while film.sounded(number) < time:
            block = next(sound, None)
            if block is None:
                break
            film.add_sound(number, block)


def _fill_silence(film: Film, time: Fraction) -> None:
    """Add silence to every sound track, up to a time of the film."""
    for number, stream in enumerate(film.sounds):
        lacking = round((time - film.sounded(number)) * stream.rate)
        if lacking > 0:
            channels = len(stream.layout.channels)
            film.add_sound(number, np.zeros((channels, lacking), np.float32))


def _pictures(span: Span) -> Iterator[tuple[Fraction, np.ndarray]]:
    """Yield the upright RGB pictures of a span, each with its time in seconds from the first."""
    timeline = span.scan.timeline
    wanted = timeline.shown[span.first : span.stop]
    _, decoder = choose("auto", span.scan)
    for picture in decoder.pictures(span.scan, wanted, Tally()):
        yield (picture.wanted - int(wanted[0])) * timeline.time_base, picture.image


def _fitted(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Fit a picture (H, W, 3) into (width, height) with black borders; crop an odd row, column."""
    width, height = size
    if image.shape[0] - height in (0, 1) and image.shape[1] - width in (0, 1):
        return image
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    scaled = np.asarray(Image.fromarray(image).resize(inner, Image.Resampling.BICUBIC))
    ground = np.zeros((height, width, 3), np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    ground[top : top + inner[1], left : left + inner[0]] = scaled
    return ground


def codec_of(stream: Any) -> str:
    """Return FFmpeg's name of the codec of a stream."""
    context = stream.codec_context
    return "unknown" if context is None else str(context.codec.canonical_name)


def _subtitles(container: Any, kind: Kind) -> tuple[list[int], list[str]]:
    """Return the numbers of subtitle tracks that the container supports, and notes on others."""
    kept, notes = [], []
    for number, stream in enumerate(container.streams.subtitles):
        codec = codec_of(stream)
        if codec in kind.subtitles:
            kept.append(number)
        else:
            notes.append(f"its subtitles ({codec}) are not kept in {kind.form}; .mkv keeps most")
    return kept, notes


def _subtitle_packets(
    container: Any, streams: Sequence[Any], span: Span
) -> Iterator[tuple[int, Any]]:
    """Yield the subtitle packets that are shown during a span, with times from its start."""
    if not streams:
        return
    watched = container.streams[span.scan.stream]
    container.seek(int((span.begins - EARLIER_SUBTITLES) * 1_000_000), backward=True)
    for packet in packets(container, watched, *streams):
        if packet.pts is None:
            continue
        base = Fraction(packet.time_base)
        start = packet.pts * base - span.begins
        if start >= span.ends - span.begins:
            if packet.stream.index == watched.index and packet.is_keyframe:
                return
            continue
        end = start + (packet.duration or 0) * base
        if packet.stream.index == watched.index or end <= 0:
            continue
        end = min(end, span.ends - span.begins)
        packet.pts = packet.dts = round(max(start, Fraction(0)) / base)
        packet.duration = round((end - max(start, Fraction(0))) / base)
        yield [s.index for s in streams].index(packet.stream.index), packet
