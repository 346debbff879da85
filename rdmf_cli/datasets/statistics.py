"""Statistics of a dataset, and faults in its annotations, splits and features."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from rdmf_cli.datasets.annotations import SKIPPED_NAMED, Annotation, Annotations
from rdmf_cli.datasets.feature_folder import FeatureFolder
from rdmf_cli.datasets.registry import Dataset
from rdmf_cli.datasets.samples import clip_length_of
from rdmf_cli.datasets.split import video_of
from rdmf_cli.errors import RdmfError
from rdmf_cli.text import counted, queries

SHORT, LONG = 10.0, 30.0  # seconds: QVHighlights' ranges of moments
EXAMPLES: Final = 3  # examples that a finding names
SMALL: Final = frozenset(["a", "an", "the", "is", "are", "in", "on", "of", "to", "and", "at"])
WORD: Final = re.compile(r"\w+")
ZERO_NORM: Final = 1e-6


@dataclass(frozen=True)
class Range:
    """Lowest, median and highest value."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Range | None:
        """Summarise values; None: there are no values."""
        if not len(values):
            return None
        return cls(float(min(values)), float(np.median(values)), float(max(values)))


@dataclass(frozen=True)
class SplitStatistics:
    """The numbers of one split.

    Attributes:
        queries, videos, moments: their numbers; each part of a YouTube video counts as one video.
        absent: queries that are nowhere in their video.
        blind: queries without ground truth, as in some test splits.
        duration: duration of videos, in seconds; None: not stated.
        length: length of moments, in seconds.
        by_length: moments of at most 10 s, of at most 30 s, and longer.
        by_position: moments with their centre in the first, second and last third of the video.
        moments_per_query: moments per query that is in its video.
        words: words per query.
    """

    queries: int
    videos: int
    moments: int
    absent: int
    blind: int
    duration: Range | None
    length: Range | None
    by_length: tuple[int, int, int]
    by_position: tuple[int, int, int]
    moments_per_query: Range | None
    words: Range | None


@dataclass(frozen=True)
class StreamStatistics:
    """The features of one stream over all videos that were read.

    Attributes:
        videos: number of videos that were read.
        width: number of columns; None: the files differ, or no file was read.
        kind: type of the numbers.
        clips: clips per video.
        norm: norm of rows.
    """

    videos: int
    width: int | None
    kind: str
    clips: Range | None
    norm: Range | None


@dataclass(frozen=True)
class Finding:
    """A fault in a data set.

    Attributes:
        what: The fault in words, with the number of cases.
        examples: Some of the names that have the fault.
        serious: Whether training or evaluation would fail, or be wrong.
    """

    what: str
    examples: tuple[str, ...]
    serious: bool


def split_statistics(annotations: Sequence[Annotation]) -> SplitStatistics:
    """Compute the numbers of one split."""
    durations = {a.vid: a.duration for a in annotations if a.duration is not None}
    pairs = [(a, w) for a in annotations if a.windows is not None for w in a.windows]
    lengths = [float(w[1] - w[0]) for _, w in pairs]
    centres = [float(w.sum() / 2 / a.duration) for a, w in pairs if a.duration]
    thirds = np.clip((3 * np.asarray(centres)).astype(int), 0, 2)
    kinds = [0 if x <= SHORT else 1 if x <= LONG else 2 for x in lengths]
    counts = [len(a.windows) for a in annotations if a.windows is not None and len(a.windows)]
    return SplitStatistics(
        queries=len(annotations),
        videos=len({a.vid for a in annotations}),
        moments=len(pairs),
        absent=sum(a.absent for a in annotations),
        blind=sum(a.blind for a in annotations),
        duration=Range.of([*durations.values()]),
        length=Range.of(lengths),
        by_length=_three(kinds),
        by_position=_three(thirds.tolist()),
        moments_per_query=Range.of(counts),
        words=Range.of([len(WORD.findall(a.query)) for a in annotations]),
    )


def _three(kinds: Sequence[int]) -> tuple[int, int, int]:
    return kinds.count(0), kinds.count(1), kinds.count(2)


def across_splits(splits: Mapping[str, Annotations]) -> Iterator[Finding]:
    """Find videos, qids and almost equal queries that are in two splits."""
    names = list(splits)
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            yield from _between(one, splits[one], other, splits[other])


def _between(one: str, first: Annotations, other: str, second: Annotations) -> Iterator[Finding]:
    videos = sorted({video_of(a.vid) for a in first} & {video_of(a.vid) for a in second})
    if videos:
        both = "is" if len(videos) == 1 else "are"
        what = f"{counted(len(videos), 'video')} {both} both in {one} and in {other}"
        yield _finding(what, videos, True)
    known: dict[tuple[str, ...], Annotation] = {}
    for a in first:
        known.setdefault(_content(a.query), a)
    alike = [(known[key], b) for b in second if (key := _content(b.query)) and key in known]
    if alike:
        same = "is" if len(alike) == 1 else "are"
        what = f"{queries(len(alike))} of {other} {same} nearly the same as one of {one}"
        yield _finding(what, [f"{a.query!r} ~ {b.query!r}" for a, b in alike], False)


def _content(query: str) -> tuple[str, ...]:
    """Return the words of a query in a fixed order, without articles and similar small words.

    >>> _content("The dog is in a car."), _content("A car, in the dog")
    (('car', 'dog'), ('car', 'dog'))
    """
    return tuple(sorted(set(WORD.findall(query.lower())) - SMALL))


def _finding(what: str, names: Sequence[object], serious: bool, named: int = EXAMPLES) -> Finding:
    return Finding(what, tuple(str(name) for name in names[:named]), serious)


def _have(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun and its verb.

    >>> _have(1, "query", "queries"), _have(2, "video")
    ('1 query has', '2 videos have')
    """
    return f"{counted(number, one, many)} {'has' if number == 1 else 'have'}"


def within_split(name: str, annotations: Annotations) -> Iterator[Finding]:
    """Find entries that were skipped, repeated queries on one video, and moments without length."""
    if annotations.faults:
        what = f"{name}: {_have(len(annotations.faults), 'entry', 'entries')} errors"
        yield _finding(what, annotations.faults, True, SKIPPED_NAMED)
    if annotations.without_moments:
        what = f"{name}: {queries(len(annotations))}, and no moment: a head cannot learn from them"
        yield Finding(what, (), True)
    seen: set[tuple[str, str]] = set()
    repeated = []
    for a in annotations:
        key = a.vid, a.query.casefold()
        if key in seen:
            repeated.append(a.qid)
        seen.add(key)
    if repeated:
        repeat = "repeats" if len(repeated) == 1 else "repeat"
        what = f"{name}: {queries(len(repeated))} {repeat} another one on the same video"
        yield _finding(what, repeated, False)
    flat = [
        a.qid for a in annotations if a.windows is not None and (np.ptp(a.windows, 1) == 0).any()
    ]
    if flat:
        what = f"{name}: {_have(len(flat), 'query', 'queries')} a moment of length 0"
        yield _finding(what, flat, False)


def check_features(
    folder: FeatureFolder, annotations: Annotations, dataset: Dataset
) -> tuple[dict[str, StreamStatistics], list[Finding]]:
    """Read the features of all annotated videos and queries once.

    Args:
        folder: The features.
        annotations: All annotations.
        dataset: States the clip length.

    Returns:
        Statistics per stream, and the faults.
    """
    by_vid: dict[str, Annotation] = {}
    for a in annotations:
        by_vid.setdefault(a.vid, a)
    findings: list[Finding] = []
    statistics = {
        stream: _stream(folder, stream, by_vid, dataset, findings) for stream in folder.streams
    }
    sentence = _texts(folder, annotations, findings)
    findings += _shared_space({name: one.width for name, one in statistics.items()}, sentence)
    return statistics, findings


def _shared_space(streams: Mapping[str, int | None], sentence: int | None) -> Iterator[Finding]:
    """Find features that only a full head can read: clips and sentences share no space.

    Args:
        streams: Number of columns of each stream; None: unknown.
        sentence: Number of columns of the sentences, 0: there are none; None: unknown.
    """
    if sentence is None or None in streams.values() or sentence in streams.values():
        return
    wide = ", ".join(f"{name} {width}" for name, width in streams.items())
    own = f"sentences {sentence}" if sentence else "queries without a sentence"
    what = (
        f"clips and sentences share no space (columns: {wide}; {own}): a universal head, the "
        "default, cannot read them; train with --head full"
    )
    yield Finding(what, (), False)


def _stream(
    folder: FeatureFolder,
    stream: str,
    by_vid: Mapping[str, Annotation],
    dataset: Dataset,
    findings: list[Finding],
) -> StreamStatistics:
    clips, norms, kinds = [], [], set()
    widths: dict[int, Path] = {}
    missing, unread, zeros, misfit = [], [], [], []
    for vid, annotation in by_vid.items():
        if not folder.has_video(stream, vid):
            missing.append(_lost(folder, folder.expected(stream, vid), vid))
            continue
        try:
            rows, path = folder.stored(stream, vid)
        except RdmfError as error:
            unread.append(str(error))
            continue
        norm = np.linalg.norm(rows.astype(np.float32), axis=1)
        clips.append(len(rows))
        widths.setdefault(rows.shape[1], path)
        kinds.add(str(rows.dtype))
        norms += [float(norm.min()), float(np.median(norm)), float(norm.max())]
        if (norm < ZERO_NORM).any():
            zeros.append(vid)
        try:
            clip_length_of(annotation, len(rows), None, dataset.clip_length, path)
        except RdmfError as error:
            misfit.append(str(error))
    for names, what, serious in (
        (missing, f"{len(missing)} of {counted(len(by_vid), 'video')} have no features", True),
        (unread, f"{counted(len(unread), 'video')} cannot be read", True),
        (misfit, f"{counted(len(misfit), 'video')} {_do(misfit)} not fit the clip length", True),
        (zeros, f"{_have(len(zeros), 'video')} rows of zeros", False),
        (
            [f"{path.name} has {width}" for width, path in sorted(widths.items())]
            if len(widths) > 1
            else [],
            "the numbers of columns differ",
            True,
        ),
    ):
        if names:
            findings.append(_finding(f"{stream}: {what}", names, serious))
    width = next(iter(widths)) if len(widths) == 1 else None
    kind = ", ".join(sorted(kinds))
    return StreamStatistics(len(clips), width, kind, Range.of(clips), Range.of(norms))


def _lost(folder: FeatureFolder, file: Path, name: object) -> str:
    """Return the file that is missing, or the file of all in which the name is missing."""
    inner = file.relative_to(folder.folder).as_posix()
    return f"{inner}: {name}" if file.exists() else inner


def _do(names: Sequence[object]) -> str:
    return "does" if len(names) == 1 else "do"


def _texts(folder: FeatureFolder, annotations: Annotations, findings: list[Finding]) -> int | None:
    """Check the features of the queries; return the columns of the sentences, 0: there are none."""
    missing, unread, sentence = [], [], None
    for a in annotations:
        if not folder.has_text(a.qid):
            missing.append(_lost(folder, folder.expected_text(a.qid), a.qid))
            continue
        try:
            text = folder.text(a)
            sentence = 0 if text.sentence is None else len(text.sentence)
        except RdmfError as error:
            unread.append(str(error))
    if missing:
        what = f"{len(missing)} of {queries(len(annotations))} have no features"
        findings.append(_finding(what, missing, True))
    if unread:
        what = f"features of {queries(len(unread))} do not fit"
        findings.append(_finding(what, unread, True))
    return sentence
