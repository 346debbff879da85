"""FCPXML 1.8, the format of Final Cut Pro. DaVinci Resolve also reads it.

Times are fractions of a second. Times on the timeline are whole frames of the timeline, as Final
Cut Pro requires; times in a video are whole frames of the video, counted by its time code. Version
1.8 is the last version in which an asset itself names its file, as OpenTimelineIO's reader expects.
"""

from __future__ import annotations

from fractions import Fraction
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from rdmf_cli.handover.timecode import Counting
from rdmf_cli.handover.timeline import Event, Source, Timeline
from rdmf_cli.text import one_line

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n'
VERSION = "1.8"
SEQUENCE_FORMAT = "r0"
NO_CHARACTERS = dict.fromkeys((0xFFFE, 0xFFFF), "\N{REPLACEMENT CHARACTER}")  # not in XML 1.0
PLAIN_SIZE = (1920, 1080)  # size of a timeline without a video


def fcpxml_text(timeline: Timeline) -> str:
    """Write a timeline as one project of Final Cut Pro."""
    root = Element("fcpxml", version=VERSION)
    assets = _resources(SubElement(root, "resources"), timeline)
    event = SubElement(SubElement(root, "library"), "event", name=timeline.title)
    sequence = SubElement(
        SubElement(event, "project", name=timeline.title),
        "sequence",
        format=SEQUENCE_FORMAT,
        duration=_time(timeline.length, timeline.counting),
        tcStart="0s",
        tcFormat=_code_format(timeline.counting),
        audioLayout="stereo",
        audioRate="48k",
    )
    spine = SubElement(sequence, "spine")
    for moment in timeline.events:
        _add_clip(spine, moment, timeline.counting, assets[moment.source])
    indent(root)
    return HEAD + tostring(root, encoding="unicode").translate(NO_CHARACTERS) + "\n"


def _resources(parent: Element, timeline: Timeline) -> dict[Source, str]:
    """Add the timeline's format and each video; return the ids of the videos."""
    sources = timeline.sources
    size = (sources[0].width, sources[0].height) if sources else PLAIN_SIZE
    _add_format(parent, SEQUENCE_FORMAT, timeline.counting, *size)
    ids: dict[Source, str] = {}
    for number, source in enumerate(sources, 1):
        ids[source] = f"a{number}"
        _add_format(parent, f"r{number}", source.counting, source.width, source.height)
        _add_asset(parent, ids[source], f"r{number}", source)
    return ids


def _add_format(parent: Element, name: str, counting: Counting, width: int, height: int) -> None:
    SubElement(
        parent,
        "format",
        id=name,
        frameDuration=_fraction(counting.frame),
        width=str(width),
        height=str(height),
    )


def _add_asset(parent: Element, name: str, picture: str, source: Source) -> None:
    asset = SubElement(
        parent,
        "asset",
        id=name,
        name=one_line(source.path.name),
        src=source.path.absolute().as_uri(),
        start=_time(source.start, source.counting),
        duration=_time(source.frames, source.counting),
        hasVideo="1",
        format=picture,
    )
    if source.sound_channels:
        asset.set("hasAudio", "1")
        asset.set("audioSources", "1")
        asset.set("audioChannels", str(source.sound_channels))
        asset.set("audioRate", str(source.sound_rate))


def _add_clip(spine: Element, event: Event, counting: Counting, asset: str) -> None:
    source = event.source
    clip = SubElement(
        spine,
        "asset-clip",
        ref=asset,
        name=event.label,
        offset=_time(event.at, counting),
        start=_time(source.start + event.first, source.counting),
        duration=_time(event.length, counting),
        tcFormat=_code_format(source.counting),
    )
    SubElement(clip, "note").text = event.query
    if source.rate != counting.rate:
        # Play the video at its own speed, not one video frame per frame of the timeline.
        rate = f"{float(source.rate):.2f}".removesuffix(".00")
        SubElement(clip, "conform-rate", scaleEnabled="0", srcFrameRate=rate)


def _code_format(counting: Counting) -> str:
    return "DF" if counting.drop else "NDF"


def _time(frames: int, counting: Counting) -> str:
    return _fraction(frames * counting.frame)


def _fraction(seconds: Fraction) -> str:
    if seconds.denominator == 1:
        return f"{seconds.numerator}s"
    return f"{seconds.numerator}/{seconds.denominator}s"
