"""Subtitle files: which one belongs to a video, and what it says. pysubs2 reads the formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rdmf_cli.errors import RdmfError
from rdmf_cli.features.said.lines import MOST_LINES, Said, tidied
from rdmf_cli.files import MIB, content_of, is_own

if TYPE_CHECKING:
    from pysubs2 import SSAFile

SUFFIXES: Final = (".srt", ".vtt", ".ass", ".ssa")
"""Suffixes of files that `auto` finds, the preferred first."""

MOST_BYTES: Final = 16 * MIB
WHAT = "the subtitles"
TODO = "give an SRT, WebVTT or ASS file, or --subtitles none"

ENGLISH: Final = frozenset({"en", "eng", "english"})
FORCED: Final = frozenset({"forced", "foreign"})
"""Marks of a track that has only the lines in a foreign language, so little of what is said."""


class Kind(NamedTuple):
    """How much a track is wanted; the least is the best.

    Attributes:
        forced: It holds foreign lines only.
        foreign: Its language is stated and is not English, which the embedded encoder reads.
        unstated: Its language is not stated.
    """

    forced: bool
    foreign: bool
    unstated: bool


def kind_of(marks: list[str], forced: bool = False) -> Kind:
    """Rank a track by the marks in its name ("en", "forced"), or by its stated language.

    >>> kind_of(["en"]) < kind_of([]) < kind_of(["de"]) < kind_of(["en", "forced"])
    True
    """
    words = {part for mark in marks for part in mark.lower().replace("_", "-").split("-")}
    stated = words - FORCED - {"", "sdh", "cc", "hi", "default", "und", "full"}
    english = bool(words & ENGLISH)
    return Kind(forced or bool(words & FORCED), bool(stated) and not english, not stated)


def beside(video: Path) -> Path | None:
    """Return the subtitle file of a video: in its folder, with its stem; None: there is none.

    `film.srt` and `film.en.srt` belong to `film.mp4`. English is preferred, as the embedded encoder
    reads English; a file of forced subtitles is the last choice. Files that rdmf wrote itself hold
    queries and are no subtitles.
    """
    stem = video.stem.casefold()
    ranked = []
    try:
        names = sorted(path.name for path in video.absolute().parent.iterdir())
    except OSError:  # a folder that may not be listed
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
    except Exception as error:  # pysubs2 raises many kinds on files that are something else
        raise RdmfError("these are not subtitles that can be read", path, TODO) from error
    events = [event for event in file if not event.is_comment and not event.is_drawing]
    if len(events) > MOST_LINES:
        warnings += (f"only the first {MOST_LINES:,} of {len(events):,} subtitles are read",)
    lines = tidied((event.start / 1000, event.end / 1000, event.text) for event in events)
    if not lines:
        raise RdmfError("these subtitles hold no line", path, TODO)
    return Said(lines, path.name, warnings)


def _parsed(text: str, suffix: str) -> SSAFile:
    """Parse subtitles by what they look like; where that is unclear, by the suffix."""
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
        The text, and a warning where the encoding is a guess.
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
