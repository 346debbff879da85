"""The catalogue of a library: its videos and their states, in one SQLite file.

A change is stored completely or not at all, even if the program is killed. Each video is stored as
one change. Paths are stored as bytes, in the form that the system uses.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final

from rdmf_cli.errors import RdmfError
from rdmf_cli.features.said import Line

LAYOUT: Final = 1
"""The version of the tables; increase this number when the meaning of the tables changes."""

BUSY_SECONDS: Final = 60.0  # the longest wait for another process that writes
NO_ROOM: Final = ("database or disk is full", "disk I/O error")
TABLES: Final = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE roots (path BLOB PRIMARY KEY, exclude TEXT NOT NULL);
CREATE TABLE videos (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    path BLOB NOT NULL UNIQUE,
    bytes INTEGER, modified INTEGER, content TEXT,
    duration REAL NOT NULL DEFAULT 0, clips INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', key TEXT NOT NULL DEFAULT ''
);
"""

SPEECH: Final = """
CREATE VIRTUAL TABLE IF NOT EXISTS said USING fts5 (
    text, video UNINDEXED, start UNINDEXED, stop UNINDEXED, tokenize = 'porter unicode61'
)
"""
"""Lines that are said, with the number of their video. A search for a word finds all its forms."""


class State(str, Enum):
    """The state of a video in a library.

    Attributes:
        indexed: The features of the video belong to the present content of the file.
        stale: The file has changed since it was indexed.
        missing: The file does not exist any more; the features of the video are still searched.
        failed: The features of the video could not be extracted.
    """

    indexed = "indexed"
    stale = "stale"
    missing = "missing"
    failed = "failed"


@dataclass(frozen=True)
class Video:
    """One video of the catalogue.

    Attributes:
        path: The absolute path of the video.
        state: See `State`.
        reason: Why the video failed; empty for other states.
        bytes: Size of the file when it was last checked; None: unknown.
        modified: Modification time of the file when it was last checked, in nanoseconds.
        content: Fingerprint of the file that the features were made from.
        duration: Length in seconds.
        clips: Number of clips; 0: the video has no features.
        key: Key of the features in the store.
        number: The number of the video in the index; 0: the video is not in the catalogue yet.
    """

    path: str
    state: State
    reason: str = ""
    bytes: int | None = None
    modified: int | None = None
    content: str | None = None
    duration: float = 0.0
    clips: int = 0
    key: dict[str, Any] = field(default_factory=dict)
    number: int = 0


@dataclass(frozen=True)
class Root:
    """A path that was indexed, and the patterns that are excluded below it."""

    path: str
    exclude: tuple[str, ...]


class Catalogue:
    """The catalogue file; the caller ensures that only one process writes at a time."""

    def __init__(self, path: Path):
        """Open a catalogue, or make a new one.

        Raises:
            RdmfError: The file cannot be opened, is damaged, or was made by another release.
        """
        self.path = path
        with self._errors():
            self._database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            if not self._database.execute("PRAGMA user_version").fetchone()[0]:
                self._make()
            layout = self._database.execute("PRAGMA user_version").fetchone()[0]
        if layout != LAYOUT:
            what = f"this library is of another release of rdmf (layout {layout}, not {LAYOUT})"
            raise RdmfError(what, path.parent, "index the videos into another library")

    def _make(self) -> None:
        with self.change():
            if not self._database.execute("PRAGMA user_version").fetchone()[0]:
                for statement in TABLES.split(";")[:-1]:
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA user_version = {LAYOUT}")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Store everything that the block writes as one change: completely or not at all."""
        with self._errors():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # a full disk has ended the change
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if str(error) in NO_ROOM:
                what = f"the catalogue cannot be written ({error})"
                raise RdmfError(what, self.path, "free some space on the disk") from error
            todo = "check the disk and the permissions; if it is damaged, remove it and index again"
            raise RdmfError(f"the catalogue cannot be used ({error})", self.path, todo) from error

    def fact(self, name: str) -> str | None:
        """Return the value that is stored under a name; None: no value."""
        rows = self._rows("SELECT value FROM facts WHERE name = ?", name)
        return None if not rows else str(rows[0][0])

    def keep_fact(self, name: str, value: str) -> None:
        """Store a value under a name."""
        self._write("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value)

    def roots(self) -> list[Root]:
        """Return the paths that were indexed, sorted."""
        rows = self._rows("SELECT path, exclude FROM roots ORDER BY path")
        return [Root(os.fsdecode(path), tuple(json.loads(exclude))) for path, exclude in rows]

    def keep_root(self, root: Root) -> None:
        """Store a path that was indexed, so that it can be refreshed later."""
        exclude = json.dumps(root.exclude)
        self._write("INSERT OR REPLACE INTO roots VALUES (?, ?)", os.fsencode(root.path), exclude)

    def videos(self) -> list[Video]:
        """Return all videos, by number."""
        query = f"SELECT {COLUMNS} FROM videos ORDER BY number"  # noqa: S608
        return [_video(row) for row in self._rows(query)]

    def find(self, path: str) -> Video | None:
        """Return the video at a path; None: the catalogue does not have this video."""
        query = f"SELECT {COLUMNS} FROM videos WHERE path = ?"  # noqa: S608
        rows = self._rows(query, os.fsencode(path))
        return None if not rows else _video(rows[0])

    def keep(self, video: Video) -> None:
        """Add a video, or update the video at the same path and keep its number."""
        values = [getattr(video, name) for name in NAMES]
        values[0], values[1] = os.fsencode(video.path), video.state.value
        values[-1] = json.dumps(video.key, sort_keys=True) if video.key else ""
        update = ", ".join(f"{name} = excluded.{name}" for name in NAMES[1:])
        places = ", ".join("?" * len(NAMES))
        self._write(
            f"INSERT INTO videos ({', '.join(NAMES)}) VALUES ({places}) "  # noqa: S608
            f"ON CONFLICT (path) DO UPDATE SET {update}",
            *values,
        )

    def forget(self, path: str) -> None:
        """Remove a video from the catalogue; its file is not touched."""
        known = self.find(path)
        if known is not None and self._has_speech():
            self._write("DELETE FROM said WHERE video = ?", known.number)
        self._write("DELETE FROM videos WHERE path = ?", os.fsencode(path))

    def keep_lines(self, video: int, lines: Sequence[Line]) -> None:
        """Store the lines of a video, in place of its earlier lines; call this inside `change`."""
        self._write(SPEECH)
        self._write("DELETE FROM said WHERE video = ?", video)
        for line in lines:
            values = (line.text, video, line.start, line.end)
            self._write("INSERT INTO said (text, video, start, stop) VALUES (?, ?, ?, ?)", *values)

    def lines(self, video: int) -> tuple[Line, ...]:
        """Return the lines of a video, sorted by time."""
        if not self._has_speech():
            return ()
        query = "SELECT start, stop, text FROM said WHERE video = ? ORDER BY start, stop, rowid"
        return tuple(Line(*row) for row in self._rows(query, video))

    def videos_saying(self, words: Iterable[str], count: int) -> list[int]:
        """Return the numbers of the videos that say any of the words, the best match first.

        Args:
            words: Words without punctuation.
            count: Maximum number of lines that are read.
        """
        wanted = " OR ".join(f'"{word}"' for word in sorted(words) if '"' not in word)
        if not wanted or not self._has_speech():
            return []
        query = "SELECT video FROM said WHERE said MATCH ? ORDER BY rank, rowid LIMIT ?"
        return list(dict.fromkeys(int(row[0]) for row in self._rows(query, wanted, count)))

    def _has_speech(self) -> bool:
        return bool(self._rows("SELECT 1 FROM sqlite_master WHERE name = 'said'"))

    def _rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._errors(), closing(self._database.execute(statement, values)) as cursor:
            return cursor.fetchall()

    def _write(self, statement: str, *values: Any) -> None:
        with self._errors():
            self._database.execute(statement, values).close()


NAMES = (*("path", "state", "reason", "bytes", "modified", "content", "duration", "clips", "key"),)
COLUMNS = ", ".join((*NAMES, "number"))


def _video(row: tuple[Any, ...]) -> Video:
    path, state, *others, key, number = row
    known = dict(zip(NAMES[2:-1], others, strict=True))
    return Video(
        os.fsdecode(path), State(state), **known, key=json.loads(key) if key else {}, number=number
    )
