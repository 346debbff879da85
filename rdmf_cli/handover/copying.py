"""Cut a span out of a video by copying its packets, from the key frame before the span."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import av
import numpy as np
from av.error import FFmpegError

from rdmf_cli.errors import RdmfError
from rdmf_cli.handover.cutting import Span, codec_of
from rdmf_cli.handover.film import Kind
from rdmf_cli.video.packets import opened, packets, reason

EXACTLY = "leave out --copy"
LATE_SECONDS = 1  # in a file, sound may come this much later than its pictures


def copy_span(file: BinaryIO, kind: Kind, span: Span) -> Fraction:
    """Copy the packets of a span, from the key frame at or before its first frame.

    Args:
        file: A seekable binary file.
        kind: The format of the file, such as that of .mp4 or .mkv files.
        span: The frames.

    Returns:
        The time from the start of the copy to the start of the span, in seconds.

    Raises:
        RdmfError: The packets have no times, or the container does not support the codec.
    """
    path, timeline = span.scan.info.path, span.scan.timeline
    if timeline.ordered or timeline.joins or not len(timeline.keys):
        raise RdmfError("its packets have no times, so it cannot be cut by --copy", path, EXACTLY)
    first, _ = _packets_of(span)
    origin = int(timeline.pts[first]) * timeline.time_base
    with opened(path) as (container, stream):
        try:
            with av.open(file, "w", format=kind.form) as target:
                streams = {s.index: s for s in _kept(container, stream, kind)}
                outputs = {
                    index: target.add_stream_from_template(s) for index, s in streams.items()
                }
                for packet in _wanted(container, stream, list(streams.values()), span, origin):
                    packet.stream = outputs[packet.stream.index]
                    target.mux(packet)
        except (FFmpegError, ValueError) as error:
            what = f"its streams cannot be copied into {kind.form} ({reason(error)})"
            raise RdmfError(what, path, f"write to a .mkv file, or {EXACTLY}") from error
    return span.begins - origin


def _packets_of(span: Span) -> tuple[int, int]:
    """Return the numbers of the key packet to start at and of the last packet needed."""
    timeline = span.scan.timeline
    wanted = timeline.shown[span.first]
    before = timeline.keys[timeline.pts[timeline.keys] <= wanted]
    first = int(before[np.argmax(timeline.pts[before])]) if len(before) else int(timeline.keys[0])
    end = timeline.shown[span.stop - 1]
    inside = (timeline.pts >= timeline.pts[first]) & (timeline.pts <= end)
    return first, int(np.flatnonzero(inside).max(initial=first))


def _kept(container: Any, stream: Any, kind: Kind) -> list[Any]:
    """Return the streams to copy: the video stream, all sound, and supported subtitles."""
    texts = [s for s in container.streams.subtitles if codec_of(s) in kind.subtitles]
    sounds = [s for s in container.streams.audio if s.codec_context is not None]
    return [stream, *sounds, *texts]


def _wanted(
    container: Any, stream: Any, kept: list[Any], span: Span, origin: Fraction
) -> Iterator[Any]:
    """Yield the packets of a span in file order, with times from `origin`."""
    first, last = _packets_of(span)
    key = int(span.scan.timeline.pts[first])
    container.seek(key, stream=stream, backward=True)
    left, begun = last - first + 1, False
    for packet in packets(container, *kept):
        if packet.stream.index == stream.index:
            begun = begun or packet.pts == key
            left -= begun
            # Frames that are shown before the key frame need pictures from before the key frame.
            wanted = begun and left >= 0 and (packet.pts is None or packet.pts >= key)
        else:
            wanted = packet.pts is not None and origin <= _time(packet) < span.ends
        if wanted:
            yield _from(packet, origin)
        elif left < 0 and _time(packet) > span.ends + LATE_SECONDS:
            return


def _time(packet: Any) -> Fraction:
    """Return the time of a packet in the file, in seconds; 0 if the packet has no time."""
    return (packet.pts or 0) * Fraction(packet.time_base)


def _from(packet: Any, origin: Fraction) -> Any:
    """Make the times of a packet relative to `origin`."""
    ticks = round(origin / Fraction(packet.time_base))
    packet.pts = None if packet.pts is None else packet.pts - ticks
    packet.dts = None if packet.dts is None else packet.dts - ticks
    return packet
