"""The index of fetched weights: which encoders `rdmf weights fetch` brought to this machine."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rdmf_cli.files import write_whole
from rdmf_cli.folders import data_folder

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Fetched:
    """One entry of the index: weights that `rdmf weights fetch` brought here.

    source:    the address they came from, without its query
    verified:  what told that they are whole: "sha256", "size", "nothing"; "" where not known
    revisions: the commit that every repository of the hub was at, by repository
    """

    name: str
    path: str
    sha256: str
    size_bytes: int
    source: str
    verified: str = ""
    revisions: dict[str, str] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether the file is still there, at its full length."""
        path = Path(self.path)
        return path.is_file() and path.stat().st_size == self.size_bytes


def encoder_folder(name: str) -> Path:
    """The folder of one encoder: its weights, configuration and tokenizer."""
    parts = name.replace(":", "/").split("/")
    return data_folder().joinpath("encoders", *parts)


def fetched() -> dict[str, Fetched]:
    """What was fetched and is still whole, by name."""
    known = map(_entry, _read(_index()).values())
    return {entry.name: entry for entry in known if entry is not None and entry.is_whole}


def known_revisions(name: str) -> dict[str, str]:
    """The commits that were remembered of an encoder, whether or not its files are still here."""
    entry = _entry(_read(_index()).get(name))
    return {} if entry is None else dict(entry.revisions)


def _entry(content: Any) -> Fetched | None:
    try:
        return Fetched(**content)
    except TypeError:  # written by another version, or by hand
        return None


def remember(entry: Fetched) -> None:
    """Add an entry to the index, and its hash to those that need no reading of the file."""
    _update(_index(), entry.name, asdict(entry))
    path = Path(entry.path)
    _update(_hashes(), str(path.resolve()), [*_stamp(path), entry.sha256])


def file_sha256(path: Path) -> str:
    """A file's sha256 in hexadecimal, remembered by path, size and time of change."""
    stamp = _stamp(path)
    key = str(path.resolve())
    known = _read(_hashes()).get(key)
    if known and known[:2] == stamp:
        return str(known[2])
    sha256 = hash_stream(path).hexdigest()
    with suppress(OSError):  # hashes that cannot be kept cost time, nothing else
        _update(_hashes(), key, [*stamp, sha256])
    return sha256


def _stamp(path: Path) -> list[int]:
    facts = path.stat()
    return [facts.st_size, facts.st_mtime_ns]


def hash_stream(path: Path) -> hashlib._Hash:
    """The sha256 of a file so far, ready to take more bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest


def _index() -> Path:
    return data_folder() / "encoders" / "fetched.json"


def _hashes() -> Path:
    return data_folder() / "encoders" / "sha256.json"


def _read(file: Path) -> dict[str, Any]:
    """A JSON object; empty where the file is missing or spoilt: all in it can be found anew."""
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _update(file: Path, key: str, value: Any) -> None:
    from filelock import FileLock

    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock"):
        told = json.dumps({**_read(file), key: value}, indent=1)
        write_whole(file, told.encode(), own=True)
