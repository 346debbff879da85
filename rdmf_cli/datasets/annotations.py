"""Annotations: which moments of a video a sentence describes, and how salient its clips are.

One reader for each format the benchmarks are published in. Training and evaluation read through
these alone. Plain or gzipped; .txt and .json have their formats, all else is taken as JSON Lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdmf_cli.datasets.lines import (
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
CORRECT = "correct the entry, or leave it out"


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


@dataclass
class Annotations:
    """The annotations of one file, in its order, and what had to be said while reading it."""

    path: Path
    entries: list[Annotation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def leave_out(self, where: str, what: str) -> None:
        """Say which annotation is left out, as every published evaluation leaves it out."""
        self.notes.append(f"{self.path.name}: {where}: {what}; left out")

    def __iter__(self) -> Iterator[Annotation]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def read_annotations(path: Path | str, clip_length: float = 2.0) -> Annotations:
    """Every annotation of a file. RdmfError names the file, the line and what is wrong there.

    clip_length: seconds a clip; how far a window may reach past the end of its video, and by
    what clip ids and clip counts become seconds.
    """
    path = Path(path)
    name = path.name.removesuffix(".gz")
    annotations = FORMATS.get(Path(name).suffix.lower(), read_jsonl)(path, clip_length)
    if not annotations.entries:
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


def read_jsonl(path: Path, clip_length: float) -> Annotations:
    """QVHighlights' form, which moment_detr and its descendants use for every benchmark.

    `qid, query, vid, duration`, and any of `relevant_windows`, `relevant_clip_ids` with
    `saliency_scores`, `label` (one row a clip) with `domain`.
    """
    annotations = Annotations(path)
    for line, record in records(path):
        labels = _labels(record, path, line)
        duration = _duration(record, labels, clip_length, path, line)
        clip_ids, marks = _marks(record, duration, clip_length, path, line)
        annotations.entries.append(
            Annotation(
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
        )
    return annotations


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
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < np.inf:
        raise LineError(path, line, f"duration {value!r} is not a number of seconds above 0")
    in_clips = labels is not None and labels.shape[1] > 1 and value == len(labels)
    return float(value) * clip_length if in_clips else float(value)


def _windows(record: dict[str, Any], limit: float, path: Path, line: int) -> Array | None:
    """None and a missing key mean: nobody looked; an empty list means: shown nowhere."""
    name = "relevant_windows"
    if record.get(name) is None:
        return None
    found = windows(record[name], "[start, end]", name, path, line)
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


def read_charades_text(path: Path, clip_length: float) -> Annotations:
    """Charades-STA's `VID start end##sentence.`, seconds; it tells no durations.

    Four lines of the train file end before they start; every published evaluation leaves them
    out. The qid is the number of lines kept before, which for train are the qids of the JSON
    Lines form; those of charades_sta_test go on from there, as the text features' names do.
    """
    annotations = Annotations(path)
    first = CHARADES_FIRST_QIDS.get(path.name.removesuffix(".gz").removesuffix(".txt"), 0)
    for line, text in text_lines(path):
        vid, start, end, query = _charades_fields(text, path, line)
        if end < start:
            what = f"{vid} ends ({end:g} s) before it starts ({start:g} s)"
            annotations.leave_out(f"line {line}", what)
            continue
        span = np.array([[start, end]])
        annotations.entries.append(
            Annotation(first + len(annotations), query, vid, None, windows=span, line=line)
        )
    return annotations


def _charades_fields(text: str, path: Path, line: int) -> tuple[str, float, float, str]:
    parts = CHARADES_LINE.fullmatch(text)
    if parts is None or not parts[4].strip():
        raise LineError(path, line, "not of the form: VID start end##sentence")
    try:
        start, end = float(parts[2]), float(parts[3])
    except ValueError:
        raise LineError(path, line, f"{parts[2]!r} {parts[3]!r} are not two times") from None
    if not (0 <= start < np.inf and 0 <= end < np.inf):
        raise LineError(path, line, f"{start:g} {end:g} are not two times from 0 on")
    return parts[1], start, end, parts[4].strip()


def read_json(path: Path, clip_length: float) -> Annotations:
    """One JSON object with an entry for each video: ActivityNet Captions, YouTube Highlights."""
    try:
        videos = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise LineError(path, error.lineno, f"not JSON ({error.msg})") from None
    if not isinstance(videos, dict):
        todo = "give the benchmark's own file, or JSON Lines (.jsonl)"
        raise RdmfError("not an object with an entry for each video", path, todo)
    annotations = Annotations(path)
    for place, (vid, video) in enumerate(videos.items(), start=1):
        kind = next((key for key in VIDEO_ENTRIES if isinstance(video, dict) and key in video), "")
        if not kind:
            known = " nor ".join(VIDEO_ENTRIES)
            raise RdmfError(f"entry {place} ({vid}) has neither {known}", path, CORRECT)
        try:
            VIDEO_ENTRIES[kind](annotations, place, vid, video)
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            what = f"entry {place} ({vid}) is not complete ({error!r})"
            raise RdmfError(what, path, CORRECT) from None
    return annotations


def _activitynet(annotations: Annotations, place: int, vid: str, video: dict[str, Any]) -> None:
    """`duration, timestamps [[s, e], …], sentences […]`; the qid is VID_0, VID_1, ….

    Ends past the duration (by 0.01 s) are cut to it, and windows without a length or inverted
    (four of train) left out, both as 2D-TAN's reader does.
    """
    duration = float(video["duration"])
    for number, (span, query) in enumerate(
        zip(video["timestamps"], video["sentences"], strict=True)
    ):
        start, end = max(float(span[0]), 0.0), min(float(span[1]), duration)
        if not start < end:
            what = f"{span[0]:g} to {span[1]:g} s has no length"
            annotations.leave_out(f"entry {place} ({vid}), sentence {number + 1}", what)
            continue
        spans = np.array([[start, end]])
        annotations.entries.append(
            Annotation(
                f"{vid}_{number}", str(query).strip(), vid, duration, windows=spans, line=place
            )
        )


def _youtube(annotations: Annotations, place: int, vid: str, video: dict[str, Any]) -> None:
    """`domain, fps, frames, clip [[first, last], …], match […]`: a highlight where match > 0."""
    labels = (np.asarray(video["match"], dtype=np.float64) > 0).astype(np.float64)[:, None]
    duration = float(video["frames"]) / float(video["fps"])
    annotations.entries.append(
        Annotation(
            vid,
            query=str(video["domain"]),
            vid=vid,
            duration=duration,
            labels=labels,
            domain=str(video["domain"]),
            line=place,
        )
    )


VIDEO_ENTRIES: dict[str, Callable[[Annotations, int, str, dict[str, Any]], None]] = {
    "timestamps": _activitynet,
    "match": _youtube,
}

FORMATS: dict[str, Callable[[Path, float], Annotations]] = {
    ".json": read_json,
    ".txt": read_charades_text,
}
