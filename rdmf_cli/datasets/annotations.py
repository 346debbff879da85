"""Annotations: which moments of a video a sentence describes, and how salient its clips are.

One reader for each format the benchmarks are published in. Training and evaluation read through
these alone. Plain or gzipped; .txt and .json have their formats, all else is taken as JSON Lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

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
from rdmf_cli.errors import RdmfError

Array = npt.NDArray[np.float64]

HIGHEST_MARK = 4
MOST_SECONDS = 10_000_000.0  # of a video, some four months; more is a mistake of units
MOST_WINDOWS = 1000  # of one query
LONGEST_NAME = 60  # characters of a value that an error shows
SKIPPED_NAMED = 20  # skipped entries that notes name one by one
SKIP = "correct the entry, or leave out such entries with --skip-bad"


@dataclass(frozen=True, eq=False)
class Annotation:
    """What people said of one query on one video.

    windows:  (G, 2) [start, end] seconds; no rows: the query is shown nowhere (absent);
              None: nobody looked for moments
    clip_ids: (R,) clips that hold something of the query, None: not annotated
    marks:    (R, 3) three annotators' marks, 0 to 4, of those clips
    labels:   (T, A) marks of every clip of the video (TVSum: 20 annotators, 1 to 5; YouTube
              Highlights: 1 for a highlight), None elsewhere
    duration: seconds; None where the format does not tell (Charades-STA's text)
    """

    qid: int | str
    query: str
    vid: str
    duration: float | None
    windows: Array | None = None
    clip_ids: npt.NDArray[np.int_] | None = None
    marks: Array | None = None
    labels: Array | None = None
    domain: str | None = None
    line: int = 0

    @property
    def absent(self) -> bool:
        return self.windows is not None and len(self.windows) == 0

    @property
    def blind(self) -> bool:
        """Whether there is nothing that a prediction can be compared with."""
        return self.windows is None and self.marks is None and self.labels is None


@dataclass
class Annotations:
    """The annotations of one file, in its order, and what had to be said while reading it.

    skip_bad: leave out entries that cannot be taken as they are, instead of refusing the file
    skipped:  the qids of those left out, as texts; an entry without a qid is not among them
    """

    path: Path
    entries: list[Annotation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skip_bad: bool = False
    skipped: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @contextmanager
    def entry(self, qid: object = None) -> Iterator[None]:
        """Read one entry: a fault of it is an error that names --skip-bad, or skips the entry."""
        try:
            yield
        except RdmfError as error:
            if not self.skip_bad:
                raise _with_way_out(error) from error
            self.faults.append(error.what)
            if qid is not None:
                self.skipped.append(str(qid))

    def tell_skipped(self) -> None:
        """Note how many entries were skipped, and name the first of them."""
        if not self.faults:
            return
        total, name = len(self.faults) + len(self.entries), self.path.name
        self.notes.append(f"{name}: {len(self.faults)} of {total} entries left out (--skip-bad)")
        self.notes += [f"{name}: left out: {fault}" for fault in self.faults[:SKIPPED_NAMED]]
        if (more := len(self.faults) - SKIPPED_NAMED) > 0:
            self.notes.append(f"{name}: left out: {more} more")

    def leave_out(self, where: str, what: str) -> None:
        """Say which annotation is left out, as every published evaluation leaves it out."""
        self.notes.append(f"{self.path.name}: {where}: {what}; left out")

    def __iter__(self) -> Iterator[Annotation]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def _with_way_out(error: RdmfError) -> RdmfError:
    """The same error, whose last words are the option that goes on without the entry."""
    if "--skip-bad" in error.todo:
        return error
    todo = f"{error.todo}, or leave out such entries with --skip-bad" if error.todo else SKIP
    if isinstance(error, LineError):
        what = error.what.removeprefix(f"line {error.line}: ")
        return LineError(Path(error.subject or ""), error.line, what, todo)
    return RdmfError(error.what, error.subject, todo)


def read_annotations(
    path: Path | str, clip_length: float = 2.0, skip_bad: bool = False
) -> Annotations:
    """Read every annotation of a file.

    Args:
        clip_length: Seconds per clip: how far a window may reach past the end of its video, and
            by what clip ids and clip counts become seconds.
        skip_bad: Leave out entries that cannot be taken as they are, and note which; False: the
            first of them is an error.

    Raises:
        RdmfError: It names the file, the line and what is wrong there.
    """
    path = Path(path)
    name = path.name.removesuffix(".gz")
    annotations = Annotations(path, skip_bad=skip_bad)
    FORMATS.get(Path(name).suffix.lower(), read_jsonl)(annotations, clip_length)
    annotations.tell_skipped()
    if not annotations.entries:
        if annotations.faults:
            what = f"none of its {len(annotations.faults)} entries can be taken: "
            raise RdmfError(what + annotations.faults[0], path, "correct the entries")
        raise RdmfError("holds no annotation", path, "give a file that holds some")
    _no_duplicates(annotations)
    return annotations


def _no_duplicates(annotations: Annotations) -> None:
    seen: dict[str, int] = {}
    for annotation in annotations:
        first = seen.setdefault(str(annotation.qid), annotation.line)
        if first != annotation.line:
            what = f"qid {annotation.qid!r} again, it was on line {first}"
            raise LineError(annotations.path, annotation.line, what)


# -------------------------------------------------------------------------- JSON Lines


def read_jsonl(annotations: Annotations, clip_length: float) -> None:
    """Read QVHighlights' form, which moment_detr and its descendants use for every benchmark.

    `qid, query, vid, duration`, and any of `relevant_windows`, `relevant_clip_ids` with
    `saliency_scores`, `label` (one row per clip) with `domain`.
    """
    for line, record in records(annotations.path):
        with annotations.entry(record.get("qid")):
            annotations.entries.append(_annotation(record, clip_length, annotations.path, line))


def _annotation(record: dict[str, Any], clip_length: float, path: Path, line: int) -> Annotation:
    labels = _labels(record, path, line)
    duration = _duration(record, labels, clip_length, path, line)
    clip_ids, marks = _marks(record, duration, clip_length, path, line)
    return Annotation(
        qid=identifier(record, path, line),
        query=_text(record, "query", path, line),
        vid=_text(record, "vid", path, line),
        duration=duration,
        windows=_windows(record, duration + clip_length, path, line),
        clip_ids=clip_ids,
        marks=marks,
        labels=labels,
        domain=_text(record, "domain", path, line) if "domain" in record else None,
        line=line,
    )


def _text(record: dict[str, Any], key: str, path: Path, line: int) -> str:
    text = record.get(key)
    if not isinstance(text, str) or not text.strip():
        raise LineError(path, line, f"no {key}" if text is None else f"{key} is not a text")
    return text


def _duration(
    record: dict[str, Any], labels: Array | None, clip_length: float, path: Path, line: int
) -> float:
    """Seconds. TVSum's files count clips there (66 for a video of 132 s): one for each label."""
    value = record.get("duration")
    if value is None:
        raise LineError(path, line, "no duration", "give the video's length in seconds")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LineError(path, line, "duration is not a number of seconds")
    if not 0 < value <= MOST_SECONDS:
        what = f"duration {_short(value)} is not a number of seconds above 0 and up to "
        raise LineError(path, line, f"{what}{MOST_SECONDS:.0f}")
    in_clips = labels is not None and labels.shape[1] > 1 and value == len(labels)
    return float(value) * clip_length if in_clips else float(value)


def _windows(record: dict[str, Any], limit: float, path: Path, line: int) -> Array | None:
    """None and a missing key mean: nobody looked; an empty list means: shown nowhere."""
    name = "relevant_windows"
    if record.get(name) is None:
        return None
    found = windows(record[name], "[start, end]", name, path, line)
    if len(found) > MOST_WINDOWS:
        raise LineError(path, line, f"{len(found)} relevant_windows, more than {MOST_WINDOWS}")
    outside = np.flatnonzero((found[:, 0] < 0) | (found[:, 1] > limit))
    if outside.size:
        where = entry(name, found, outside[0])
        what = f"{where} lies outside a video of {record['duration']:g} s"
        raise LineError(path, line, what)
    return found


def _marks(
    record: dict[str, Any], duration: float, clip_length: float, path: Path, line: int
) -> tuple[npt.NDArray[np.int_] | None, Array | None]:
    if record.get("relevant_clip_ids") is None or record.get("saliency_scores") is None:
        return None, None
    raw = numbers(record["relevant_clip_ids"], "relevant_clip_ids", path, line)
    with np.errstate(invalid="ignore"):  # of what fits no whole number, which is refused below
        ids = raw.astype(np.int_)
    last = int(np.ceil(duration / clip_length))  # one past the last clip is seen in the field
    wrong = np.flatnonzero((ids != raw) | (ids < 0) | (ids > last)) if raw.ndim == 1 else [0]
    if len(wrong):
        what = f"relevant_clip_ids[{wrong[0]}] is not a clip of a video of {duration:g} s"
        raise LineError(path, line, what)
    if len(set(ids.tolist())) < len(ids):
        raise LineError(path, line, "relevant_clip_ids names a clip twice")
    marks = table(record["saliency_scores"], "[a, b, c]", "saliency_scores", path, line)
    if len(marks) != len(ids):
        what = f"{len(marks)} saliency_scores for {len(ids)} relevant_clip_ids"
        raise LineError(path, line, what, "write one row for each clip")
    beyond = np.flatnonzero(((marks < 0) | (marks > HIGHEST_MARK)).any(axis=1))
    if beyond.size:
        what = f"{entry('saliency_scores', marks, beyond[0])}, marks go from 0 to {HIGHEST_MARK}"
        raise LineError(path, line, what)
    return ids, marks


def _labels(record: dict[str, Any], path: Path, line: int) -> Array | None:
    if record.get("label") is None:
        return None
    labels = numbers(record["label"], "label", path, line)
    if labels.ndim != 2 or not labels.size:
        raise LineError(path, line, "label is not a list of rows, one for each clip")
    return labels


# ------------------------------------------------------------------- the other formats

CHARADES_FIRST_QIDS = {"charades_sta_test": 12404}  # in the JSON Lines form, 0 for train
CHARADES_LINE = re.compile(r"\s*(\S+)\s+(\S+)\s+(\S+?)\s*##(.*)")


def read_charades_text(annotations: Annotations, clip_length: float) -> None:
    """Read Charades-STA's `VID start end##sentence.`, seconds; it tells no durations.

    Four lines of the train file end before they start; every published evaluation leaves them
    out. The qid is the number of lines kept before, which for train are the qids of the JSON
    Lines form; those of charades_sta_test go on from there, as the text features' names do.
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
        raise LineError(path, line, f"{parts[2]!r} {parts[3]!r} are not two times") from None
    if not (0 <= start <= MOST_SECONDS and 0 <= end <= MOST_SECONDS):
        raise LineError(path, line, f"{start:g} {end:g} are not two times from 0 on")
    return parts[1], start, end, parts[4].strip()


def read_json(annotations: Annotations, clip_length: float) -> None:
    """Read one JSON object with an entry per video: ActivityNet Captions, YouTube Highlights."""
    path = annotations.path
    for place, (vid, video) in enumerate(_videos(path).items(), start=1):
        with annotations.entry(vid):
            kind = next((k for k in VIDEO_ENTRIES if isinstance(video, dict) and k in video), "")
            if not kind:
                known = " nor ".join(VIDEO_ENTRIES)
                raise RdmfError(f"entry {place} ({_short(vid)}) has neither {known}", path)
            VIDEO_ENTRIES[kind](annotations, Entry(path, place, vid, video))


def _videos(path: Path) -> dict[str, Any]:
    try:
        videos = json.loads(read_text(path, MOST_JSON))
    except json.JSONDecodeError as error:
        raise LineError(path, error.lineno, f"not JSON ({error.msg})") from None
    except (ValueError, RecursionError):
        raise RdmfError(f"not JSON ({NESTED})", path, "copy it again") from None
    if not isinstance(videos, dict):
        todo = "give the benchmark's own file, or JSON Lines (.jsonl)"
        raise RdmfError("not an object with an entry for each video", path, todo)
    return videos


class Entry(NamedTuple):
    """What a JSON object holds of one video, the `place`-th of the file."""

    path: Path
    place: int
    vid: str
    video: dict[str, Any]

    def fault(self, what: str) -> RdmfError:
        return RdmfError(f"entry {self.place} ({_short(self.vid)}): {what}", self.path)

    def number(self, key: str) -> float:
        """A number above 0, which some files write as text."""
        if key not in self.video:
            raise self.fault(f"no {key}")
        try:
            value = float(self.video[key])
        except (TypeError, ValueError, OverflowError):
            value = 0.0
        if not 0 < value <= MOST_SECONDS:
            what = f"{key} {_short(self.video[key])} is not a number above 0 and up to "
            raise self.fault(f"{what}{MOST_SECONDS:.0f}")
        return value

    def rows(self, key: str) -> list[Any]:
        if not isinstance(rows := self.video.get(key), list):
            raise self.fault(f"no {key}" if rows is None else f"{key} is not a list")
        return rows


def _activitynet(annotations: Annotations, of: Entry) -> None:
    """`duration, timestamps [[s, e], …], sentences […]`; the qid is VID_0, VID_1, ….

    Ends past the duration (by 0.01 s) are cut to it, and windows without a length or inverted
    (four of train) left out, both as 2D-TAN's reader does.
    """
    duration = of.number("duration")
    spans, sentences = of.rows("timestamps"), of.rows("sentences")
    if len(spans) != len(sentences):
        raise of.fault(f"{len(spans)} timestamps for {len(sentences)} sentences")
    for number, (span, query) in enumerate(zip(spans, sentences, strict=True)):
        qid = f"{of.vid}_{number}"
        with annotations.entry(qid):
            where = f"sentence {number + 1}"
            first, last = _start_and_end(of, where, span)
            start, end = max(first, 0.0), min(last, duration)
            if not isinstance(query, str) or not query.strip():
                raise of.fault(f"{where} is not a text")
            if not start < end:
                what = f"{first:g} to {last:g} s has no length"
                annotations.leave_out(f"entry {of.place} ({of.vid}), {where}", what)
                continue
            windows = np.array([[start, end]])
            made = Annotation(qid, query.strip(), of.vid, duration, windows, line=of.place)
            annotations.entries.append(made)


def _start_and_end(of: Entry, where: str, span: object) -> tuple[float, float]:
    try:
        start, end = (float(time) for time in span)  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError):
        start = end = np.nan
    if not (abs(start) <= MOST_SECONDS and abs(end) <= MOST_SECONDS):
        raise of.fault(f"the timestamps of {where} are not two numbers of seconds")
    return start, end


def _youtube(annotations: Annotations, of: Entry) -> None:
    """`domain, fps, frames, clip [[first, last], …], match […]`: a highlight where match > 0."""
    try:
        matches = np.asarray([float(match) for match in of.rows("match")])
    except (TypeError, ValueError, OverflowError):
        raise of.fault("match is not a list of numbers") from None
    domain, duration = of.video.get("domain"), of.number("frames") / of.number("fps")
    if not matches.size:
        raise of.fault("match is empty")
    if not isinstance(domain, str) or not domain.strip():
        raise of.fault("no domain" if domain is None else "domain is not a text")
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
    """How an error names a value of any length."""
    text = str(value) if isinstance(value, str) else repr(value)
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"


VIDEO_ENTRIES: dict[str, Callable[[Annotations, Entry], None]] = {
    "timestamps": _activitynet,
    "match": _youtube,
}

FORMATS: dict[str, Callable[[Annotations, float], None]] = {
    ".json": read_json,
    ".txt": read_charades_text,
}
