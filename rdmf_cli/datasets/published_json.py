"""Annotations in the JSON of their benchmarks: TACoS, DiDeMo, HiREST, Ego4D-NLQ.

Each reader takes the entry of one video and adds the video's annotations. `annotations.read_json`
finds the format by the keys of an entry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from rdmf_cli.datasets.annotations import Annotations, VideoEntry

SEGMENT: Final = 5.0  # seconds of a segment of DiDeMo
SEGMENTS: Final = 6  # of a video of 30 s


def frames_per_second(of: VideoEntry) -> float | None:
    """Return the frame rate of an entry that counts frames (TACoS); None: it counts seconds."""
    counts = "num_frames" in of.video and "fps" in of.video and "duration" not in of.video
    return of.number("fps") if counts else None


def didemo_entries(entries: list[Any]) -> Iterator[tuple[str, Any]]:
    """Yield (video, entry) for DiDeMo's list: `annotation_id, video, description, times`."""
    for entry in entries:
        vid = entry.get("video", "") if isinstance(entry, dict) else ""
        yield str(vid), entry


def read_didemo(annotations: Annotations, of: VideoEntry) -> None:
    """Read one description of DiDeMo; its moment is the choice of most annotators.

    `times` contains the [first, last] segment (of 5 s) per annotator. If several choices are
    equally frequent, the first one counts.
    """
    chosen = Counter(_segments(of))
    (first, last), _ = chosen.most_common(1)[0]
    windows = np.array([[first * SEGMENT, (last + 1) * SEGMENT]])
    _add(annotations, of, of.video.get("annotation_id", of.place - 1), "description", windows)


def _segments(of: VideoEntry) -> list[tuple[int, int]]:
    rows = of.rows("times")
    fits = [
        isinstance(row, list)
        and len(row) == 2
        and all(isinstance(n, int) and 0 <= n < SEGMENTS for n in row)
        and row[0] <= row[1]
        for row in rows
    ]
    if not rows or not all(fits):
        raise of.fault("times must be a list of [first, last] segments from 0 to 5")
    return [(row[0], row[1]) for row in rows]


def _add(annotations: Annotations, of: VideoEntry, qid: int | str, key: str, windows: Any) -> None:
    from rdmf_cli.datasets.annotations import Annotation

    query = of.video.get(key)
    if not isinstance(query, str) or not query.strip():
        raise of.fault(f"{key} must be a text")
    annotations.entries.append(
        Annotation(qid, query.strip(), of.vid, None, windows=windows, line=of.place)
    )


def hirest_entries(prompts: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (video, entry) for HiREST's prompts; the entry gets `prompt`."""
    for prompt, videos in prompts.items():
        for name, video in videos.items() if isinstance(videos, dict) else ():
            if isinstance(video, dict):
                yield name, {**video, "prompt": prompt}


def read_hirest(annotations: Annotations, of: VideoEntry) -> None:
    """Read the moment of one prompt in one video: `bounds` in seconds, if `clip` is true.

    Videos that are only relevant, without a moment, are left out, as in HiREST's moment retrieval.
    A moment of length 0 is left out, too: one in HiREST's own train split.
    """
    from rdmf_cli.datasets.annotations import Annotation

    where = f"entry {of.place} ({of.vid})"
    if not of.video.get("clip"):
        annotations.leave_out(where, "has no moment")
        return
    duration = of.number("v_duration")
    bounds = of.rows("bounds")
    start, end = of.times("bounds", bounds)
    if start == end:
        annotations.leave_out(where, f"has a moment of length 0, at {start:g} s")
        return
    if not 0 <= start < end <= duration + 1.0:
        raise of.fault(f"bounds [{start:g}, {end:g}] do not lie in the video of {duration:g} s")
    vid = of.vid.removesuffix(".mp4")
    query, windows = str(of.video["prompt"]), np.array([[start, min(end, duration)]])
    qid = f"{vid}_{len(annotations)}"
    annotations.entries.append(Annotation(qid, query, vid, duration, windows, line=of.place))


def ego4d_entries(videos: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (clip, query) from Ego4D's `videos`: they hold clips, annotations, language queries."""
    for video in videos:
        for clip in _list(video, "clips"):
            start, end = (clip.get(f"video_{edge}_sec") for edge in ("start", "end"))
            for annotation in _list(clip, "annotations"):
                for number, query in enumerate(_list(annotation, "language_queries")):
                    qid = f"{annotation.get('annotation_uid')}_{number}"
                    yield (
                        str(clip.get("clip_uid")),
                        {**query, "qid": qid, "video_start": start, "video_end": end},
                    )


def _list(record: Any, key: str) -> list[dict[str, Any]]:
    rows = record.get(key) if isinstance(record, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def read_ego4d(annotations: Annotations, of: VideoEntry) -> None:
    """Read one language query: `query`, and `clip_start_sec, clip_end_sec` from its clip's start.

    Queries without a text or a response are left out, as in Ego4D's own baselines. The test file of
    the challenge contains no responses.
    """
    from rdmf_cli.datasets.annotations import Annotation

    where = f"query {of.video['qid']}"
    query = of.video.get("query")
    if not isinstance(query, str) or not query.strip():
        annotations.leave_out(where, "has no text")
        return
    start, end = of.times("video_start and video_end", [of.video.get("video_start"),
                                                        of.video.get("video_end")])  # fmt: skip
    duration, windows = end - start, None
    if of.video.get("clip_start_sec") is not None:
        span = [of.video["clip_start_sec"], of.video.get("clip_end_sec")]
        first, last = of.times("clip_start_sec and clip_end_sec", span)
        if not first <= last:
            raise of.fault(f"the moment from {first:g} to {last:g} s ends before it starts")
        windows = np.array([[max(first, 0.0), min(last, duration)]])
    annotations.entries.append(
        Annotation(of.video["qid"], query.strip(), of.vid, duration, windows, line=of.place)
    )
