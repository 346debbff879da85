"""The download of an open_clip model: its weights, configuration and tokenizer.

"The hub" is the Hugging Face Hub, or the server that HF_ENDPOINT names.
"""

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
from rdmf_cli.files import write_own

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
    """Download the weights of an encoder and add them to the index.

    Files that are on this machine are not downloaded again. The environment variables HF_ENDPOINT
    and HF_TOKEN of huggingface_hub also apply here. All files of a repository come from one commit.
    The commit is recorded, so that a later download gives the same files.

    Args:
        name: "ViT-B-32/openai" or another name of open_clip, or "hf-hub:ORG/NAME".
        progress: A function that is called with the name of a file, the bytes received and the
            bytes in total.
        unverified: Accept files if the server states neither hash nor length.

    Raises:
        UsageError: There is no such model.
        MissingExtra: open_clip is not installed.
        RdmfError: The download failed; the next call resumes the download.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise RdmfError("downloads are switched off", "HF_HUB_OFFLINE", "unset it and try again")
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
    """Use weights that another program downloaded, if the model needs no files besides them."""
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
    """The download of all files of one encoder; each hub repository at one commit."""

    def __init__(self, name: str, progress: FileProgress, unverified: bool):
        self.name = name
        self.folder = index.encoder_folder(name)
        self.revisions = index.known_revisions(name)
        self._progress = progress
        self._unverified = unverified

    def tagged(self, weights: Pretrained, catalog: Catalog) -> Fetched:
        """Download weights that open_clip knows by name."""
        brought, remote = self._first_of(self._sources(weights))
        config, preprocessing = described(weights, catalog)
        self._hub_parts(config)
        content = {"model_cfg": config, "preprocess_cfg": preprocessing}
        write_own(self.folder / HUB_CONFIG, json.dumps(content, indent=1).encode())
        return self._remembered(brought, remote)

    def repository(self) -> Fetched:
        """Download a model of the hub, with its configuration."""
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
        """Yield the sources of a file: the hub (safetensors first), then its original address."""
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
        """Download from the first source that has the file; try an unreachable host only once.

        If HF_ENDPOINT is set and this hub cannot be reached, no other host is tried.
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
        what = "open_clip lists no download address for this model"
        nowhere = RdmfError(what, self.name, "choose another model")
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
    """Return the headers for the hub; huggingface_hub's own function may send a request."""
    from huggingface_hub import constants, get_token

    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    headers = {"user-agent": f"rdmf/{rdmf_cli.__version__}"}
    return {**headers, "authorization": f"Bearer {token}"} if token else headers


def _hub_parts(config: dict[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the repositories and files that a model needs in addition to its weights.

    A tokenizer has only some of the files. The text tower comes last, so that its config.json
    (which describes the network) replaces any earlier config.json.
    """
    text = config.get("text_cfg", {})
    tokenizer, tower = text.get("hf_tokenizer_name"), text.get("hf_model_name")
    parts = [(tokenizer, _TOKENIZER_FILES), (tower, _TOKENIZER_FILES[:1])]
    return [(repository, files) for repository, files in parts if repository]


def _remember(entry: Fetched) -> Fetched:
    index.remember(entry)
    return entry
