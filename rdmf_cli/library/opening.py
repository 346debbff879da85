"""The videos of one search, with features from the cache or newly extracted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from rdmf_cli.channels.speech import words_of
from rdmf_cli.errors import RdmfError, errors_of
from rdmf_cli.features import VideoFeatures, normalise_rows
from rdmf_cli.features.said import Said
from rdmf_cli.library.index import ExactIndex, Index
from rdmf_cli.library.work import Extract, WorkCallbacks, extract_all

Hear = Callable[[Path], Said]


@dataclass
class OpenVideos:
    """A `Collection` of videos with their features in memory."""

    paths: list[str] = field(default_factory=list)
    opened: list[VideoFeatures] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)

    def add(self, path: str, features: VideoFeatures, said: Said | None = None) -> None:
        """Add a video, with what is said in the video."""
        self.paths.append(path)
        self.opened.append(features)
        self.said.append(said or Said())

    def failed(self, error: RdmfError) -> None:
        """Raise the error: features in memory cannot be damaged."""
        raise error

    def spoken(self, video: int) -> Said:
        """Return what is said in a video."""
        return self.said[video]

    def saying(self, words: Iterable[str], count: int) -> list[int]:
        """Return the videos that say any of the words; videos that say more words come first."""
        wanted = frozenset(words)
        best = {
            video: max((len(wanted & words_of(line.text)) for line in said.lines), default=0)
            for video, said in enumerate(self.said)
        }
        return [video for video in sorted(best, key=lambda v: -best[v]) if best[video]][:count]

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
    callbacks: WorkCallbacks,
    hear: Hear | None = None,
) -> OpenVideos:
    """Open videos one by one; an error in one video does not stop the others.

    Args:
        videos: The paths. An error in place of a path is reported.
        extract: Function that returns the features of a video.
        callbacks: Functions that are called with errors, warnings and progress.
        hear: Function that returns what is said in a video; None: what is said is not searched.
    """
    listed, opened = list(videos), OpenVideos()
    for error in (video for video in listed if isinstance(video, RdmfError)):
        callbacks.on_error(error)
    paths = [video for video in listed if isinstance(video, Path)]
    for path, outcome in extract_all(paths, extract, show=callbacks.show):
        if isinstance(outcome, RdmfError):
            callbacks.on_error(outcome)
            continue
        callbacks.warn(path, outcome.warnings)
        opened.add(str(path), outcome, _heard(path, hear, callbacks))
    return opened


def _heard(path: Path, hear: Hear | None, callbacks: WorkCallbacks) -> Said | None:
    """Read what is said in a video; if this fails, only the pictures are searched."""
    if hear is None:
        return None
    try:
        with errors_of(path):
            said = hear(path)
    except RdmfError as error:
        callbacks.on_error(error)
        return None
    callbacks.warn(path, said.warnings)
    return said
