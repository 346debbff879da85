"""The search for files of open_clip's models in the index and in caches of other programs.

"The hub" is the Hugging Face Hub; huggingface_hub is its client, with a cache of its own.
"""

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
    """Find the file of weights that open_clip knows by name; None: not on this machine."""
    remembered = fetched().get(weights.name)
    if remembered:
        return Path(remembered.path)
    return next((path for path in _cached_places(weights) if _is_whole(path, weights)), None)


def find_repository(repository: str) -> Path | None:
    """Find a folder with the configuration and weights of a hub repository; None: no folder."""
    places = [encoder_folder(HUB_PREFIX + repository), *_snapshots(repository)]
    return next((place for place in places if _is_complete(place)), None)


def weights_in(folder: Path) -> list[Path]:
    """Return the weights files of a folder; if a file has a name of `HUB_WEIGHTS`, only this file.

    If several files have such a name, the first name of `HUB_WEIGHTS` is taken.
    """
    named = [folder / name for name in HUB_WEIGHTS if (folder / name).is_file()]
    found = sorted(path for path in folder.iterdir() if path.suffix in WEIGHTS_SUFFIXES)
    return named[:1] or found


def _is_complete(folder: Path) -> bool:
    return (folder / HUB_CONFIG).is_file() and bool(weights_in(folder))


def _is_whole(path: Path, weights: Pretrained) -> bool:
    """Return whether a file exists and, if its address contains a hash, has this hash.

    After an interruption, open_clip's own downloader leaves an incomplete file under the full name.
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
    """Return the names that weights may have in a hub repository, the preferred one first.

    The order is as in open_clip: the usual names if none is given, and safetensors before pickle.

    Args:
        file: The name in open_clip's settings; may be empty.
    """
    if not file:
        return HUB_WEIGHTS
    stem, dot, suffix = file.rpartition(".")
    safe = stem + ".safetensors"
    return (safe, file) if dot and suffix in ("bin", "pth") else (file,)


def _snapshots(repository: str) -> Iterator[Path]:
    """Yield the folder in huggingface_hub's cache with the repository's newest known commit.

    Layout: models--ORG--NAME/refs/main contains a commit; snapshots/COMMIT contains the files of
    the commit (documentation of huggingface_hub, "Understand caching").
    """
    root = hub_cache() / f"models--{repository.replace('/', '--')}"
    with suppress(OSError):
        commit = (root / "refs" / "main").read_text("utf-8").strip()
        yield root / "snapshots" / commit


def hub_cache() -> Path:
    """Return the cache folder of huggingface_hub, from the environment variables that it reads."""
    home = os.environ.get("HF_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface"
    )
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub")).expanduser()
