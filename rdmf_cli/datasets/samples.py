"""A set of annotated queries with features, read on access."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path

from rdmf_cli.channels.question import FeatureSpace
from rdmf_cli.datasets.annotations import Annotation, Annotations
from rdmf_cli.datasets.feature_folder import FeatureFolder
from rdmf_cli.datasets.registry import Dataset
from rdmf_cli.datasets.sample import MOST_CLIPS_OFF, SHARE_OFF, Sample, Text, fits
from rdmf_cli.datasets.source import Source
from rdmf_cli.datasets.video_folder import VideoFolder
from rdmf_cli.encoders import Encoder, load_encoder
from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.features.store import FeatureStore
from rdmf_cli.text import counted

WINDOW_PAST_END = 2.0  # seconds; windows of Charades-STA end up to 1.5 s after their video

VideoProgress = Callable[[int, int, str], None]
"""Called with the number of videos done, the number of all videos, and the current video's name."""


class Samples:
    """The samples of some annotations: `samples[i]` reads the sample of annotation i.

    >>> samples = open_samples(DATASETS["charades"], "val.jsonl", features="charades")
    >>> samples[0].video.shape, samples[0].annotation.windows

    Attributes:
        annotations: The annotations.
        dataset: The dataset that the annotations belong to.
        encoder_name: Name of the encoder of the features; None: unknown.
    """

    def __init__(self, annotations: Annotations, dataset: Dataset, source: Source):
        source.require(annotations)
        self.annotations = annotations
        self.dataset = dataset
        self.encoder_name = source.encoder_name
        self._source = source
        self._zeros: dict[str, None] = {}  # videos with rows of zeros, of those that `prepare` read

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, index: int) -> Sample:
        annotation = self.annotations.entries[index]
        video = self._source.video(annotation.vid)
        text = self._source.text(annotation)
        clips, path, usual = len(video.rows), video.path, self.dataset.clip_length
        clip_length = clip_length_of(annotation, clips, video.duration, usual, path)
        return Sample(
            annotation=annotation,
            rows=video.rows,
            matching=_matching(video.streams, text),
            sentence=text.sentence,
            words=text.words,
            clip_length=clip_length,
            duration=annotation.duration or video.duration or len(video.rows) * clip_length,
            streams=video.streams,
            path=video.path,
        )

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def part(self, indices: Sequence[int]) -> Samples:
        """Return some of the samples, in the given order, with the same in-memory cache."""
        chosen = [self.annotations.entries[i] for i in indices]
        kept = Annotations(self.annotations.path, chosen, self.annotations.notes)
        return Samples(kept, self.dataset, self._source)

    def of(self, annotations: Annotations) -> Samples:
        """Return the samples of other annotations, with the same features and in-memory cache.

        Raises:
            RdmfError: Features are missing.
        """
        return Samples(annotations, self.dataset, self._source)

    def files(self) -> Iterator[Path]:
        """Yield the files of all videos and queries, for a hash of the data."""
        return self._source.files(self.annotations)

    def paraphrases(self, annotation: Annotation) -> list[Text]:
        """Return the features of the query's paraphrases; empty if there are none."""
        return self._source.paraphrases(annotation)

    def prepare(self, progress: VideoProgress | None = None) -> None:
        """Read all samples once, to find errors in files before any long work.

        Features that are not in the cache are extracted.

        Args:
            progress: A function that is called with the number of videos done, the number of all
                videos, and the current video.

        Raises:
            RdmfError: A file is missing or has an error.
        """
        by_video: dict[str, list[int]] = {}
        for i, annotation in enumerate(self.annotations):
            by_video.setdefault(annotation.vid, []).append(i)
        for done, (vid, indices) in enumerate(by_video.items()):
            if progress:
                progress(done, len(by_video), vid)
            for i in indices:
                sample = self[i]
            if not sample.rows.any(axis=1).all():
                self._zeros[vid] = None
        if progress:
            progress(len(by_video), len(by_video), "")

    @property
    def notes(self) -> list[str]:
        """Notes from the reading of annotations and videos, one sentence each."""
        notes = [*self.annotations.notes, *self._source.notes, *self._longer_than_clamp()]
        if self._zeros:
            have = "has" if len(self._zeros) == 1 else "have"
            videos = counted(len(self._zeros), "video")
            notes.append(f"{videos} {have} rows of zeros (the first: {next(iter(self._zeros))})")
        return notes

    def _longer_than_clamp(self) -> list[str]:
        clamp = self.dataset.clamp
        longer = {a.vid for a in self.annotations if clamp and (a.duration or 0.0) > clamp}
        if not longer:
            return []
        are, its = ("is", "its") if len(longer) == 1 else ("are", "their")
        what = f"{counted(len(longer), 'video')} {are} longer than {clamp:g} s, the limit of "
        return [f"{what}{self.dataset.name}; {its} windows may reach to the end of the video"]

    @cached_property
    def _first(self) -> Sample:
        return self[0]

    @property
    def streams(self) -> Mapping[str, slice]:
        """The columns of each stream, by name."""
        return self._first.streams

    @property
    def first_file(self) -> Path | None:
        """The file of the first video's features, for errors on the widths of features."""
        return self._first.path

    @property
    def space(self) -> FeatureSpace:
        """The widths of the features and of the joint space."""
        first = self._first
        matching = first.matching
        sentence = None if first.sentence is None or matching is None else len(first.sentence)
        return FeatureSpace(
            encoder=self.encoder_name,
            video=first.video.shape[1],
            words=first.words.shape[1],
            sentence=sentence,
            matching=None if matching is None else (matching.start, matching.stop),
        )


def open_samples(
    dataset: Dataset,
    annotations: Annotations | Path | str,
    *,
    features: str | PathLike[str] | None = None,
    videos: str | PathLike[str] | None = None,
    encoder: Encoder | str = "auto",
    device: str = "auto",
) -> Samples:
    """Open the samples of an annotation file, with a folder of features or a folder of videos.

    To choose streams, use `samples_of_features`. To choose a decoder or a cache, make `Samples` of
    a `VideoFolder`.

    Args:
        dataset: The dataset; it states the clip length.
        annotations: The annotations, or their file.
        features: Folder of features, see `FeatureFolder`.
        videos: Folder of videos, for `encoder`; the file names are the vids of the annotations.
        encoder: The encoder, or its name as for --encoder.
        device: Device of the encoder.

    Raises:
        UsageError: Not exactly one of `features` and `videos` is given.
        RdmfError: Files are missing.
    """
    if (features is None) == (videos is None):
        raise UsageError("exactly one is needed", "--features, --videos", "give one of the two")
    if not isinstance(annotations, Annotations):
        annotations = dataset.read(annotations)
    if features is not None:
        return samples_of_features(dataset, annotations, features)
    assert videos is not None
    read_by = _loaded(encoder, device)
    folder = VideoFolder(Path(videos), read_by, dataset.clip_length, store=FeatureStore())
    return Samples(annotations, dataset, folder)


def samples_of_features(
    dataset: Dataset,
    annotations: Annotations,
    features: str | PathLike[str],
    streams: Sequence[str] | None = None,
    text: str | None = None,
) -> Samples:
    """Open the samples of annotations with a folder of features.

    Args:
        dataset: The dataset; it states the clip length.
        annotations: The annotations.
        features: The folder, see `FeatureFolder`.
        streams: Names of the video streams in the folder; None: all that are recognised.
        text: Name of the queries' features in the folder; None: the first that is recognised.

    Raises:
        UsageError: There is no stream or text of this name.
        RdmfError: Files are missing.
    """
    folder = FeatureFolder(Path(features), streams=streams, text=text, where=dataset.where)
    return Samples(annotations, dataset, folder)


def _loaded(encoder: Encoder | str, device: str) -> Encoder:
    return load_encoder(encoder, device) if isinstance(encoder, str) else encoder


def clip_length_of(
    annotation: Annotation,
    clips: int,
    duration: float | None,
    clip_length: float,
    path: Path,
) -> float:
    """Return the length of a clip in seconds.

    In YouTube Highlights' published features, one row covers one label of any length.

    Args:
        annotation: An annotation of the video.
        clips: Number of rows of the video's features.
        duration: Length of the video in seconds; None: the features do not state the length.
        clip_length: Clip length of the dataset, in seconds.
        path: File of the features, for errors.

    Raises:
        RdmfError: Features and duration do not fit.
    """
    if annotation.duration is None:
        _check_windows(annotation, clips, duration, clip_length, path)
        return clip_length
    expected = annotation.duration / clip_length
    if fits(clips, expected):
        return clip_length
    if annotation.labels is not None and fits(clips, len(annotation.labels)):
        return annotation.duration / clips
    what = (
        f"has {counted(clips, 'row')}, but the video of {annotation.duration:g} s has "
        f"{expected:.1f} clips of {clip_length:g} s"
    )
    raise RdmfError(what, path, CHECK)


CHECK = "check the clip length, and that this is the right video"


def _check_windows(
    annotation: Annotation, clips: int, duration: float | None, clip_length: float, path: Path
) -> None:
    """Check that no moment ends after the features, for annotations without durations."""
    if annotation.windows is None or not len(annotation.windows):
        return
    ends = duration or clips * clip_length
    latest = float(annotation.windows.max())
    if latest > (1 + SHARE_OFF) * ends + MOST_CLIPS_OFF * clip_length + WINDOW_PAST_END:
        what = (
            f"has {counted(clips, 'clip')} of {clip_length:g} s and ends at {ends:g} s, but qid "
            f"{annotation.qid} has a moment that ends at {latest:g} s"
        )
        raise RdmfError(what, path, CHECK)


def _matching(streams: Mapping[str, slice], text: Text) -> slice | None:
    """Return the columns of the first stream with the sentence's width; None: no such stream."""
    if text.sentence is None:
        return None
    wide = len(text.sentence)
    return next((part for part in streams.values() if part.stop - part.start == wide), None)
