"""The clips of a video, one frame each, in order, as a stream."""

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

from .decoders import Picture, Scan, Tally, choose, scan
from .holes import refuse_absurd_holes
from .info import VideoInfo, checked_file, remedy
from .sampling import wanted_frames
from .timeline import ClipGrid, Timestamp


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture: `image` uint8 (H, W, 3), RGB, upright; `time` since the video's first frame.

    exact:  it is the frame that the clip wants
    failed: no frame of the clip could be decoded; this one is from outside
    """

    image: np.ndarray
    time: Timestamp
    exact: bool = True
    failed: bool = False


@dataclass
class Failures:
    """What did not decode.

    count:    clips shown by a frame from outside the clip, as none of it could be decoded
    errors:   packets that the decoder refused
    messages: a sentence for each kind of problem, not one for each packet
    """

    count: int = 0
    errors: int = 0
    messages: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.count or self.errors)


class ClipReader:
    """Iterates `(clip number, Frame)` over the clips of `grid`, in order, decoding as it goes.

    Clips that want the same frame share it. Made by `open_clips`.
    """

    def __init__(self, scanned: Scan, grid: ClipGrid, decoder: str):
        """decoder: a name of the registry, or "auto"."""
        self._scan = scanned
        self._tally = Tally()
        self._failed = 0
        self.grid = grid
        self.decoder, self._decode = choose(decoder, scanned)

    @property
    def info(self) -> VideoInfo:
        return self._scan.info

    @property
    def frames_decoded(self) -> int:
        """Frames decoded so far, wanted or not (where another process decodes: those it gave)."""
        return self._tally.frames_decoded

    @property
    def failures(self) -> Failures:
        """What went wrong so far."""
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
    def _wanted(self) -> np.ndarray:
        timeline = self._scan.timeline
        return wanted_frames(timeline.shown, timeline.time_base, self.grid)

    @property
    def wanted(self) -> np.ndarray:
        """When the frame of each clip is shown: int64 (L,), ticks since the first frame."""
        return self._wanted - self._scan.timeline.start

    def __iter__(self) -> Iterator[tuple[int, Frame]]:
        return self.read_from(0)

    def read_from(self, position: int) -> Generator[tuple[int, Frame], None, None]:
        """Iterate as over the reader, but begin at the clip at `position` of the grid, from 0.

        Raises RdmfError, at the end, where no clip from the first to the last could be decoded:
        what stands in for them all shows nothing of the video.
        """
        wanted, clips = self._wanted[position:], self.grid.indices[position:]
        failed = self._failed
        pictures = self._decode(self._scan, np.unique(wanted), self._tally)
        with closing(pictures):  # type: ignore[type-var]
            coming, shown = next(pictures, None), None
            for clip, pts in zip(clips, wanted.tolist(), strict=True):
                while coming is not None and (shown is None or coming.wanted <= pts):
                    shown, coming = coming, next(pictures, None)
                if shown is None:
                    raise self._nothing()
                yield clip, self._frame(clip, pts, shown)
        if position == 0 and self._failed - failed == len(clips):
            raise self._nothing()

    def _frame(self, clip: int, wanted: int, shown: Picture) -> Frame:
        """A neighbour out of the same clip is as good; any other frame is a failure."""
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
            f"none of the wanted frames could be decoded by {self.decoder}",
            self.info.path,
            f"try another --decoder, or {remedy(self._scan.timeline)}",
        )


def open_clips(
    path: str | os.PathLike[str],
    clip_length: float | Fraction = 2.0,
    decoder: str = "auto",
    start: float | None = None,
    end: float | None = None,
) -> ClipReader:
    """Open a video for reading one frame a clip.

    The frame of a clip is the last one strictly before the clip's middle (times counted from the
    video's first frame), the video's first or last frame where there is none.

    decoder: "pyav", "decord", "ffmpeg", or "auto"; `reader.decoder` says which one is used
    start, end: seconds as a player shows them; only clips that overlap [start, end) are read

    Raises RdmfError for files that cannot be read, UsageError for an impossible part or length.

    >>> with open_clips("talk.mp4", clip_length=2) as reader:      # doctest: +SKIP
    ...     for clip, frame in reader:
    ...         print(clip, frame.time.seconds, frame.image.shape)
    """
    ClipGrid(0.0, float(clip_length))  # complains of an impossible length before anything is read
    scanned = scan(checked_file(path), decoder)
    refuse_absurd_holes(scanned.info.path, scanned.timeline)
    grid = ClipGrid(scanned.info.duration, float(clip_length))
    if start is not None or end is not None:
        grid = grid.part(start, end, path, scanned.info.clock.begins)
    return ClipReader(scanned, grid, decoder)
