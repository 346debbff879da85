"""Subtitle files: find the file of a video and read its lines. pysubs2 reads the formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rdmf_cli.errors import RdmfError
from rdmf_cli.features.said.lines import MOST_LINES, Said, tidied
from rdmf_cli.files import MIB, content_of, is_own

if TYPE_CHECKING:
    from pysubs2 import SSAFile

SUFFIXES: Final = (".srt", ".vtt", ".ass", ".ssa")
"""Suffixes of the files that `auto` finds, in order of preference."""

MOST_BYTES: Final = 16 * MIB
WHAT = "the subtitles"
TODO = "give an SRT, WebVTT or ASS file, or --subtitles none"

ENGLISH: Final = frozenset({"en", "eng", "english"})
FORCED: Final = frozenset({"forced", "foreign"})
"""Marks of a track that holds only the lines in a foreign language, so only a few lines."""


class Kind(NamedTuple):
    """How well a track suits; the least value is the best.

    Attributes:
        forced: The track holds only foreign lines.
        foreign: Its stated language is not English; the embedded encoder reads only English.
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

    `film.srt` and `film.en.srt` belong to `film.mp4`. An English file is the first choice, because
    the embedded encoder reads English. A file of forced subtitles is the last choice. Files that
    rdmf wrote itself hold queries, not subtitles; they are left out.
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
        if suffix not in SUFFIXES or not (whole == stem or whole.startswith(f"{stem}.")):
            continue
        marks = whole[len(stem) + 1 :].split(".") if whole != stem else []
        if len(marks) <= 3 and path.is_file() and not is_own(path):
            ranked.append((kind_of(marks), SUFFIXES.index(suffix), name, path))
    return min(ranked)[-1] if ranked else None


def read_file(path: Path) -> Said:
    """Read a subtitle file in any format of pysubs2.

    Raises:
        RdmfError: The file cannot be read, or holds no subtitles.
    """
    text, warnings = decoded(content_of(path, WHAT, TODO, MOST_BYTES))
    try:
        file = _parsed(text, path.suffix.lower())
    except Exception as error:  # pysubs2 raises many types of errors for other files
        raise RdmfError("these are not subtitles that can be read", path, TODO) from error
    events = [event for event in file if not event.is_comment and not event.is_drawing]
    if len(events) > MOST_LINES:
        warnings += (f"only the first {MOST_LINES:,} of {len(events):,} subtitles are read",)
    lines = tidied((event.start / 1000, event.end / 1000, event.text) for event in events)
    if not lines:
        raise RdmfError("these subtitles hold no line", path, TODO)
    return Said(lines, path.name, warnings)


def _parsed(text: str, suffix: str) -> SSAFile:
    """Parse subtitles in the format that the text shows; if it is unclear, use the suffix."""
    import pysubs2

    try:
        return pysubs2.SSAFile.from_string(text)
    except pysubs2.FormatAutodetectionError:
        if suffix not in SUFFIXES:
            raise
        return pysubs2.SSAFile.from_string(text, suffix.removeprefix("."))


def decoded(content: bytes) -> tuple[str, tuple[str, ...]]:
    """Decode text: Unicode by its mark, UTF-8, UTF-16 by its zero bytes, else Windows-1252.

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
