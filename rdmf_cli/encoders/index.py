"""The local index of weights that `rdmf weights fetch` downloaded."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rdmf_cli.files import write_own
from rdmf_cli.folders import data_folder

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Fetched:
    """An entry of the index.

    Attributes:
        name: Name of the encoder, for `--encoder`.
        path: Path of the weights file.
        sha256: The hash of the weights file, in hexadecimal.
        size_bytes: The size of the weights file.
        source: The address of the download, without user, password and query string.
        verified: How the file was verified: "sha256", "size" or "nothing"; "": unknown.
        revisions: The commits of the files' repositories on the Hugging Face Hub, by repository.
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
        """Whether the file still exists with its full size."""
        path = Path(self.path)
        return path.is_file() and path.stat().st_size == self.size_bytes


def encoder_folder(name: str) -> Path:
    """Return the folder for an encoder's weights, configuration and tokenizer."""
    parts = name.replace(":", "/").split("/")
    return data_folder().joinpath("encoders", *parts)


def fetched() -> dict[str, Fetched]:
    """Return the entries whose files are still complete, by name."""
    known = map(_entry, _read(_index()).values())
    return {entry.name: entry for entry in known if entry is not None and entry.is_whole}


def known_revisions(name: str) -> dict[str, str]:
    """Return the recorded commits of an encoder, by repository, even if its files are gone."""
    entry = _entry(_read(_index()).get(name))
    return {} if entry is None else dict(entry.revisions)


def _entry(content: Any) -> Fetched | None:
    try:
        return Fetched(**content)
    except TypeError:  # written by another version, or by hand
        return None


def remember(entry: Fetched) -> None:
    """Add an entry to the index, and its hash to the recorded hashes."""
    _update(_index(), entry.name, asdict(entry))
    path = Path(entry.path)
    _update(_hashes(), str(path.resolve()), [*_stamp(path), entry.sha256])


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Hashes are recorded by path, size and modification time, so that large files are read only once.
    """
    stamp = _stamp(path)
    key = str(path.resolve())
    known = _read(_hashes()).get(key)
    if known and known[:2] == stamp:
        return str(known[2])
    sha256 = hash_stream(path).hexdigest()
    with suppress(OSError):  # without the record, the file is read again next time
        _update(_hashes(), key, [*stamp, sha256])
    return sha256


def _stamp(path: Path) -> list[int]:
    facts = path.stat()
    return [facts.st_size, facts.st_mtime_ns]


def hash_stream(path: Path) -> hashlib._Hash:
    """Compute the SHA-256 of a file; more bytes can be added to the result."""
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
    """Read a JSON object; return an empty object if the file is missing or damaged."""
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _update(file: Path, key: str, value: Any) -> None:
    from filelock import FileLock

    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock"):
        text = json.dumps({**_read(file), key: value}, indent=1)
        write_own(file, text.encode())
