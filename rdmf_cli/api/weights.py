"""Encoders on this machine: list them, and fetch more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rdmf_cli.encoders.recommended import RECOMMENDED, Recommended
from rdmf_cli.outputs.payloads.upkeep import EncoderEntry

if TYPE_CHECKING:
    from rdmf_cli.encoders.index import Fetched

__all__ = ["RECOMMENDED", "Recommended", "fetch", "how_verified", "list_encoders"]


def list_encoders(everything: bool = False) -> list[EncoderEntry]:
    """List the encoders on this machine; with `everything`, also the encoders to fetch."""
    from rdmf_cli.encoders.registry import list_encoders as listed

    return [
        EncoderEntry(
            name=encoder.name,
            here=encoder.is_here,
            source=encoder.source,
            path=None if encoder.path is None else str(encoder.path),
        )
        for encoder in listed()
        if everything or encoder.is_here
    ]


def fetch(
    name: str, progress: Callable[[str, int, int | None], None], unverified: bool = False
) -> Fetched:
    """Download the weights of an encoder, check them, and remember them.

    Args:
        name: The short name of a recommended encoder ("better"), an open_clip name
            ("ViT-B-32/openai") or "hf-hub:ORG/NAME".
        progress: A function that is called with the file's name, the bytes done, and the bytes in
            all (if known).
        unverified: Accept a file even if the server gives neither its hash nor its size.
    """
    from rdmf_cli.encoders.registry import fetch as fetched

    return fetched(name, progress, unverified)


def how_verified(entry: Fetched) -> str:
    """Return in words where fetched weights came from and how rdmf verified them."""
    if not entry.verified:
        return "found on this machine, as another program left it"
    by = {"sha256": "a known sha256", "size": "its size alone", "nothing": "nothing"}
    return f"from {entry.source}, verified by {by[entry.verified]}"
