"""Which weights are on this machine: what rdmf fetched, and the caches of others."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from rdmf_cli.encoders.catalog import HUB_PREFIX, Pretrained
from rdmf_cli.files import write_whole
from rdmf_cli.folders import data_folder

HUB_CONFIG = "open_clip_config.json"
HUB_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
)
WEIGHTS_SUFFIXES = (".safetensors", ".bin", ".pth", ".pt", ".npz")
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Fetched:
    """One line of rdmf's memory: weights that `rdmf weights fetch` brought here.

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
    parts = name.replace(HUB_PREFIX, "hf-hub/").split("/")
    return data_folder().joinpath("encoders", *parts)


def fetched() -> dict[str, Fetched]:
    """What was fetched and is still whole, by name."""
    known = map(_entry, _read(_memory()).values())
    return {entry.name: entry for entry in known if entry is not None and entry.is_whole}


def known_revisions(name: str) -> dict[str, str]:
    """The commits that were remembered of an encoder, whether or not its files are still here."""
    entry = _entry(_read(_memory()).get(name))
    return {} if entry is None else dict(entry.revisions)


def _entry(content: Any) -> Fetched | None:
    try:
        return Fetched(**content)
    except TypeError:  # written by another version, or by hand
        return None


def remember(entry: Fetched) -> None:
    """Adds one line to the memory, and the hash to those that need no reading of the file."""
    _update(_memory(), entry.name, asdict(entry))
    path = Path(entry.path)
    _update(_hashes(), str(path.resolve()), [*_stamp(path), entry.sha256])


def find_tagged(weights: Pretrained) -> Path | None:
    """The file of open_clip's named weights, where some cache has it."""
    remembered = fetched().get(weights.name)
    if remembered:
        return Path(remembered.path)
    return next((path for path in _cached_places(weights) if _is_whole(path, weights)), None)


def find_repository(repository: str) -> Path | None:
    """A folder with a hub repository's configuration and weights, where some cache has both."""
    places = [encoder_folder(HUB_PREFIX + repository), *_snapshots(repository)]
    return next((place for place in places if _is_complete(place)), None)


def weights_in(folder: Path) -> list[Path]:
    """The weights files of a folder, those under open_clip's own names alone if there are any."""
    named = [folder / name for name in HUB_WEIGHTS if (folder / name).is_file()]
    found = sorted(path for path in folder.iterdir() if path.suffix in WEIGHTS_SUFFIXES)
    return named[:1] or found


def _is_complete(folder: Path) -> bool:
    return (folder / HUB_CONFIG).is_file() and bool(weights_in(folder))


def _is_whole(path: Path, weights: Pretrained) -> bool:
    """Whether the file is there and, where it is the one of the address, has its hash.

    open_clip's own downloader leaves half a file under the full name when it is interrupted.
    """
    if not path.is_file():
        return False
    is_of_address = path.name == weights.settings.get("url", "").rpartition("/")[2]
    return not is_of_address or file_sha256(path).startswith(weights.url_hash)


def _cached_places(weights: Pretrained) -> Iterator[Path]:
    repository, _, file = weights.settings.get("hf_hub", "").rpartition("/")
    for snapshot in _snapshots(repository) if repository else ():
        yield from (snapshot / name for name in hub_files(file))
    url = weights.settings.get("url", "")
    if url:
        yield Path("~/.cache/clip", url.rpartition("/")[2]).expanduser()


def hub_files(file: str) -> tuple[str, ...]:
    """The names under which a hub repository may hold weights, the best first.

    open_clip's rule: the usual names where none is given, and safetensors before a pickle.
    """
    if not file:
        return HUB_WEIGHTS
    stem, dot, suffix = file.rpartition(".")
    safe = stem + ".safetensors"
    return (safe, file) if dot and suffix in ("bin", "pth") else (file,)


def _snapshots(repository: str) -> Iterator[Path]:
    """The hub client's folder for the repository's newest known commit.

    Layout: models--ORG--NAME/refs/main holds a commit, snapshots/COMMIT its files (the hub
    client's documentation, "Understand caching").
    """
    root = hub_cache() / f"models--{repository.replace('/', '--')}"
    with suppress(OSError):
        commit = (root / "refs" / "main").read_text("utf-8").strip()
        yield root / "snapshots" / commit


def hub_cache() -> Path:
    """The hub client's cache, by its own environment variables."""
    home = os.environ.get("HF_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface"
    )
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub")).expanduser()


def file_sha256(path: Path) -> str:
    """A file's sha256 in hexadecimal, remembered by path, size and time of change."""
    stamp = _stamp(path)
    key = str(path.resolve())
    known = _read(_hashes()).get(key)
    if known and known[:2] == stamp:
        return str(known[2])
    sha256 = hash_stream(path).hexdigest()
    with suppress(OSError):  # a memory that cannot be written costs time, nothing else
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


def _memory() -> Path:
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
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock"):
        told = json.dumps({**_read(file), key: value}, indent=1)
        write_whole(file, told.encode(), own=True)
