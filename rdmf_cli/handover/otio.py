"""The JSON of OpenTimelineIO, in the oldest schemas that current versions still read."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from rdmf_cli.handover.timeline import Event, Source, Timeline
from rdmf_cli.text import one_line

Json = dict[str, Any]


def otio_text(timeline: Timeline) -> str:
    """Write a timeline for OpenTimelineIO: a video track and, if there is sound, an audio track.

    Each clip of OpenTimelineIO has the frame rate and the time code of its video. The metadata of a
    clip contains query and score under `rdmf`.
    """
    tracks = [_track("V1", "Video", [_clip(event) for event in timeline.events])]
    if any(source.sound_channels for source in timeline.sources):
        sounds = [_clip(e) if e.source.sound_channels else _gap(e) for e in timeline.events]
        tracks.append(_track("A1", "Audio", sounds))
    document = {
        "OTIO_SCHEMA": "Timeline.1",
        "metadata": {"rdmf": {"schema": "rdmf.timeline/1"}},
        "name": timeline.title,
        "global_start_time": _time(timeline.start, timeline.counting.rate),
        "tracks": {**_item("Stack.1", "tracks"), "children": tracks},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _item(schema: str, name: str, span: Json | None = None, **metadata: Any) -> Json:
    """Make the keys that all items of OpenTimelineIO have."""
    return {
        "OTIO_SCHEMA": schema,
        "metadata": {"rdmf": metadata} if metadata else {},
        "name": name,
        "source_range": span,
        "effects": [],
        "markers": [],
    }


def _track(name: str, kind: str, children: list[Json]) -> Json:
    return {**_item("Track.1", name), "kind": kind, "children": children}


def _clip(event: Event) -> Json:
    moment = event.moment
    facts = {
        "query": event.query,
        "rank": moment.rank,
        "start": round(moment.start, 3),
        "end": round(moment.end, 3),
        "score": round(moment.score, 6),
        "presence": round(event.presence, 6),
    }
    clip = _item("Clip.1", event.label, _span_of(event), **facts)
    return {**clip, "media_reference": _media(event.source)}


def _gap(event: Event) -> Json:
    length = event.stop - event.first
    return _item("Gap.1", "", _range(0, length, event.source.rate))


def _span_of(event: Event) -> Json:
    source = event.source
    return _range(source.start + event.first, event.stop - event.first, source.rate)


def _media(source: Source) -> Json:
    return {
        "OTIO_SCHEMA": "ExternalReference.1",
        "metadata": {},
        "name": one_line(source.path.name),
        "available_range": _range(source.start, source.frames, source.rate),
        "target_url": source.path.absolute().as_uri(),
    }


def _range(start: int, length: int, rate: Fraction) -> Json:
    return {
        "OTIO_SCHEMA": "TimeRange.1",
        "start_time": _time(start, rate),
        "duration": _time(length, rate),
    }


def _time(frames: int, rate: Fraction) -> Json:
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(rate), "value": float(frames)}
