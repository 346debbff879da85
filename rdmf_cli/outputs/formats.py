"""The output formats of `rdmf query --format`.

To add a format, write three things: a file beside this file with a `Writer` (`writer.py` describes
the interface), an entry here, and a golden file in `tests/outputs`. The option, its help and the
table in `docs/usage.md` are made from the entries.
"""

from __future__ import annotations

from typing import TextIO

from rdmf_cli.outputs.writer import Writer
from rdmf_cli.registry import Entry, Registry

HERE = "rdmf_cli.outputs"

FORMATS: Registry[Entry[type[Writer]]] = Registry(
    "output format",
    Entry("table", "ranked moments and the saliency curve", f"{HERE}.table:TableWriter"),
    Entry("json", "JSON Lines, one answer or error per line", f"{HERE}.json_lines:JsonWriter"),
    Entry("csv", "one row per moment", f"{HERE}.csv_rows:CsvWriter"),
    Entry("srt", "SubRip subtitles of one video", f"{HERE}.subtitles:SrtWriter"),
    Entry("vtt", "WebVTT subtitles of one video", f"{HERE}.subtitles:VttWriter"),
    Entry("otio", "OpenTimelineIO timeline over all videos", f"{HERE}.timelines:OtioWriter"),
    Entry("edl", "CMX3600 edit decision list", f"{HERE}.timelines:EdlWriter"),
    Entry("fcpxml", "timeline of Final Cut Pro and Resolve", f"{HERE}.timelines:FcpxmlWriter"),
    Entry("markers", "CSV of markers in time code", f"{HERE}.timelines:MarkersWriter"),
    Entry("chapters", "YouTube chapters of one video", f"{HERE}.one_video:ChaptersWriter"),
    Entry("ffmetadata", "FFmpeg's chapters of one video", f"{HERE}.one_video:FfmetadataWriter"),
)


def open_writer(name: str, stream: TextIO) -> Writer:
    """Make the writer of a format; the stream gets the encoding of the format.

    Args:
        name: A key of `FORMATS`.
        stream: The text stream.

    Raises:
        UsageError: There is no such format.
    """
    writer = FORMATS.find(name).load()
    if writer.encoding and (reconfigure := getattr(stream, "reconfigure", None)):
        reconfigure(encoding=writer.encoding)
    return writer(stream)
