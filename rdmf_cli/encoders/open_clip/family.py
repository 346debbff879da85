"""The models of open_clip by their names; nothing here imports torch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rdmf_cli.encoders.base import FileProgress, Lack, Listed
from rdmf_cli.encoders.index import Fetched, fetched
from rdmf_cli.encoders.open_clip.catalog import HUB_PREFIX, Pretrained, is_installed, load_catalog
from rdmf_cli.encoders.open_clip.local_files import find_tagged
from rdmf_cli.encoders.open_clip.names import find_blueprint, named_weights
from rdmf_cli.errors import MissingExtra, how_to_install

if TYPE_CHECKING:
    from rdmf_cli.encoders.base import Encoder


class OpenClipFamily:
    """Models that open_clip knows by name, on the hub, or in files of the user's."""

    def claims(self, name: str) -> bool:
        """Tell whether it is ARCHITECTURE/WEIGHTS, hf-hub:ORG/NAME, or a file or folder.

        Without open_clip its names are not known: all that look like one are claimed.
        """
        if name.startswith(HUB_PREFIX) or os.path.exists(os.path.expanduser(name)):
            return True
        return load_catalog().split(name) is not None if is_installed() else "/" in name

    def lacks(self, name: str) -> Lack | None:
        """Say whether open_clip or the weights are missing."""
        fetch = f"rdmf weights fetch {name}"
        if not is_installed():
            return Lack("open_clip is not installed", (how_to_install("clip"), fetch))
        weights = named_weights(name, load_catalog())
        if name in fetched() or (weights is not None and find_tagged(weights) is not None):
            return None
        return Lack(f"the weights of {name} are not on this machine", (fetch,))

    def load(self, name: str, device: str, precision: str) -> Encoder:
        """Make the encoder of that name; its network is built when the first frame or text comes.

        Raises:
            UsageError: There is no such model, device or precision; near names are listed.
            MissingExtra: open_clip is not installed.
            RdmfError: Its weights have to be fetched first.
        """
        if not is_installed():
            raise MissingExtra(f"the encoder {name}", "clip")
        from rdmf_cli.encoders.open_clip.encoder import OpenClipEncoder

        return OpenClipEncoder(find_blueprint(name), device, precision)

    def fetch(self, name: str, progress: FileProgress, unverified: bool) -> Fetched:
        """Bring the weights here: see `open_clip/fetch.py`."""
        from rdmf_cli.encoders.open_clip.fetch import fetch

        return fetch(name, progress, unverified)

    def listed(self) -> Iterator[Listed]:
        """List what was fetched, then all that the installed open_clip has a name for."""
        for name, entry in fetched().items():
            yield Listed(name, Path(entry.path), "fetched")
        yield from map(_listed, load_catalog() if is_installed() else ())

    def names(self) -> Iterable[str]:
        """List architectures, and their weights by name."""
        return load_catalog().names() if is_installed() else [BEST_KNOWN]


BEST_KNOWN = "ViT-B-32/openai"
"""The model of most published features: what is suggested where open_clip's names are unknown."""


def _listed(weights: Pretrained) -> Listed:
    path = find_tagged(weights)
    return Listed(weights.name, path, "cache" if path else "")


FAMILY = OpenClipFamily()
