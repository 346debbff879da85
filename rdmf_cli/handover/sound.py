"""Cut the sound of a video, exact to the sample."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from rdmf_cli.handover.film import Kind, Track
from rdmf_cli.video.packets import opened, packets

LEAD_SECONDS = 1  # a sound decoder has to start this much earlier to give correct samples
MICROSECONDS = 1_000_000
JITTER_SECONDS = Fraction(1, 20)  # containers round times; a larger gap is a hole
SILENCE_SAMPLES = 4096  # samples per block
MOST_CHANNELS = 8
USUAL_RATE = 48_000  # samples per second, supported by every encoder


def tracks_of(container: Any, kind: Kind) -> list[tuple[int, Track]]:
    """Return number and properties of each sound track of an open video that can be decoded."""
    found = []
    for number, stream in enumerate(container.streams.audio):
        context = stream.codec_context
        if context is None or not context.sample_rate or not context.channels:
            continue
        rate = context.sample_rate if context.sample_rate in kind.sound_rates else USUAL_RATE
        layout = context.layout.name if context.channels <= MOST_CHANNELS else "stereo"
        found.append((number, Track(rate, layout, stream.metadata.get("language", ""))))
    return found


def sound_between(
    path: Path, number: int, track: Track, start: Fraction, stop: Fraction
) -> Iterator[np.ndarray]:
    """Decode a stretch of a sound track, exact to the sample.

    The samples are zero in holes of the track and after its end.

    Args:
        path: The video.
        number: Number of its sound track.
        track: Sample rate and layout of the result.
        start: Start in seconds of the file's own time.
        stop: End in seconds of the file's own time.

    Yields:
        float32 (channels, samples); in total round((stop - start) * rate) samples.
    """
    total, done = round((stop - start) * track.rate), 0
    channels = len(av.AudioLayout(track.layout).channels)
    for at, block in _placed(path, number, track, start):
        if at >= total:
            break
        block = block[:, max(0, done - at) : total - at]
        if not block.shape[1]:
            continue
        yield from _silence(channels, max(0, at - done))
        yield block
        done = max(done, at) + block.shape[1]
    yield from _silence(channels, total - done)


def _silence(channels: int, samples: int) -> Iterator[np.ndarray]:
    for begun in range(0, samples, SILENCE_SAMPLES):
        yield np.zeros((channels, min(SILENCE_SAMPLES, samples - begun)), np.float32)


def _placed(
    path: Path, number: int, track: Track, start: Fraction
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield decoded blocks, each with the number of its first sample, counted from `start`."""
    expected: int | None = None
    for time, block in _decoded(path, number, track, start):
        stated = None if time is None else round((time - start) * track.rate)
        if expected is None or (
            stated is not None and abs(stated - expected) > JITTER_SECONDS * track.rate
        ):
            expected = stated or 0
        yield expected, block
        expected += block.shape[1]


def _decoded(
    path: Path, number: int, track: Track, start: Fraction
) -> Iterator[tuple[Fraction | None, np.ndarray]]:
    """Yield blocks of samples from a little before `start`, each with its time in seconds."""
    with opened(path) as (container, _):
        stream = container.streams.audio[number]
        with suppress(FFmpegError):
            container.seek(round((start - LEAD_SECONDS) * MICROSECONDS), backward=True)
        resampler = av.AudioResampler(format="fltp", layout=track.layout, rate=track.rate)
        for packet in packets(container, stream):
            for frame in _frames(stream, packet):
                for block in resampler.resample(frame):
                    pts, base = block.pts, block.time_base
                    time = None
                    if pts is not None and base is not None:
                        time = pts * Fraction(base.numerator, base.denominator)
                    yield time, block.to_ndarray()


def _frames(stream: Any, packet: Any) -> list[Any]:
    """Decode a packet; return no frames if it is damaged."""
    try:
        frames: list[Any] = stream.codec_context.decode(packet)
    except FFmpegError:
        return []
    return frames
