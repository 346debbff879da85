"""The clips of a video as a stream, in order, one frame per clip."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from types import TracebackType

import numpy as np

from rdmf_cli.errors import RdmfError
from rdmf_cli.video.decoders import choose, scan
from rdmf_cli.video.decoders.base import Picture, Scan, Tally
from rdmf_cli.video.holes import refuse_absurd_holes
from rdmf_cli.video.info import VideoInfo, checked_file, remedy
from rdmf_cli.video.sampling import nearest_keys, wanted_frames
from rdmf_cli.video.samplings import EXACT, KEYFRAMES, SAMPLINGS
from rdmf_cli.video.timeline import ClipGrid, Timestamp


@dataclass(frozen=True, eq=False)
class Frame:
    """The decoded frame of a clip.

    Attributes:
        image: uint8 (H, W, 3), RGB, upright.
        time: When the frame is shown, counted from the video's first frame.
        exact: Whether this is the right frame of the clip, and not only a neighbour of the right
            frame.
        failed: Whether no frame of the clip could be decoded: this frame is from another clip.
    """

    image: np.ndarray
    time: Timestamp
    exact: bool = True
    failed: bool = False


@dataclass
class Failures:
    """The clips and packets that could not be decoded.

    Attributes:
        count: Number of clips whose frame could not be decoded; a frame of another clip is used for
            each of them.
        errors: Number of packets that the decoder refused.
        messages: One sentence per kind of problem, not per packet.
    """

    count: int = 0
    errors: int = 0
    messages: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.count or self.errors)


class ClipReader:
    """An iterator over `(clip number, Frame)` for the clips of a grid, in order; see `open_clips`.

    Frames are decoded one by one. Clips with the same frame share the decoded picture.

    Args:
        scanned: The scanned video.
        grid: The clips to read.
        decoder: A key of `DECODERS`, or "auto".
        sampling: A key of `SAMPLINGS`.
    """

    def __init__(self, scanned: Scan, grid: ClipGrid, decoder: str, sampling: str = EXACT):
        self._scan = scanned
        self._tally = Tally()
        self._failed = 0
        self.grid = grid
        self.sampling = SAMPLINGS.find(sampling).name
        self.decoder, self._decoder = choose(decoder, scanned)

    @property
    def scanned(self) -> Scan:
        """The scanned video, from which another reader of the same file can be made."""
        return self._scan

    @property
    def info(self) -> VideoInfo:
        """The properties of the video."""
        return self._scan.info

    @property
    def frames_decoded(self) -> int:
        """The number of frames decoded so far.

        If another process decodes, these are the frames that it has returned.
        """
        return self._tally.frames_decoded

    @property
    def failures(self) -> Failures:
        """The clips and packets that could not be decoded so far."""
        return Failures(self._failed, self._tally.errors, list(self._tally.messages))

    def __enter__(self) -> ClipReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    @cached_property
    def _exact(self) -> np.ndarray:
        timeline = self._scan.timeline
        return wanted_frames(timeline.shown, timeline.time_base, self.grid)

    @cached_property
    def _wanted(self) -> np.ndarray:
        if self.sampling == KEYFRAMES:
            return nearest_keys(self._scan.timeline, self._exact)
        return self._exact

    @property
    def errors(self) -> np.ndarray:
        """The distance from each clip's frame to its exact frame: float64 (L,), in seconds."""
        away = np.abs(self._wanted - self._exact)
        seconds: np.ndarray = away * float(self._scan.timeline.time_base)
        return seconds

    @property
    def wanted(self) -> np.ndarray:
        """The presentation time of each clip's frame: int64 (L,), ticks since frame 0."""
        return self._wanted - self._scan.timeline.start

    def __iter__(self) -> Iterator[tuple[int, Frame]]:
        return self.read_from(0)

    def read_from(
        self, position: int, stop: int | None = None
    ) -> Generator[tuple[int, Frame], None, None]:
        """Iterate over the clips from `position` on.

        Args:
            position: Index into `grid.indices`, from 0.
            stop: Index of the first clip that is not read; None: read to the end.

        Yields:
            (clip number, Frame).

        Raises:
            RdmfError: No clip of the whole grid could be decoded; this error comes at the end.
        """
        wanted, clips = self._wanted[position:stop], self.grid.indices[position:stop]
        failed = self._failed
        pictures = self._decoder.pictures(self._scan, np.unique(wanted), self._tally)
        with closing(pictures):  # type: ignore[type-var]
            coming, shown = next(pictures, None), None
            for clip, pts in zip(clips, wanted.tolist(), strict=True):
                while coming is not None and (shown is None or coming.wanted <= pts):
                    shown, coming = coming, next(pictures, None)
                if shown is None:
                    raise self._nothing()
                yield clip, self._frame(clip, pts, shown)
        is_whole = len(clips) == len(self.grid.indices)
        if is_whole and self._failed - failed == len(clips):
            raise self._nothing()

    def _frame(self, clip: int, wanted: int, shown: Picture) -> Frame:
        """Return the frame of a clip; if it comes from another clip, count a failure."""
        timeline = self._scan.timeline
        time = Timestamp(shown.pts - timeline.start, timeline.time_base)
        if shown.pts == wanted:
            return Frame(shown.image, time)
        begins = timeline.start + self.grid.start(clip) / timeline.time_base
        failed = not begins <= shown.pts < wanted
        self._failed += failed
        return Frame(shown.image, time, exact=False, failed=failed)

    def _nothing(self) -> RdmfError:
        return RdmfError(
            f"{self.decoder} could decode none of its frames",
            self.info.path,
            f"try another --decoder, or {remedy(self._scan.timeline)}",
        )


def open_clips(
    path: str | os.PathLike[str],
    clip_length: float | Fraction = 2.0,
    decoder: str = "auto",
    start: float | None = None,
    end: float | None = None,
    sampling: str = EXACT,
) -> ClipReader:
    """Open a video to read one frame per clip.

    >>> with open_clips("talk.mp4", clip_length=2) as reader:      # doctest: +SKIP
    ...     for clip, frame in reader:
    ...         print(clip, frame.time.seconds, frame.image.shape)

    The frame of a clip is the last frame shown strictly before the clip's middle (counted from the
    video's first frame). If there is no such frame, it is the video's first or last frame.

    Args:
        path: The video file.
        clip_length: Length of a clip in seconds.
        decoder: "pyav", "decord", "ffmpeg" or "auto"; `reader.decoder` is the decoder in use.
        start: Start of the part to read, in seconds, as a player shows time.
        end: End of the part to read, in seconds. Clips that overlap [start, end) are read.
        sampling: "exact", or "keyframes": the key frame nearest to the exact frame of the clip.

    Raises:
        RdmfError: The file cannot be read, or the part lies outside of the video.
        UsageError: The clip length or the part is impossible, or there is no such decoder or
            sampling.
    """
    ClipGrid(0.0, float(clip_length))  # checks the clip length before the file is read
    scanned = scan(checked_file(path), decoder)
    refuse_absurd_holes(scanned.info.path, scanned.timeline)
    grid = ClipGrid(scanned.info.duration, float(clip_length))
    if start is not None or end is not None:
        grid = grid.part(start, end, path, scanned.info.clock.begins)
    return ClipReader(scanned, grid, decoder, sampling)
