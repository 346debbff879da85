"""The clips of a library on disk: files of unit features and of their codes, memory-mapped.

The clips of all videos are in a few files (segments), so that a search opens few files, not one
per video. New videos become a new segment; earlier segments are not changed. From time to time all
segments are merged into one. A segment is listed only when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np

from rdmf_cli.errors import RdmfError
from rdmf_cli.files import write_own
from rdmf_cli.library.coded import Codes, sign_codes
from rdmf_cli.library.index import Array
from rdmf_cli.library.rows import FileRows, RowFile, Rows

FILE: Final = re.compile(r"(clips|codes)-[0-9a-f]{32}\.(npy|json)")
LISTED: Final = re.compile(r"clips-([0-9a-f]{32})\.json")

MOST_SEGMENTS: Final = 8
"""If there are more segments, all are merged into one."""

MOST_UNUSED: Final = 0.25
"""If a larger share of the clips belongs to no video any more, all segments are merged into one."""


class Entry(NamedTuple):
    """The features of one video in the store.

    Attributes:
        name: Name of the entry in the store.
        clips: Number of its clips.
        read: Function that reads its unit features (L, D).
    """

    name: str
    clips: int
    read: Callable[[], Array]


@dataclass(frozen=True, eq=False)
class Segment:
    """Memory-mapped features and codes of some videos.

    Attributes:
        digest: Fingerprint of the entries of the segment; the names of the files contain it.
        places: The clips of each entry, by name.
        features: Unit features (N, D).
        codes: Codes of the features; None: no codes.
        file: The file of the features; None: they are in memory.
    """

    digest: str
    places: dict[str, slice]
    features: Array
    codes: Codes | None
    file: RowFile | None = None


class Clips(NamedTuple):
    """Unit features (L, D) of a video, and their codes.

    Attributes:
        features: The features, memory-mapped: for code that reads all of them.
        codes: Their codes; None: no codes.
        rows: The features for code that reads some of them; no page is mapped.
    """

    features: Array
    codes: Codes | None
    rows: Rows


def clips_of(folder: Path, entries: Sequence[Entry], with_codes: bool) -> list[Clips]:
    """Memory-map the clips of `entries`, in this order.

    Clips that are in no segment yet are first written to a new segment.

    Args:
        folder: The folder of the library. If the folder is read-only, new clips are kept in memory.
        entries: The videos; no two have the same name.
        with_codes: Whether codes are wanted.
    """
    segments = list(_segments(folder, with_codes))
    have = {name: segment for segment in segments for name in segment.places}
    new = [entry for entry in entries if not _has(have.get(entry.name), entry)]
    if new or (entries and _is_scattered(segments, entries)):
        every = len(segments) >= MOST_SEGMENTS or _is_scattered(segments, entries)
        made = _write(folder, _with_rows(entries if every else new, have), with_codes)
        have.update(dict.fromkeys(made.places, made))
    _remove_unused(folder, {have[entry.name].digest for entry in entries})
    return [_clips(have[entry.name], entry.name) for entry in entries]


def _has(segment: Segment | None, entry: Entry) -> bool:
    if segment is None or entry.name not in segment.places:
        return False
    place = segment.places[entry.name]
    return bool(place.stop - place.start == entry.clips)


def _is_scattered(segments: Sequence[Segment], entries: Sequence[Entry]) -> bool:
    kept, used = sum(len(s.features) for s in segments), sum(entry.clips for entry in entries)
    return kept > 0 and kept - used > MOST_UNUSED * kept


def _with_rows(entries: Sequence[Entry], have: dict[str, Segment]) -> list[Entry]:
    """Make the entries that are in a segment read their features from the segment."""

    def read(entry: Entry) -> Entry:
        segment = have.get(entry.name)
        if segment is None or not _has(segment, entry):
            return entry
        return entry._replace(read=lambda: _clips(segment, entry.name).features)

    return [read(entry) for entry in entries]


def _clips(segment: Segment, name: str) -> Clips:
    place = segment.places[name]
    codes = None if segment.codes is None else segment.codes[place]
    features = segment.features[place]
    rows = features if segment.file is None else FileRows(segment.file, place)
    return Clips(features, codes, rows)


def _segments(folder: Path, with_codes: bool) -> Iterator[Segment]:
    """Map every complete segment; skip damaged segments."""
    for name in sorted(os.listdir(folder)):
        if listed := LISTED.fullmatch(name):
            with suppress(OSError, ValueError, TypeError, EOFError):
                yield _mapped(folder, listed[1], with_codes)


def _mapped(folder: Path, digest: str, with_codes: bool) -> Segment:
    entries = json.loads((folder / f"clips-{digest}.json").read_text(encoding="utf-8"))
    if _digest(entries) != digest:
        raise ValueError(f"clips-{digest}.json is damaged")
    path = folder / f"clips-{digest}.npy"
    features = np.load(path, mmap_mode="r")
    file = RowFile(path, features.offset, features.shape[1])
    codes = np.load(folder / f"codes-{digest}.npy", mmap_mode="r") if with_codes else None
    edges = np.cumsum([0, *(clips for _, clips in entries)]).tolist()
    if len(features) != edges[-1] or (codes is not None and len(codes) != edges[-1]):
        raise ValueError(f"clips-{digest}.npy is damaged")
    spans = zip(entries, edges[:-1], edges[1:], strict=True)
    return Segment(digest, {name: slice(a, b) for (name, _), a, b in spans}, features, codes, file)


def _write(folder: Path, entries: Sequence[Entry], with_codes: bool) -> Segment:
    """Write a segment: features, codes, and last the list, which makes the segment complete."""
    listed = [[entry.name, entry.clips] for entry in entries]
    digest, kept = _digest(listed), _Kept(entries, with_codes)

    def put(name: str, content: Callable[[BinaryIO], Any]) -> None:
        write_own(folder / name, content, mode=0o600)

    try:
        put(f"clips-{digest}.npy", kept.write_features)
        if with_codes:
            codes = np.concatenate(kept.codes)
            put(f"codes-{digest}.npy", lambda file: np.save(file, codes))
        put(f"clips-{digest}.json", lambda file: file.write(json.dumps(listed).encode()))
        return _mapped(folder, digest, with_codes)
    except (RdmfError, OSError, ValueError):  # read-only, or disk full: search it in memory
        return kept.in_memory(digest)


class _Kept:
    """The features of entries, written one by one; their codes stay in memory."""

    def __init__(self, entries: Sequence[Entry], with_codes: bool):
        self._entries, self._with_codes = entries, with_codes
        self.codes: list[Codes] = []

    def write_features(self, file: BinaryIO) -> None:
        """Write a numpy file; only the features of one video are in memory at a time."""
        shape: tuple[int, ...] | None = None
        self.codes = []
        for entry in self._entries:
            features = np.ascontiguousarray(entry.read(), np.float32)
            if shape is None:
                shape = (sum(entry.clips for entry in self._entries), features.shape[1])
                about = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, about)
            file.write(features.data)
            if self._with_codes:
                self.codes.append(sign_codes(features))

    def in_memory(self, digest: str) -> Segment:
        """Return a segment that is kept in memory, without a file."""
        read = [np.asarray(entry.read(), np.float32) for entry in self._entries]
        edges = np.cumsum([0, *map(len, read)]).tolist()
        names = (entry.name for entry in self._entries)
        places = {n: slice(a, b) for n, a, b in zip(names, edges[:-1], edges[1:], strict=True)}
        features = np.concatenate(read)
        return Segment(digest, places, features, sign_codes(features) if self._with_codes else None)


def _digest(entries: Sequence[Sequence[Any]]) -> str:
    return hashlib.sha256(json.dumps([list(entry) for entry in entries]).encode()).hexdigest()[:32]


def _remove_unused(folder: Path, used: set[str]) -> None:
    for name in os.listdir(folder):
        if FILE.fullmatch(name) and name[6:38] not in used:
            with suppress(OSError):  # read-only; Windows keeps a file that another process maps
                (folder / name).unlink()
