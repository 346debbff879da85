"""Which files an encoder's name stands for, and how they come to this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import rdmf_cli
from rdmf_cli.encoders import index
from rdmf_cli.encoders.base import FileProgress
from rdmf_cli.encoders.download import (
    Downloaded,
    NotOnServerError,
    Remote,
    UnreachableError,
    download,
)
from rdmf_cli.encoders.index import Fetched
from rdmf_cli.encoders.open_clip.blueprint import check_repository, described, read_config
from rdmf_cli.encoders.open_clip.catalog import (
    HUB_PREFIX,
    Catalog,
    Pretrained,
    load_catalog,
)
from rdmf_cli.encoders.open_clip.local_files import HUB_CONFIG, HUB_WEIGHTS, find_tagged, hub_files
from rdmf_cli.errors import RdmfError
from rdmf_cli.files import write_whole

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


def fetch(name: str, progress: FileProgress, unverified: bool = False) -> Fetched:
    """Brings an encoder's weights to this machine and remembers them.

    name:       "ViT-B-32/openai" or any other name of open_clip, or "hf-hub:ORG/NAME"
    unverified: take also files of which the server tells neither hash nor length

    What is here already is not fetched again. The hub is the one the hub's own client would
    use (HF_ENDPOINT, HF_TOKEN). All files of a repository are of one commit, which is remembered:
    should the weights be lost, the same ones come again.

    Raises UsageError for names of nothing, MissingExtra where open_clip is not installed, RdmfError
    where the transfer fails; what came is kept and the next call continues it.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise RdmfError("downloads are switched off", "HF_HUB_OFFLINE", "unset it, then try again")
    catalog = load_catalog()
    if name.startswith(HUB_PREFIX):
        check_repository(name.removeprefix(HUB_PREFIX))
        return _recall(name) or _Fetching(name, progress, unverified).repository()
    weights = _named(name, catalog)
    here = _recall(weights.name) or _adopt(weights)
    return here or _Fetching(weights.name, progress, unverified).tagged(weights, catalog)


def _recall(name: str) -> Fetched | None:
    return index.fetched().get(name)


def _adopt(weights: Pretrained) -> Fetched | None:
    """Weights that another program brought here, where they are all that the model needs."""
    path = find_tagged(weights)
    config, _ = described(weights, load_catalog())
    if path is None or _hub_parts(config):
        return None
    sha256, size_bytes = index.file_sha256(path), path.stat().st_size
    return _remember(Fetched(weights.name, str(path), sha256, size_bytes, "cache"))


def _named(name: str, catalog: Catalog) -> Pretrained:
    split = catalog.split(name)
    if split is None:
        raise catalog.unknown(name)
    weights = catalog.tagged(*split)
    if weights is None:
        raise catalog.unknown_tag(*split)
    return weights


class _Fetching:
    """The files of one encoder on their way; every repository of the hub at one commit."""

    def __init__(self, name: str, progress: FileProgress, unverified: bool):
        self.name = name
        self.folder = index.encoder_folder(name)
        self.revisions = index.known_revisions(name)
        self._progress = progress
        self._unverified = unverified

    def tagged(self, weights: Pretrained, catalog: Catalog) -> Fetched:
        """The weights that open_clip has a name for."""
        brought, remote = self._first_of(self._sources(weights))
        config, preprocessing = described(weights, catalog)
        self._hub_parts(config)
        content = {"model_cfg": config, "preprocess_cfg": preprocessing}
        told = json.dumps(content, indent=1).encode()
        write_whole(self.folder / HUB_CONFIG, told, own=True)
        return self._remembered(brought, remote)

    def repository(self) -> Fetched:
        """A model of the hub, with the configuration that its repository holds."""
        repository = self.name.removeprefix(HUB_PREFIX)
        self._get(self._on_hub(repository, HUB_CONFIG))
        config = read_config(self.folder)["model_cfg"]
        brought, remote = self._first_of(self._on_hub(repository, f) for f in HUB_WEIGHTS)
        self._hub_parts(config)
        return self._remembered(brought, remote)

    def _remembered(self, brought: Downloaded, remote: Remote) -> Fetched:
        return _remember(
            Fetched(
                self.name,
                str(brought.path),
                brought.sha256,
                brought.size_bytes,
                remote.shown,
                brought.verified,
                self.revisions,
            )
        )

    def _sources(self, weights: Pretrained) -> Iterator[Remote]:
        """Where a file may be had: on the hub as safetensors, on the hub, at its first address."""
        repository, _, file = weights.settings.get("hf_hub", "").rpartition("/")
        if repository:
            yield from (self._on_hub(repository, name) for name in hub_files(file))
        if weights.settings.get("url"):
            yield Remote(weights.settings["url"], weights.url_hash)

    def _on_hub(self, repository: str, file: str) -> Remote:
        from huggingface_hub import hf_hub_url

        endpoint, revision = os.environ.get("HF_ENDPOINT"), self.revisions.get(repository)
        url = hf_hub_url(repository, file, endpoint=endpoint, revision=revision)
        return Remote(url, headers=_hub_headers(), repository=repository)

    def _first_of(self, remotes: Iterable[Remote]) -> tuple[Downloaded, Remote]:
        """The first of several places that has the file; a host out of reach is asked once.

        A chosen hub (HF_ENDPOINT) that cannot be reached is an error: whoever set it does not want
        another host to be asked.
        """
        failures: dict[str, RdmfError] = {}
        for remote in remotes:
            if isinstance(failures.get(remote.host), UnreachableError):
                continue
            try:
                return self._get(remote), remote
            except (NotOnServerError, UnreachableError) as error:
                failures.setdefault(remote.host, error)
                if isinstance(error, UnreachableError) and os.environ.get("HF_ENDPOINT"):
                    break
        nowhere = RdmfError("open_clip names no place for it", self.name, "choose another model")
        raise next(iter(failures.values()), nowhere)

    def _get(self, remote: Remote) -> Downloaded:
        file = remote.shown.rpartition("/")[2]
        brought = download(
            remote,
            self.folder / file,
            lambda done, total: self._progress(file, done, total),
            self._unverified,
        )
        if remote.repository and brought.revision:
            self.revisions.setdefault(remote.repository, brought.revision)
        return brought

    def _hub_parts(self, config: dict[str, Any]) -> None:
        for repository, files in _hub_parts(config):
            for file in files:
                with suppress(NotOnServerError):
                    self._get(self._on_hub(repository, file))


def _hub_headers() -> dict[str, str]:
    """What the hub is told of us. Its client's own function may ask the hub before it answers."""
    from huggingface_hub import constants, get_token

    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    said = {"user-agent": f"rdmf/{rdmf_cli.__version__}"}
    return {**said, "authorization": f"Bearer {token}"} if token else said


def _hub_parts(config: dict[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    """Repositories, and the files of theirs, that a model needs beside its weights.

    Every tokenizer has some of the files, none has all. The text tower comes last, since its
    config.json describes the network.
    """
    text = config.get("text_cfg", {})
    tokenizer, tower = text.get("hf_tokenizer_name"), text.get("hf_model_name")
    parts = [(tokenizer, _TOKENIZER_FILES), (tower, _TOKENIZER_FILES[:1])]
    return [(repository, files) for repository, files in parts if repository]


def _remember(entry: Fetched) -> Fetched:
    index.remember(entry)
    return entry
