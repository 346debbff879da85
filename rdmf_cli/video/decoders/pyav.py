"""The default decoder, PyAV: decodes only the packets that the wanted frames need."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from fractions import Fraction
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from av.error import FFmpegError

from rdmf_cli.errors import RdmfError
from rdmf_cli.video.colours import ToRGB, matrix_warnings
from rdmf_cli.video.decoders.base import Colours, Picture, Scan, Tally
from rdmf_cli.video.formats import LIST_NOTE, is_list
from rdmf_cli.video.info import Claims, VideoInfo, average_rate, clock_of, header_warnings, remedy
from rdmf_cli.video.joins import second_recording
from rdmf_cli.video.orientation import Orientation, from_display_matrix
from rdmf_cli.video.packets import (
    MISSING,
    Timeline,
    late_streams,
    opened,
    packets,
    read_timeline,
    reason,
    stream_notes,
    video_streams,
)
from rdmf_cli.video.recording import recorded_in
from rdmf_cli.video.references import stated_kept
from rdmf_cli.video.sampling import Run, plan_runs, whole_run
from rdmf_cli.video.side_data import side_data
from rdmf_cli.video.sizes import (
    PROBED_PIXELS,
    SMALLER,
    DecodeLimits,
    LargePictureError,
    decode_limits,
    displayed_size,
    needs_kept,
    probed_pixels,
    size_note,
)
from rdmf_cli.video.temporal_layers import TopLayer
from rdmf_cli.video.timeline import Timestamp

# Codecs in which no picture needs a non-reference picture. (For HEVC see `temporal_layers`.)
SKIPS_NONREFERENCE = {"h264", "mpeg4", "mpeg2video", "mpeg1video"}
MICROSECONDS = 1_000_000  # FFmpeg's unit for the duration of a whole file
# If more packets than this lie between two runs, a seek is faster than reading.
WORTH_SEEKING = 250


def scan(path: Path) -> Scan:
    """Demux the whole file and decode its first frame.

    Raises:
        RdmfError: The file cannot be read as a video.
    """
    with opened(path) as (container, stream):
        _require_codec(stream, path)
        held = _bound(stream, path)
        claims = _claims(container, stream)
        start = container.start_time
        began = None if start is None else start / MICROSECONDS
        timeline = read_timeline(container, stream, path)
        number, n_streams = stream.index, len(video_streams(container))
        notes = stream_notes(container, stream) + (LATE_STREAMS,) * late_streams(container)
        notes += second_recording(path, container.format.name, timeline.read_to)
        facts: dict[str, Any] = {
            "codec": stream.codec_context.name,
            "container": container.format.name,
            "has_audio": bool(container.streams.audio),
            "recorded": recorded_in(container.metadata, stream.metadata),
        }
    if not len(timeline.shown):
        raise _nothing_decodes(path, timeline)
    frame, pixel_shape = _first_frame(path, timeline)
    stored_size = frame.width, frame.height
    picture_size = displayed_size(*stored_size, pixel_shape)
    orientation = _orientation(frame)
    colours = Colours(frame.colorspace, frame.color_primaries, frame.color_trc)
    width, height = orientation.size(*picture_size)
    info = VideoInfo(
        path=path,
        duration=timeline.seconds,
        width=width,
        height=height,
        rotation=orientation.degrees,
        frame_rate=average_rate(timeline),
        start=Timestamp(timeline.start, timeline.time_base),
        n_packets=len(timeline),
        n_frames=len(timeline.shown),
        warnings=(
            *(LIST_NOTE,) * is_list(path),
            *size_note(stored_size, pixel_shape, picture_size),
            *notes,
            *header_warnings(claims, timeline),
            *matrix_warnings(colours.matrix, colours.primaries),
        ),
        clock=clock_of(began, claims.whole, timeline),
        **facts,
    )
    return Scan(
        by="pyav",
        info=info,
        timeline=timeline,
        orientation=orientation,
        picture_size=picture_size,
        stored_size=stored_size,
        limits=held,
        stream=number,
        n_streams=n_streams,
        colours=colours,
    )


LATE_STREAMS = "another stream begins in the middle of the file; it is not read"


def _claims(container: Any, stream: Any) -> Claims:
    whole = container.duration / MICROSECONDS if container.duration else None
    own = float(stream.duration * Fraction(stream.time_base)) if stream.duration else None
    return Claims(whole, own, alone=len(container.streams) == 1)


def _require_codec(stream: Any, path: Path) -> None:
    if stream.codec_context is None:
        raise RdmfError(
            "holds video in an unknown codec",
            path,
            "convert it, for example: ffmpeg -i INPUT -c:v libx264 OUTPUT.mp4",
        )


def _nothing_decodes(path: Path, timeline: Timeline, may_be_large: bool = False) -> RdmfError:
    if may_be_large:
        what = f"its pictures are damaged, or larger than {PROBED_PIXELS / 1e6:.0f} million pixels"
        return LargePictureError(what, path, SMALLER)
    return RdmfError("none of its frames can be decoded", path, remedy(timeline))


def _first_frame(path: Path, timeline: Timeline) -> tuple[Any, Any]:
    """Return the first frame that decodes, and the shape (width / height) of its pixels."""
    with opened(path) as (container, stream):
        _bound(stream, path)
        codec = stream.codec_context.codec.name
        for frame in _decoded(stream, packets(container, stream), Tally()):
            return frame, Fraction(stream.sample_aspect_ratio or 1)
        context = stream.codec_context
        unsized = not context.width and probed_pixels(codec) == PROBED_PIXELS
    raise _nothing_decodes(path, timeline, may_be_large=unsized)


def _orientation(frame: Any) -> Orientation:
    matrix = side_data(frame).get("DISPLAYMATRIX")
    return Orientation() if matrix is None else from_display_matrix(bytes(matrix))


def _bound(stream: Any, path: Path) -> DecodeLimits:
    """Set the decoder's limits; raise RdmfError for pictures that are too large.

    If memory allows, threads work on several frames at a time. PyAV's default is several times
    slower: all threads work on slices of one frame.
    """
    context = stream.codec_context
    bits = context.format.padded_bits_per_pixel if context.format else 0
    size = context.width, context.height
    kept = _kept_pictures(path) if needs_kept(context.codec.name, bits, *size) else None
    held = decode_limits(path, context.codec.name, bits, *size, kept)
    context.options = {**context.options, "max_pixels": str(held.most_pixels)}
    context.thread_count = held.threads
    stream.thread_type = "AUTO"
    return held


def _kept_pictures(path: Path) -> int | None:
    with opened(path) as (container, stream):
        return stated_kept(container, stream)


def _decoded(stream: Any, source: Iterator[Any], tally: Tally) -> Iterator[Any]:
    """Decode packets; after the last packet, also yield the frames that the decoder still holds.

    If a packet is None, another recording begins, and the decoder is reset.
    """
    for packet in chain(source, (None,)):
        yield from _fed(stream, packet, tally)
        if packet is None:
            stream.codec_context.flush_buffers()


def _fed(stream: Any, packet: Any, tally: Tally) -> Iterator[Any]:
    try:
        frames = stream.codec_context.decode(packet)
    except EOFError:
        return
    except FFmpegError as error:
        tally.error(f"a packet could not be decoded: {error.strerror}")
        return
    except ValueError as error:  # PyAV 19 raises this for a codec that it does not know
        tally.error(f"a packet could not be decoded: {error}")
        return
    tally.frames_decoded += len(frames)
    yield from frames


def pictures(scan: Scan, wanted: np.ndarray, tally: Tally) -> Iterator[Picture]:
    """Decode frames; see `Decoder`. Only groups of pictures with a wanted frame are decoded.

    If a wanted frame is missing from its group, either the file is damaged, or decoding cannot
    begin at its key frames. A second pass then decodes the remaining frames, from the file's start.

    Args:
        scan: The scanned file.
        wanted: Presentation times in `scan.timeline.shown`, ascending, int64 (F,).
        tally: Counts frames and errors.
    """
    runs = plan_runs(scan.timeline, wanted)
    while runs:
        with closing(_Reader(scan, tally)) as reader:
            missed = yield from reader.follow(runs)
        runs = whole_run(scan.timeline, missed) if missed else []
        if runs:
            tally.forget_errors()  # the second pass will count them again


class _Reader:
    """A pass over the file that decodes one run of packets after another."""

    def __init__(self, scan: Scan, tally: Tally):
        self.scan, self.timeline, self.tally = scan, scan.timeline, tally
        self.seekable = not (scan.timeline.ordered or scan.timeline.joins)
        self.skips = scan.info.codec in SKIPS_NONREFERENCE and not scan.timeline.ordered
        self.to_rgb = ToRGB()
        self._open()

    def _open(self) -> None:
        self._file = opened(self.scan.info.path)
        self.container, self.stream = self._file.__enter__()
        _bound(self.stream, self.scan.info.path)
        self.top_layer = None
        if self.scan.info.codec == "hevc" and not self.timeline.ordered:
            self.top_layer = TopLayer(bytes(self.stream.codec_context.extradata or b""))
        self.source = packets(self.container, self.stream)
        self.position = 0  # number of the packet that `source` gives next

    def close(self) -> None:
        self.source = iter(())
        self._file.__exit__(None, None, None)

    def follow(self, runs: list[Run]) -> Generator[Picture, None, list[int]]:
        """Yield the pictures of the runs; if a picture is missing, return all remaining times."""
        for at, run in enumerate(runs):
            missed = yield from self._pictures(run)
            if missed:
                return missed + [w for later in runs[at + 1 :] for w in later.wanted]
        return []

    def _pictures(self, run: Run) -> Generator[Picture, None, list[int]]:
        pending = deque(run.wanted)
        last: tuple[int, Any] | None = None
        for pts, frame in self._frames(run):
            while pending and pending[0] < pts:
                if run.start > 0:
                    return list(pending)
                yield from self._instead(pending.popleft(), last)
            if pending and pending[0] == pts:
                yield Picture(pending.popleft(), pts, self._image(frame))
            if not pending:
                return []
            last = pts, frame
        if run.start > 0:
            return list(pending)
        for wanted in pending:
            yield from self._instead(wanted, last)
        return []

    def _instead(self, wanted: int, last: tuple[int, Any] | None) -> Iterator[Picture]:
        """Yield the nearest earlier frame in place of a frame that did not decode."""
        if last is not None:
            yield Picture(wanted, last[0], self._image(last[1]))

    def _image(self, frame: Any) -> np.ndarray:
        try:
            image = self.to_rgb(frame, *self.scan.picture_size)
        except FFmpegError as error:
            what = f"its pictures cannot be converted to RGB ({reason(error)})"
            todo = (
                "convert it, for example: ffmpeg -i INPUT -c:v libx264 -pix_fmt yuv420p OUTPUT.mp4"
            )
            raise RdmfError(what, self.scan.info.path, todo) from error
        return self.scan.orientation.upright(image)

    def _frames(self, run: Run) -> Iterator[tuple[int, Any]]:
        """Yield the (pts, frame) of a run, in display order."""
        self.stream.codec_context.flush_buffers()
        self._go_to(run.start)
        stamp = self._by_order if self.timeline.ordered else self._by_pts
        return stamp(_decoded(self.stream, self._packets(run), self.tally))

    def _packets(self, run: Run) -> Iterator[Any]:
        wanted, joins = set(run.wanted), set(self.timeline.joins)
        while self.position < run.stop and (packet := self._next()) is not None:
            if self.position - 1 in joins:
                yield None
            if self.skips or self.top_layer is not None:
                skips = self._may_skip(packet) and packet.pts not in wanted
                self.stream.codec_context.skip_frame = "NONREF" if skips else "DEFAULT"
            yield packet

    def _may_skip(self, packet: Any) -> bool:
        """Return whether the decoder may skip a non-reference picture of this packet."""
        if self.top_layer is not None and not self.top_layer.is_disposable(bytes(packet)):
            return False
        return packet.pts is not None

    def _next(self) -> Any:
        """Read the next packet; None: the file ends or cannot be read further."""
        try:
            packet = next(self.source, None)
        except FFmpegError as error:
            self.tally.error(f"the file cannot be read further: {error.strerror}")
            return None
        self._set_on(packet)
        self.position += 1
        return packet

    def _set_on(self, packet: Any) -> None:
        """Shift a packet's times to the times of the timeline, if the file's own times restart."""
        shifts = self.timeline.shifts
        if packet is None or shifts is None or self.position >= len(shifts):
            return
        for name in ("pts", "dts"):
            if (ticks := getattr(packet, name)) is not None:
                setattr(packet, name, ticks + int(shifts[self.position]))

    def _by_pts(self, frames: Iterator[Any]) -> Iterator[tuple[int, Any]]:
        last = MISSING
        for frame in frames:
            known = frame.pts is not None
            last = frame.pts if known else max(last, self.timeline.start) + self.timeline.usual_step
            yield last, frame

    def _by_order(self, frames: Iterator[Any]) -> Iterator[tuple[int, Any]]:
        return zip(self.timeline.shown.tolist(), frames, strict=False)

    def _go_to(self, target: int) -> None:
        """Make `target` the next packet to read, by a seek if it is far away."""
        if self.seekable and target - self.position > WORTH_SEEKING:
            self.seekable = self._seek(target)
            if not self.seekable:
                self.close()
                self._open()
        while self.position < target and self._next() is not None:
            pass

    def _seek(self, target: int) -> bool:
        """Seek to packet `target` or a little before it; return False if this fails.

        Containers index by presentation time or by decoding time, so both times are tried. The
        first packet after the seek shows where the seek ended: this packet must be in the timeline,
        and not after `target`.
        """
        for time in (self.timeline.pts[target], self.timeline.dts[target]):
            if time == MISSING:
                continue
            try:
                self.container.seek(int(time), stream=self.stream, backward=True)
            except FFmpegError:
                return False
            self.source = packets(self.container, self.stream)
            first = self._next()
            landed = self._number(first)
            if landed is not None and landed <= target:
                self.source, self.position = chain([first], self.source), landed
                return True
        return False

    def _number(self, packet: Any) -> int | None:
        """Return the number of a packet in the timeline; None: its time is not unique."""
        if packet is None or packet.pts is None:
            return None
        found = np.flatnonzero(self.timeline.pts == packet.pts)
        return int(found[0]) if len(found) == 1 else None


def installed() -> str:
    """Return the version of PyAV."""
    return version("av")
