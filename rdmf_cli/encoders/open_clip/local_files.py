"""The files of open_clip's models: what rdmf fetched, and other programs' caches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rdmf_cli.encoders.index import encoder_folder, fetched, file_sha256
from rdmf_cli.encoders.open_clip.catalog import HUB_PREFIX, Pretrained

HUB_CONFIG = "open_clip_config.json"
HUB_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
)
WEIGHTS_SUFFIXES = (".safetensors", ".bin", ".pth", ".pt", ".npz")


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
