"""Subtitle files: find the file of a video and read its lines.

FFmpeg, through PyAV, reads WebVTT; pysubs2 reads the other formats. pysubs2 (1.8.1) takes the notes
of a WebVTT file, and the names of its cues, as words of the cue before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rdmf_cli.errors import RdmfError
from rdmf_cli.features.said.lines import MOST_LINES, Said, tidied
from rdmf_cli.files import MIB, content_of, is_own
from rdmf_cli.video.folder import SUBTITLE_SUFFIXES

if TYPE_CHECKING:
    from pysubs2 import SSAFile

WEBVTT: Final = re.compile(r"WEBVTT(?![^ \t\n])[^\n]*(\n(?!\n)(?=[^\n]*-->))?")
"""The first line of a WebVTT file, and its line end if a cue follows with no empty line between."""

MOST_BYTES: Final = 16 * MIB
WHAT = "the subtitles"
TODO = "give an SRT, WebVTT or ASS file, or --subtitles none"

ENGLISH: Final = frozenset({"en", "eng", "english"})
FORCED: Final = frozenset({"forced", "foreign"})
"""Marks of a track that holds only the lines in a foreign language, so only a few lines."""


class Kind(NamedTuple):
    """How suitable a subtitle track is; the lowest value is the best.

    Attributes:
        forced: The track holds only foreign lines.
        foreign: The track's stated language is not English; the embedded encoder reads only
            English.
        unstated: The track does not state its language.
    """

    forced: bool
    foreign: bool
    unstated: bool


def kind_of(marks: list[str], forced: bool = False) -> Kind:
    """Rank a track by the marks in its name ("en", "forced") or by the language that it states.

    >>> kind_of(["en"]) < kind_of([]) < kind_of(["de"]) < kind_of(["en", "forced"])
    True
    """
    words = {part for mark in marks for part in mark.lower().replace("_", "-").split("-")}
    stated = words - FORCED - {"", "sdh", "cc", "hi", "default", "und", "full"}
    english = bool(words & ENGLISH)
    return Kind(forced or bool(words & FORCED), bool(stated) and not english, not stated)


def beside(video: Path) -> Path | None:
    """Find the subtitle file in a video's folder with the video's stem; None: there is none.

    `film.srt` and `film.en.srt` belong to `film.mp4`. An English file is preferred, because the
    embedded encoder reads English. A file of forced subtitles is the last choice. Files that rdmf
    wrote itself hold queries, not subtitles; they are left out.
    """
    stem = video.stem.casefold()
    ranked = []
    try:
        names = sorted(path.name for path in video.absolute().parent.iterdir())
    except OSError:  # no permission to list the folder
        return None
    for name in names:
        path = video.parent / name
        whole, suffix = path.stem.casefold(), path.suffix.casefold()
        if suffix not in SUBTITLE_SUFFIXES or not (whole == stem or whole.startswith(f"{stem}.")):
            continue
        marks = whole[len(stem) + 1 :].split(".") if whole != stem else []
        if len(marks) <= 3 and path.is_file() and not is_own(path):
            ranked.append((kind_of(marks), SUBTITLE_SUFFIXES.index(suffix), name, path))
    return min(ranked)[-1] if ranked else None


def read_file(path: Path) -> Said:
    """Read a subtitle file: WebVTT, or any format of pysubs2.

    Raises:
        RdmfError: The file cannot be read, or holds no subtitles.
    """
    text, warnings = decoded(content_of(path, WHAT, TODO, MOST_BYTES))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        entries = list(_cues(text) if WEBVTT.match(text) else _events(text, path.suffix.lower()))
    except Exception as error:  # the libraries raise many types of errors for other files
        raise RdmfError("cannot be read as subtitles", path, TODO) from error
    if len(entries) > MOST_LINES:
        warnings += (f"only the first {MOST_LINES:,} of {len(entries):,} subtitles are read",)
    lines = tidied(entries)
    if not lines:
        raise RdmfError("this subtitle file holds no text", path, TODO)
    return Said(lines, path.name, warnings)


def _cues(text: str) -> Iterable[tuple[float, float, str]]:
    """Yield start, end and text of each cue of a WebVTT file."""
    import av

    header = WEBVTT.match(text)
    if header and header.group(1):  # FFmpeg would take the first cue for a part of the header
        text = f"{header.group(0)}\n{text[header.end() :]}"
    with av.open(BytesIO(text.encode()), "r", format="webvtt") as container:
        track = container.streams.subtitles[0]
        base: Any = track.time_base or 1  # PyAV 19 has a type of its own for it
        tick = Fraction(base)
        for packet in container.demux(track):
            if packet.pts is not None and packet.duration:
                start, end = packet.pts * tick, (packet.pts + packet.duration) * tick
                yield float(start), float(end), bytes(packet).decode("utf-8", errors="replace")


def _events(text: str, suffix: str) -> Iterable[tuple[float, float, str]]:
    """Yield start, end and text of each entry that is shown, as pysubs2 reads the file."""
    for event in _parsed(text, suffix):
        if not event.is_comment and not event.is_drawing:
            yield event.start / 1000, event.end / 1000, event.text


def _parsed(text: str, suffix: str) -> SSAFile:
    """Parse subtitles; recognise their format from the text, or else from the suffix."""
    import pysubs2

    try:
        return pysubs2.SSAFile.from_string(text)
    except pysubs2.FormatAutodetectionError:
        if suffix not in SUBTITLE_SUFFIXES:
            raise
        return pysubs2.SSAFile.from_string(text, suffix.removeprefix("."))


def decoded(content: bytes) -> tuple[str, tuple[str, ...]]:
    """Decode the text of a subtitle file.

    These encodings are tried: Unicode with a byte order mark, UTF-8, UTF-16 (recognised by its zero
    bytes), and otherwise Windows-1252.

    Returns:
        The text, and a warning if the encoding is a guess.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace"), ()
    if b"\x00" in content[:2]:
        order = "utf-16-be" if content.startswith(b"\x00") else "utf-16-le"
        return content.decode(order, errors="replace"), ()
    try:
        return content.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        guessed = ("the subtitles are not in UTF-8; they are read as Windows-1252",)
        return content.decode("cp1252", errors="replace"), guessed
