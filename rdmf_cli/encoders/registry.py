"""The families of encoders, and the choice of an encoder by the name that a user types.

To add a family, make a folder beside this file with a `family.py` that holds a `FAMILY` (the
interface `EncoderFamily` is in `base.py`). Add an entry here, tests, and a line in the README. The
help of `--encoder`, `rdmf weights` and messages are made from the entries. This module imports
neither numpy nor torch.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from rdmf_cli.encoders.base import (
    Encoder,
    EncoderFamily,
    FileProgress,
    Lack,
    Listed,
    unknown_encoder,
)
from rdmf_cli.encoders.index import Fetched
from rdmf_cli.encoders.recommended import named
from rdmf_cli.errors import UsageError
from rdmf_cli.registry import Entry, Registry

HERE = "rdmf_cli.encoders"

FAMILIES: Registry[Entry[EncoderFamily]] = Registry(
    "family of encoders",
    Entry("embedded", "the encoder that is part of rdmf", f"{HERE}.embedded.family:FAMILY"),
    Entry(
        "open_clip",
        "ARCHITECTURE/WEIGHTS, hf-hub:ORG/NAME, a file or a folder",
        f"{HERE}.open_clip.family:FAMILY",
    ),
)
"""The first family that claims a name gets the name."""

AUTO = "auto"
PREFERRED = ("ViT-B-32/openai", "embedded")
"""The candidates of "auto": it takes the first usable encoder. The last is always usable."""

logger = logging.getLogger("rdmf")


@dataclass(frozen=True)
class ChosenEncoder:
    """The encoder that was chosen, and why.

    Attributes:
        name: The encoder's name, for `load_encoder`.
        reason: Why the encoder was chosen, a clause; empty if the user named the encoder.
        better: Commands that install a better encoder, in order.
    """

    name: str
    reason: str = ""
    better: tuple[str, ...] = ()

    def line(self) -> str:
        """Return the choice, as one line for stderr.

        >>> ChosenEncoder("embedded", "no other here", ("rdmf weights fetch X",)).line()
        'encoder: embedded (no other here); for better answers: rdmf weights fetch X'
        """
        why = f" ({self.reason})" if self.reason else ""
        how = f"; for better answers: {', then '.join(self.better)}" if self.better else ""
        return f"encoder: {self.name}{why}{how}"


def family_of(name: str) -> EncoderFamily:
    """Find the family that claims the name of an encoder.

    Raises:
        UsageError: No family claims it; the error lists similar names.
    """
    for entry in FAMILIES.values():
        family = entry.load()
        if family.claims(name):
            return family
    known = (name for entry in FAMILIES.values() for name in entry.load().names())
    raise unknown_encoder(name, [AUTO, *known])


def choose_encoder(name: str = AUTO) -> ChosenEncoder:
    """Resolve "auto" to the first usable encoder of `PREFERRED`; keep other names."""
    if name != AUTO:
        return ChosenEncoder(name)
    lacks: list[Lack] = []
    for preferred in PREFERRED:
        lack = family_of(preferred).lacks(preferred)
        if lack is None:
            break
        lacks.append(lack)
    why = lacks[0] if lacks else Lack("its weights are on this machine", ())
    return ChosenEncoder(preferred, why.reason, why.commands)


def load_encoder(name: str = AUTO, device: str = "auto", precision: str = "float32") -> Encoder:
    """Make the encoder of a name, without any download.

    Args:
        name: "auto", or a name that a family of `FAMILIES` claims: "embedded", "ViT-B-32/openai".
        device: The device to run on: "auto", "cpu", "cuda", "cuda:1", "mps".
        precision: "float32" or "bfloat16".

    Raises:
        UsageError: There is no such encoder (the error lists similar names), device or precision.
        MissingExtra: An optional part of the installation is missing.
        RdmfError: The weights are not on this machine.
    """
    choice = choose_encoder(name)
    if name == AUTO:
        logger.info(choice.line())
    return family_of(choice.name).load(choice.name, device, precision)


def _no_progress(file: str, done: int, total: int | None) -> None:
    """Ignore the progress of a download."""


def fetch(name: str, progress: FileProgress = _no_progress, unverified: bool = False) -> Fetched:
    """Download the weights of an encoder and add them to the index.

    Args:
        name: A name as for `load_encoder`, except "auto"; or a choice of `RECOMMENDED`: "better".
        progress: A function that is called with the name of a file, the bytes received and the
            bytes in total.
        unverified: Accept files if the server states neither hash nor length.

    Raises:
        UsageError: There is no such encoder, or it has no weights to fetch.
        RdmfError: The download failed; the next call resumes the download.
    """
    if name == AUTO:
        raise UsageError(
            "is not the name of a particular encoder", name, "name the encoder to fetch"
        )
    name = named(name)
    return family_of(name).fetch(name, progress, unverified)


def list_encoders() -> list[Listed]:
    """Return every encoder with a name; encoders on this machine come first."""
    listed: dict[str, Listed] = {}
    for entry in FAMILIES.values():
        for encoder in entry.load().listed():
            listed.setdefault(encoder.name, encoder)
    return sorted(listed.values(), key=lambda encoder: not encoder.is_here)
