"""The family of open_clip's models; this module does not import torch."""

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
    """The models of open_clip: known by name, on the Hugging Face Hub, in a file or in a folder."""

    def claims(self, name: str) -> bool:
        """Return whether a name is ARCHITECTURE/WEIGHTS, hf-hub:ORG/NAME, a file or a folder.

        If open_clip is not installed, its names are unknown; then the family claims every name with
        a slash.
        """
        if name.startswith(HUB_PREFIX) or os.path.exists(os.path.expanduser(name)):
            return True
        return load_catalog().split(name) is not None if is_installed() else "/" in name

    def lacks(self, name: str) -> Lack | None:
        """Return what is missing: open_clip or the weights; None: nothing is missing."""
        fetch = f"rdmf weights fetch {name}"
        if not is_installed():
            return Lack("open_clip is not installed", (how_to_install("clip"), fetch))
        weights = named_weights(name, load_catalog())
        if name in fetched() or (weights is not None and find_tagged(weights) is not None):
            return None
        return Lack(f"the weights of {name} are not on this machine", (fetch,))

    def load(self, name: str, device: str, precision: str) -> Encoder:
        """Make the encoder of a name; the network is built when the first frame or text arrives.

        Raises:
            UsageError: There is no such model (the error lists similar names), device or precision.
            MissingExtra: open_clip is not installed.
            RdmfError: The weights are not on this machine.
        """
        if not is_installed():
            raise MissingExtra(f"the encoder {name}", "clip")
        from rdmf_cli.encoders.open_clip.encoder import OpenClipEncoder

        return OpenClipEncoder(find_blueprint(name), device, precision)

    def fetch(self, name: str, progress: FileProgress, unverified: bool) -> Fetched:
        """Download the weights; see `open_clip/fetch.py`."""
        from rdmf_cli.encoders.open_clip.fetch import fetch

        return fetch(name, progress, unverified)

    def listed(self) -> Iterator[Listed]:
        """Yield the fetched models, then all models that the installed open_clip has a name for."""
        for name, entry in fetched().items():
            yield Listed(name, Path(entry.path), "fetched")
        yield from map(_listed, load_catalog() if is_installed() else ())

    def names(self) -> Iterable[str]:
        """Return the names of all architectures and weights."""
        return load_catalog().names() if is_installed() else [BEST_KNOWN]


BEST_KNOWN = "ViT-B-32/openai"
"""The model of most published features: the suggestion if open_clip is not installed."""


def _listed(weights: Pretrained) -> Listed:
    path = find_tagged(weights)
    return Listed(weights.name, path, "cache" if path else "")


FAMILY = OpenClipFamily()
