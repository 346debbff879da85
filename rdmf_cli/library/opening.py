"""Videos opened for one search, with features from the cache or newly extracted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from rdmf_cli.errors import RdmfError
from rdmf_cli.features import VideoFeatures, normalise_rows
from rdmf_cli.library.index import ExactIndex, Index
from rdmf_cli.library.work import Extract, OnError, ShowWork, extract_all


@dataclass
class OpenVideos:
    """A `Collection` of videos with their features in memory."""

    paths: list[str] = field(default_factory=list)
    opened: list[VideoFeatures] = field(default_factory=list)

    def add(self, path: str, features: VideoFeatures) -> None:
        """Add a video."""
        self.paths.append(path)
        self.opened.append(features)

    @cached_property
    def index(self) -> Index:
        """The index of all clips, made on first use, after the last `add`."""
        numbered = enumerate(self.opened)
        return ExactIndex((n, normalise_rows(features.rows)) for n, features in numbered)

    @property
    def clips(self) -> Sequence[int]:
        """The number of clips of each video."""
        return [len(features.rows) for features in self.opened]

    def path(self, video: int) -> str:
        """Return the path of a video."""
        return self.paths[video]

    def features(self, video: int) -> VideoFeatures:
        """Return the features of a video."""
        return self.opened[video]


def open_videos(
    videos: Iterable[Path | RdmfError],
    extract: Extract,
    *,
    on_error: OnError,
    show: ShowWork | None = None,
    on_warning: Callable[[Path, tuple[str, ...]], None] | None = None,
) -> OpenVideos:
    """Open videos one by one; an error in one video does not stop the others.

    Args:
        videos: The paths; an error in the place of a path is reported, too.
        extract: Function that returns the features of a video.
        on_error: Called with each error.
        show: Called with the progress of the work.
        on_warning: Called with the path and the warnings of a video.
    """
    listed, opened = list(videos), OpenVideos()
    for error in (video for video in listed if isinstance(video, RdmfError)):
        on_error(error)
    paths = [video for video in listed if isinstance(video, Path)]
    for path, outcome in extract_all(paths, extract, show=show):
        if isinstance(outcome, RdmfError):
            on_error(outcome)
            continue
        if outcome.warnings and on_warning:
            on_warning(path, outcome.warnings)
        opened.add(str(path), outcome)
    return opened
