"""Annotations: the moments of a video that a query describes, and the saliency of its clips.

Each published format has one reader, for training and evaluation. A file may be gzipped. `.txt` is
the format of Charades-STA. `.json` is the format of ActivityNet Captions, YouTube Highlights and
others. Every other suffix means JSON Lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rdmf_cli.datasets import published_json
from rdmf_cli.datasets.lines import (
    MOST_JSON,
    NESTED,
    LineError,
    entry,
    identifier,
    numbers,
    read_text,
    records,
    table,
    text_lines,
    windows,
)
from rdmf_cli.datasets.qids import Qids
from rdmf_cli.errors import RdmfError
from rdmf_cli.text import counted, queries

Array = npt.NDArray[np.float64]

MAX_RATING = 4
MOST_SECONDS = 10_000_000.0  # four months; a longer video means a mistake of units
MOST_WINDOWS = 1000  # limit per query
LONGEST_NAME = 60  # characters; an error shows a longer value in part
SKIPPED_NAMED = 20  # notes name at most this many skipped entries
SKIP = "correct the entry, or skip such entries with --skip-bad"


@dataclass(frozen=True, eq=False)
class Annotation:
    """The annotation of one query on one video.

    Attributes:
        qid: Identifier (qid) of the query.
        query: Text of the query.
        vid: Name of the video.
        duration: Length of the video in seconds; None: the format does not state the length
            (Charades-STA's text).
        windows: [start, end] of each moment, (G, 2), in seconds. No rows: the video does not show
            the query (the query is absent). None: moments are not annotated.
        clip_ids: Clips that show all or part of the query, (R,); None: not annotated.
        ratings: Ratings of these clips by three annotators, 0 to 4, (R, 3).
        labels: Ratings of every clip of the video, (T, A): TVSum has 20 annotators, 1 to 5; in
            YouTube Highlights 1 is a highlight. None in other datasets.
        domain: Category of the video (TVSum, YouTube Highlights).
        line: Number of the line or of the entry in the file.
    """

    qid: int | str
    query: str
    vid: str
    duration: float | None
    windows: Array | None = None
    clip_ids: npt.NDArray[np.int_] | None = None
    ratings: Array | None = None
    labels: Array | None = None
    domain: str | None = None
    line: int = 0

    @property
    def absent(self) -> bool:
        """Whether the video does not show the query at all."""
        return self.windows is not None and len(self.windows) == 0

    @property
    def blind(self) -> bool:
        """Whether there is no ground truth, as in some published test splits."""
        return self.windows is None and self.ratings is None and self.labels is None


@dataclass
class Annotations:
    """The annotations of one file, in the order of the file.

    Attributes:
        path: The file.
        entries: The annotations.
        notes: Notes for the user, one sentence each.
        skip_bad: Whether to skip entries with errors. If not, one error rejects the file.
        skipped: The qids of skipped entries, as texts; a skipped entry without a qid is not listed.
        faults: The error of each skipped entry.
        overrun: The largest allowed time in seconds from the end of a video to a later end of a
            window; one clip is always allowed.
    """

    path: Path
    entries: list[Annotation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skip_bad: bool = False
    skipped: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    overrun: float = 0.0

    @contextmanager
    def entry(self, qid: object = None) -> Iterator[None]:
        """Read one entry in the block; if `skip_bad` is set, an error in the block skips the entry.

        Args:
            qid: The entry's qid; None: unknown.

        Raises:
            RdmfError: The entry has an error, and `skip_bad` is not set; the message names
                --skip-bad.
        """
        try:
            yield
        except RdmfError as error:
            if not self.skip_bad:
                raise _with_way_out(error) from error
            self.faults.append(error.what)
            if qid is not None:
                self.skipped.append(str(qid))

    def notes_on_skipped(self) -> list[str]:
        """Return notes: the number of skipped entries, and the first SKIPPED_NAMED of them."""
        if not self.faults:
            return []
        total, name = len(self.faults) + len(self.entries), self.path.name
        of = counted(total, "entry", "entries")
        notes = [f"{name}: {len(self.faults)} of {of} skipped (--skip-bad)"]
        notes += [f"{name}: skipped: {fault}" for fault in self.faults[:SKIPPED_NAMED]]
        if (more := len(self.faults) - SKIPPED_NAMED) > 0:
            notes.append(f"{name}: skipped: {more} more")
        return notes

    def leave_out(self, where: str, what: str) -> None:
        """Add a note on an annotation that every published evaluation leaves out."""
        self.notes.append(f"{self.path.name}: {where}: {what}; left out")

    def select(self, chosen: Qids) -> Annotations:
        """Return only the annotations of some queries, with a note.

        Predictions for other queries are ignored, like predictions for skipped entries.

        Args:
            chosen: The qids of the queries.

        Raises:
            RdmfError: A qid has no annotation.
        """
        source, qids = chosen.path, chosen.lines
        known = {str(annotation.qid) for annotation in self}
        todo = "list qids of this split"
        if unknown := [qid for qid in qids if qid not in known and qid not in self.skipped]:
            what = f"lists qid {unknown[0]!r}, which is not in {self.path.name}"
            raise LineError(source, qids[unknown[0]], what, todo)
        kept = [annotation for annotation in self if str(annotation.qid) in qids]
        if not kept:
            raise RdmfError("lists no qid of these annotations", source, todo)
        are = "is" if len(kept) == 1 else "are"
        notes = [f"{len(kept)} of {queries(len(self))} {are} kept (--only-qids {source.name})"]
        if chosen.repeated:
            count, first = counted(len(chosen.repeated), "qid"), chosen.repeated[0]
            notes.append(f"{source.name} lists {count} more than once (the first: {first})")
        others = sorted(known.difference(qids))
        return replace(
            self, entries=kept, notes=[*self.notes, *notes], skipped=[*self.skipped, *others]
        )

    @property
    def without_moments(self) -> bool:
        """Whether every query is annotated as absent from its video, so that there is no moment."""
        return bool(self.entries) and all(annotation.absent for annotation in self.entries)

    def __iter__(self) -> Iterator[Annotation]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def _with_way_out(error: RdmfError) -> RdmfError:
    """Return the same error, and add --skip-bad to the advice for the user."""
    if "--skip-bad" in error.todo:
        return error
    todo = f"{error.todo}, or skip such entries with --skip-bad" if error.todo else SKIP
    if isinstance(error, LineError):
        what = error.what.removeprefix(f"line {error.line}: ")
        return LineError(Path(error.subject or ""), error.line, what, todo)
    return RdmfError(error.what, error.subject, todo)


def read_annotations(
    path: Path | str, clip_length: float = 2.0, skip_bad: bool = False, overrun: float = 0.0
) -> Annotations:
    """Read the annotations of a file.

    Args:
        path: The file; its suffix selects the format.
        clip_length: Length of a clip in seconds. The function uses it to convert clip ids and clip
            counts to seconds. A window may end after its video by one clip.
        skip_bad: Skip entries with errors, with a note; False: raise the first error.
        overrun: The largest allowed time in seconds from the end of a video to a later end of a
            window, if this is more than one clip.

    Raises:
        RdmfError: An entry has an error (the message names the file, the line and the error), or
            the file contains no annotation.
    """
    path = Path(path)
    name = path.name.removesuffix(".gz")
    annotations = Annotations(path, skip_bad=skip_bad, overrun=overrun)
    FORMATS.get(Path(name).suffix.lower(), read_jsonl)(annotations, clip_length)
    annotations.notes += annotations.notes_on_skipped()
    if not annotations.entries:
        if annotations.faults:
            several = len(annotations.faults) > 1
            many = f"all of its {len(annotations.faults)} entries have errors"
            what = f"{many if several else 'its only entry has an error'}: {annotations.faults[0]}"
            raise RdmfError(what, path, "correct the entries" if several else "correct it")
        raise RdmfError("holds no annotations", path, "name a file of annotations")
    _no_duplicates(annotations)
    return annotations


def _no_duplicates(annotations: Annotations) -> None:
    seen: dict[str, int] = {}
    for annotation in annotations:
        first = seen.setdefault(str(annotation.qid), annotation.line)
        if first != annotation.line:
            what = f"duplicate qid {annotation.qid!r} (first on line {first})"
            raise LineError(annotations.path, annotation.line, what)


# -------------------------------------------------------------------------- JSON Lines


def read_jsonl(annotations: Annotations, clip_length: float) -> None:
    """Read QVHighlights' format; moment_detr and its descendants use it for every benchmark.

    Each line is a JSON object with `qid, query, vid, duration`, and any of: `relevant_windows`;
    `relevant_clip_ids` with `saliency_scores`; `label` (one row per clip) with `domain`.

    Args:
        annotations: The entries are added here.
        clip_length: Length of a clip in seconds.
    """
    for line, record in records(annotations.path):
        with annotations.entry(record.get("qid")):
            annotations.entries.append(_annotation(record, clip_length, annotations, line))


def _annotation(
    record: dict[str, Any], clip_length: float, annotations: Annotations, line: int
) -> Annotation:
    path, beyond = annotations.path, max(clip_length, annotations.overrun)
    labels = _labels(record, path, line)
    duration = _duration(record, labels, clip_length, path, line)
    clip_ids, ratings = _ratings(record, duration, clip_length, path, line)
    return Annotation(
        qid=identifier(record, path, line),
        query=_text(record, "query", path, line),
        vid=_text(record, "vid", path, line),
        duration=duration,
        windows=_windows(record, duration + beyond, path, line),
        clip_ids=clip_ids,
        ratings=ratings,
        labels=labels,
        domain=_text(record, "domain", path, line) if "domain" in record else None,
        line=line,
    )


def _text(record: dict[str, Any], key: str, path: Path, line: int) -> str:
    text = record.get(key)
    if not isinstance(text, str) or not text.strip():
        raise LineError(path, line, f"no {key}" if text is None else f"{key} must be a text")
    return text


def _duration(
    record: dict[str, Any], labels: Array | None, clip_length: float, path: Path, line: int
) -> float:
    """Return the duration in seconds. TVSum's files count clips: 66 for a video of 132 s."""
    value = record.get("duration")
    if value is None:
        raise LineError(path, line, "no duration", "give the video's length in seconds")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LineError(path, line, "duration must be a number of seconds")
    if not 0 < value <= MOST_SECONDS:
        what = f"duration must be above 0 and at most {MOST_SECONDS:.0f} s, not {_short(value)}"
        raise LineError(path, line, what)
    in_clips = labels is not None and labels.shape[1] > 1 and value == len(labels)
    return float(value) * clip_length if in_clips else float(value)


def _windows(record: dict[str, Any], limit: float, path: Path, line: int) -> Array | None:
    """Return the windows: None if not annotated (null, no key), no rows if the query is absent."""
    name = "relevant_windows"
    if record.get(name) is None:
        return None
    found = windows(record[name], "[start, end]", name, path, line)
    if len(found) > MOST_WINDOWS:
        what = f"{len(found)} relevant_windows, the limit is {MOST_WINDOWS}"
        raise LineError(path, line, what)
    outside = np.flatnonzero((found[:, 0] < 0) | (found[:, 1] > limit))
    if outside.size:
        where = entry(name, found, outside[0])
        what = f"{where} is outside of the video, which lasts {record['duration']:g} s"
        raise LineError(path, line, what)
    return found


def _ratings(
    record: dict[str, Any], duration: float, clip_length: float, path: Path, line: int
) -> tuple[npt.NDArray[np.int_] | None, Array | None]:
    if record.get("relevant_clip_ids") is None or record.get("saliency_scores") is None:
        return None, None
    raw = numbers(record["relevant_clip_ids"], "relevant_clip_ids", path, line)
    with np.errstate(invalid="ignore"):  # numbers that are too large are rejected below
        ids = raw.astype(np.int_)
    last = int(np.ceil(duration / clip_length))  # published files have ids one after the last
    wrong = np.flatnonzero((ids != raw) | (ids < 0) | (ids > last)) if raw.ndim == 1 else [0]
    if len(wrong):
        what = f"relevant_clip_ids[{wrong[0]}] is not a clip of a video of {duration:g} s"
        raise LineError(path, line, what)
    if len(set(ids.tolist())) < len(ids):
        raise LineError(path, line, "relevant_clip_ids lists a clip twice")
    ratings = table(record["saliency_scores"], "[a, b, c]", "saliency_scores", path, line)
    if len(ratings) != len(ids):
        what = f"{len(ratings)} saliency_scores for {len(ids)} relevant_clip_ids"
        raise LineError(path, line, what, "write one row per clip")
    beyond = np.flatnonzero(((ratings < 0) | (ratings > MAX_RATING)).any(axis=1))
    if beyond.size:
        where = entry("saliency_scores", ratings, beyond[0])
        raise LineError(path, line, f"{where}, ratings go from 0 to {MAX_RATING}")
    return ids, ratings


def _labels(record: dict[str, Any], path: Path, line: int) -> Array | None:
    if record.get("label") is None:
        return None
    labels = numbers(record["label"], "label", path, line)
    if labels.ndim != 2 or not labels.size:
        raise LineError(path, line, "label must be a list of rows, one per clip")
    return labels


# ------------------------------------------------------------------- the other formats

CHARADES_FIRST_QIDS = {"charades_sta_test": 12404}  # in the JSON Lines form, 0 for train
CHARADES_LINE = re.compile(r"\s*(\S+)\s+(\S+)\s+(\S+?)\s*##(.*)")


def read_charades_text(annotations: Annotations, clip_length: float) -> None:
    """Read Charades-STA's text format: `VID start end##sentence.`, in seconds, without durations.

    Four moments of the train file end before they start; this function leaves them out, as every
    published evaluation does. The qid of an annotation is the number of annotations before it, as
    in the train file in JSON Lines format. The qids of charades_sta_test continue the qids of
    train, as in the names of the text features.

    Args:
        annotations: The entries are added here.
        clip_length: Not used.
    """
    path = annotations.path
    first = CHARADES_FIRST_QIDS.get(path.name.removesuffix(".gz").removesuffix(".txt"), 0)
    for line, text in text_lines(path):
        with annotations.entry():
            vid, start, end, query = _charades_fields(text, path, line)
            if end < start:
                what = f"{vid} ends ({end:g} s) before it starts ({start:g} s)"
                annotations.leave_out(f"line {line}", what)
                continue
            span, qid = np.array([[start, end]]), first + len(annotations)
            annotations.entries.append(Annotation(qid, query, vid, None, windows=span, line=line))


def _charades_fields(text: str, path: Path, line: int) -> tuple[str, float, float, str]:
    parts = CHARADES_LINE.fullmatch(text)
    if parts is None or not parts[4].strip():
        raise LineError(path, line, "not of the form: VID start end##sentence")
    try:
        start, end = float(parts[2]), float(parts[3])
    except ValueError:
        what = f"start and end must be numbers of seconds, not {parts[2]!r} and {parts[3]!r}"
        raise LineError(path, line, what) from None
    if not (0 <= start <= MOST_SECONDS and 0 <= end <= MOST_SECONDS):
        what = f"start and end must be from 0 to {MOST_SECONDS:.0f} s, not {start:g} and {end:g}"
        raise LineError(path, line, what)
    return parts[1], start, end, parts[4].strip()


def read_json(annotations: Annotations, clip_length: float) -> None:
    """Read the JSON of a benchmark; the keys of the entries show which benchmark.

    ActivityNet Captions, TACoS (2D-TAN, VSLNet), YouTube Highlights and HiREST are objects with one
    entry per video. DiDeMo is a list of descriptions. Ego4D-NLQ has the key `videos`.

    Args:
        annotations: The entries are added here.
        clip_length: Not used.
    """
    path = annotations.path
    for place, (vid, video) in enumerate(_entries(path), start=1):
        with annotations.entry(vid):
            kind = next((k for k in VIDEO_ENTRIES if isinstance(video, dict) and k in video), "")
            if not kind:
                known = " nor ".join(VIDEO_ENTRIES)
                raise RdmfError(f"entry {place} ({_short(vid)}) holds neither {known}", path)
            VIDEO_ENTRIES[kind](annotations, VideoEntry(path, place, vid, video))


def _entries(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield (video, entry) from any of the forms."""
    try:
        found = json.loads(read_text(path, MOST_JSON))
    except json.JSONDecodeError as error:
        raise LineError(path, error.lineno, f"not JSON ({error.msg})") from None
    except (ValueError, RecursionError):
        raise RdmfError(f"not JSON ({NESTED})", path, "copy it again") from None
    if isinstance(found, list) and any("times" in row for row in found if isinstance(row, dict)):
        return published_json.didemo_entries(found)
    if not isinstance(found, dict):
        todo = "name the benchmark's own file, or JSON Lines (.jsonl)"
        raise RdmfError("must be a JSON object with one entry per video", path, todo)
    if isinstance(found.get("videos"), list):
        return published_json.ego4d_entries(found["videos"])
    if any(_is_prompt(entry) for entry in islice(found.values(), 1)):
        return published_json.hirest_entries(found)
    return iter(found.items())


def _is_prompt(entry: Any) -> bool:
    """Return whether an entry is from HiREST: an object of videos, each with `v_duration`."""
    videos = entry.values() if isinstance(entry, dict) else ()
    return any(isinstance(video, dict) and "v_duration" in video for video in videos)


class VideoEntry(NamedTuple):
    """The entry of one video in a JSON object.

    Attributes:
        path: The file.
        place: Number of the entry in the file, from 1.
        vid: Name of the video.
        video: The entry.
    """

    path: Path
    place: int
    vid: str
    video: dict[str, Any]

    def fault(self, what: str) -> RdmfError:
        """Return the error that names this entry."""
        return RdmfError(f"entry {self.place} ({_short(self.vid)}): {what}", self.path)

    def number(self, key: str) -> float:
        """Return the number above 0 under a key; in some files the number is a text."""
        if key not in self.video:
            raise self.fault(f"no {key}")
        try:
            value = float(self.video[key])
        except (TypeError, ValueError, OverflowError):
            value = 0.0
        if not 0 < value <= MOST_SECONDS:
            limits = f"above 0 and at most {MOST_SECONDS:.0f}"
            raise self.fault(f"{key} must be a number {limits}, not {_short(self.video[key])}")
        return value

    def times(self, what: str, pair: Any) -> tuple[float, float]:
        """Return two finite numbers of seconds; `what` names them in the error."""
        return _start_and_end(self, what, pair)

    def rows(self, key: str) -> list[Any]:
        """Return the list under a key."""
        if not isinstance(rows := self.video.get(key), list):
            raise self.fault(f"no {key}" if rows is None else f"{key} must be a list")
        return rows


def _activitynet(annotations: Annotations, of: VideoEntry) -> None:
    """Read `duration, timestamps [[start, end], …], sentences […]`; the qids are VID_0, VID_1, ….

    As in 2D-TAN's reader, an end after the duration (by 0.01 s) is moved to the duration, and empty
    or inverted windows (four in train) are left out. TACoS counts frames: `num_frames, fps`.
    """
    rate = published_json.frames_per_second(of)
    duration = of.number("num_frames") / rate if rate else of.number("duration")
    vid = of.vid.removesuffix(".avi") if rate else of.vid
    spans, sentences = of.rows("timestamps"), of.rows("sentences")
    if len(spans) != len(sentences):
        raise of.fault(f"{len(spans)} timestamps for {len(sentences)} sentences")
    for number, (span, query) in enumerate(zip(spans, sentences, strict=True)):
        qid = f"{vid}_{number}"
        with annotations.entry(qid):
            where = f"sentence {number + 1}"
            first, last = (time / (rate or 1.0) for time in _start_and_end(of, where, span))
            start, end = max(first, 0.0), min(last, duration)
            if not isinstance(query, str) or not query.strip():
                raise of.fault(f"{where} must be a text")
            if not start < end:
                what = f"the window from {first:g} to {last:g} s is empty"
                annotations.leave_out(f"entry {of.place} ({of.vid}), {where}", what)
                continue
            windows = np.array([[start, end]])
            made = Annotation(qid, query.strip(), vid, duration, windows, line=of.place)
            annotations.entries.append(made)


def _start_and_end(of: VideoEntry, where: str, span: object) -> tuple[float, float]:
    try:
        start, end = (float(time) for time in span)  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError):
        start = end = np.nan
    if not (abs(start) <= MOST_SECONDS and abs(end) <= MOST_SECONDS):
        raise of.fault(f"the timestamps of {where} must be two numbers of seconds")
    return start, end


def _youtube(annotations: Annotations, of: VideoEntry) -> None:
    """Read `domain, fps, frames, clip [[first, last], …], match […]`; match > 0: a highlight."""
    try:
        matches = np.asarray([float(match) for match in of.rows("match")])
    except (TypeError, ValueError, OverflowError):
        raise of.fault("match must be a list of numbers") from None
    domain, duration = of.video.get("domain"), of.number("frames") / of.number("fps")
    if not matches.size:
        raise of.fault("match is empty")
    if not isinstance(domain, str) or not domain.strip():
        raise of.fault("no domain" if domain is None else "domain must be a text")
    annotations.entries.append(
        Annotation(
            of.vid,
            query=domain,
            vid=of.vid,
            duration=duration,
            labels=(matches > 0).astype(np.float64)[:, None],
            domain=domain,
            line=of.place,
        )
    )


def _short(value: object) -> str:
    """Return a value for an error message, cut to LONGEST_NAME characters."""
    text = str(value) if isinstance(value, str) else repr(value)
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"


VIDEO_ENTRIES: dict[str, Callable[[Annotations, VideoEntry], None]] = {
    "timestamps": _activitynet,
    "match": _youtube,
    "times": published_json.read_didemo,
    "prompt": published_json.read_hirest,
    "clip_start_sec": published_json.read_ego4d,
    "query": published_json.read_ego4d,
}

FORMATS: dict[str, Callable[[Annotations, float], None]] = {
    ".json": read_json,
    ".txt": read_charades_text,
}
