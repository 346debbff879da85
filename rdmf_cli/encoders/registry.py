"""The families of encoders, and from a name that a user types to an encoder.

To add a family: a folder beside this file with a `family.py` that holds a `FAMILY` (the protocol
`EncoderFamily` is in `base.py`), an entry here, its tests, a line in the README. `--encoder`, its
help, `rdmf weights` and messages follow. Nothing here imports numpy or torch.
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
from rdmf_cli.errors import UsageError
from rdmf_cli.registry import Entry, Registry

HERE = "rdmf_cli.encoders"

FAMILIES: Registry[Entry[EncoderFamily]] = Registry(
    "family of encoders",
    Entry("embedded", "the encoder that rdmf carries", f"{HERE}.embedded.family:FAMILY"),
    Entry(
        "open_clip",
        "ARCHITECTURE/WEIGHTS, hf-hub:ORG/NAME, a file or a folder",
        f"{HERE}.open_clip.family:FAMILY",
    ),
)
"""In the order in which they are asked whether a name is theirs."""

AUTO = "auto"
PREFERRED = ("ViT-B-32/openai", "embedded")
"""What "auto" takes: the first of these that can be used now. The last one always can."""

logger = logging.getLogger("rdmf")


@dataclass(frozen=True)
class Choice:
    """Which encoder a request comes to.

    Attributes:
        name: What `load_encoder` takes.
        reason: Why, a clause; empty where the user named it.
        better: Commands that would bring better answers, in order.
    """

    name: str
    reason: str = ""
    better: tuple[str, ...] = ()

    def line(self) -> str:
        """Say the choice in one line, for stderr.

        >>> Choice("embedded", "no other here", ("rdmf weights fetch X",)).line()
        'encoder: embedded (no other here); for better answers: rdmf weights fetch X'
        """
        why = f" ({self.reason})" if self.reason else ""
        how = f"; for better answers: {', then '.join(self.better)}" if self.better else ""
        return f"encoder: {self.name}{why}{how}"


def family_of(name: str) -> EncoderFamily:
    """Find the family that an encoder's name belongs to.

    Raises:
        UsageError: No family claims it; near names are listed.
    """
    for entry in FAMILIES.values():
        family = entry.load()
        if family.claims(name):
            return family
    known = (name for entry in FAMILIES.values() for name in entry.load().names())
    raise unknown_encoder(name, [AUTO, *known])


def choose_encoder(name: str = AUTO) -> Choice:
    """Settle "auto": the first of `PREFERRED` that can be used now."""
    if name != AUTO:
        return Choice(name)
    lacks: list[Lack] = []
    for preferred in PREFERRED:
        lack = family_of(preferred).lacks(preferred)
        if lack is None:
            break
        lacks.append(lack)
    why = lacks[0] if lacks else Lack("its weights are on this machine", ())
    return Choice(preferred, why.reason, why.commands)


def load_encoder(name: str = AUTO, device: str = "auto", precision: str = "float32") -> Encoder:
    """Make the encoder of that name. Nothing is downloaded.

    Args:
        name: "auto", or a name that a family of `FAMILIES` claims: "embedded", "ViT-B-32/openai".
        device: Where it runs: "auto", "cpu", "cuda", "cuda:1", "mps".
        precision: "float32" or "bfloat16".

    Raises:
        UsageError: There is no such encoder (near names are listed), device or precision.
        MissingExtra: An optional part of the installation is needed.
        RdmfError: Its weights have to be fetched first.
    """
    choice = choose_encoder(name)
    if name == AUTO:
        logger.info(choice.line())
    return family_of(choice.name).load(choice.name, device, precision)


def _no_progress(file: str, done: int, total: int | None) -> None:
    """Show nothing."""


def fetch(name: str, progress: FileProgress = _no_progress, unverified: bool = False) -> Fetched:
    """Bring an encoder's weights to this machine and remember them.

    Args:
        name: As for `load_encoder`, but for "auto".
        progress: Called with a file's name, the bytes that are here and those there will be.
        unverified: Take also files of which the server tells neither hash nor length.

    Raises:
        UsageError: There is no such encoder, or nothing of it to fetch.
        RdmfError: The transfer fails; what came is kept, and the next call continues it.
    """
    if name == AUTO:
        raise UsageError("names no encoder of its own", name, "name the encoder to fetch")
    return family_of(name).fetch(name, progress, unverified)


def list_encoders() -> list[Listed]:
    """List every encoder there is a name for, those on this machine first."""
    listed: dict[str, Listed] = {}
    for entry in FAMILIES.values():
        for encoder in entry.load().listed():
            listed.setdefault(encoder.name, encoder)
    return sorted(listed.values(), key=lambda encoder: not encoder.is_here)
