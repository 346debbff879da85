"""Which files an encoder's name stands for, and how they come to this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from rdmf_cli.encoders import shelf
from rdmf_cli.encoders.blueprint import check_repository, described, read_config
from rdmf_cli.encoders.catalog import (
    AUTO,
    EMBEDDED,
    HUB_PREFIX,
    Catalog,
    Pretrained,
    load_catalog,
)
from rdmf_cli.encoders.download import (
    Downloaded,
    NotOnServerError,
    Remote,
    UnreachableError,
    download,
)
from rdmf_cli.encoders.shelf import Fetched
from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.files import write_whole

FileProgress = Callable[[str, int, "int | None"], None]
"""Called with a file's name, the bytes that are here, and the bytes there will be."""

_TOKENIZER_FILES = (
    "config.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)


def fetch(name: str, progress: FileProgress = lambda file, done, total: None) -> Fetched:
    """Brings an encoder's weights to this machine and remembers them.

    name: "ViT-B-32/openai" or any other name of open_clip, or "hf-hub:ORG/NAME"

    What is here already is not fetched again. The hub is the one the hub's own client would
    use (HF_ENDPOINT, HF_TOKEN). Raises UsageError for names of nothing, MissingExtra where
    open_clip is not installed, RdmfError where the transfer fails; what came is kept and the
    next call continues it.
    """
    if name in (AUTO, EMBEDDED):
        raise UsageError("comes with rdmf, there is nothing to fetch", name, "name another encoder")
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise RdmfError("downloads are switched off", "HF_HUB_OFFLINE", "unset it, then try again")
    catalog = load_catalog()
    if name.startswith(HUB_PREFIX):
        return _recall(name) or _fetch_repository(name, progress)
    weights = _named(name, catalog)
    return _recall(weights.name) or _adopt(weights) or _fetch_tagged(weights, catalog, progress)


def _recall(name: str) -> Fetched | None:
    return shelf.fetched().get(name)


def _adopt(weights: Pretrained) -> Fetched | None:
    """Weights that another program brought here, where they are all that the model needs."""
    path = shelf.find_tagged(weights)
    config, _ = described(weights, load_catalog())
    if path is None or _hub_parts(config):
        return None
    sha256, size_bytes = shelf.file_sha256(path), path.stat().st_size
    return _remember(Fetched(weights.name, str(path), sha256, size_bytes, "cache"))


def _named(name: str, catalog: Catalog) -> Pretrained:
    split = catalog.split(name)
    if split is None:
        raise catalog.unknown(name)
    weights = catalog.tagged(*split)
    if weights is None:
        raise catalog.unknown_tag(*split)
    return weights


def _fetch_tagged(weights: Pretrained, catalog: Catalog, progress: FileProgress) -> Fetched:
    folder = shelf.encoder_folder(weights.name)
    brought, remote = _first_of(_sources(weights), folder, progress)
    config, preprocessing = described(weights, catalog)
    _fetch_hub_parts(config, folder, progress)
    content = {"model_cfg": config, "preprocess_cfg": preprocessing}
    write_whole(folder / shelf.HUB_CONFIG, json.dumps(content, indent=1).encode(), own=True)
    return _remember(_entry(weights.name, brought, remote))


def _fetch_repository(name: str, progress: FileProgress) -> Fetched:
    repository = name.removeprefix(HUB_PREFIX)
    check_repository(repository)
    folder = shelf.encoder_folder(name)
    _get(_on_hub(repository, shelf.HUB_CONFIG), folder, progress)
    config = read_config(folder)["model_cfg"]
    remotes = [_on_hub(repository, file) for file in shelf.HUB_WEIGHTS]
    brought, remote = _first_of(remotes, folder, progress)
    _fetch_hub_parts(config, folder, progress)
    return _remember(_entry(name, brought, remote))


def _sources(weights: Pretrained) -> Iterator[Remote]:
    """Where a file may be had: on the hub as safetensors, on the hub, at its first address."""
    repository, _, file = weights.settings.get("hf_hub", "").rpartition("/")
    if repository:
        yield from (_on_hub(repository, name) for name in shelf.hub_files(file))
    if weights.settings.get("url"):
        yield Remote(weights.settings["url"], weights.url_hash)


def _on_hub(repository: str, file: str) -> Remote:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    url = hf_hub_url(repository, file, endpoint=os.environ.get("HF_ENDPOINT"))
    return Remote(url, headers=build_hf_headers(library_name="rdmf"))


def _first_of(
    remotes: Iterable[Remote], folder: Path, progress: FileProgress
) -> tuple[Downloaded, Remote]:
    """The first of several places that has the file; a host that is out of reach is asked once.

    A chosen hub (HF_ENDPOINT) that cannot be reached is an error: whoever set it does not want
    another host to be asked.
    """
    failures: dict[str, RdmfError] = {}
    for remote in remotes:
        if isinstance(failures.get(remote.host), UnreachableError):
            continue
        try:
            return _get(remote, folder, progress), remote
        except (NotOnServerError, UnreachableError) as error:
            failures.setdefault(remote.host, error)
            if isinstance(error, UnreachableError) and os.environ.get("HF_ENDPOINT"):
                break
    nowhere = RdmfError("open_clip names no place for it", folder.name, "choose another model")
    raise next(iter(failures.values()), nowhere)


def _get(remote: Remote, folder: Path, progress: FileProgress) -> Downloaded:
    file = remote.url.partition("?")[0].rpartition("/")[2]
    return download(remote, folder / file, lambda done, total: progress(file, done, total))


def _hub_parts(config: dict[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    """Repositories, and the files of theirs, that a model needs beside its weights.

    Every tokenizer has some of the files, none has all. The text tower comes last, since its
    config.json describes the network.
    """
    text = config.get("text_cfg", {})
    tokenizer, tower = text.get("hf_tokenizer_name"), text.get("hf_model_name")
    parts = [(tokenizer, _TOKENIZER_FILES), (tower, _TOKENIZER_FILES[:1])]
    return [(repository, files) for repository, files in parts if repository]


def _fetch_hub_parts(config: dict[str, Any], folder: Path, progress: FileProgress) -> None:
    for repository, files in _hub_parts(config):
        for file in files:
            with suppress(NotOnServerError):
                _get(_on_hub(repository, file), folder, progress)


def _entry(name: str, brought: Downloaded, remote: Remote) -> Fetched:
    source = remote.url.partition("?")[0]
    return Fetched(name, str(brought.path), brought.sha256, brought.size_bytes, source)


def _remember(entry: Fetched) -> Fetched:
    shelf.remember(entry)
    return entry
