"""The decoders by name; "auto" chooses among them.

To add a decoder, write a module beside this file with the functions of `base.Decoder`, an entry
here, and a line in `docs/dependencies.md`. `--decoder`, its help, `rdmf doctor` and the tests in
`tests/video/test_decoders.py` then contain the new decoder. This package imports neither numpy nor
a decoder.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rdmf_cli.errors import RdmfError
from rdmf_cli.registry import Registry

if TYPE_CHECKING:
    from rdmf_cli.video.decoders.base import Decoder, Scan

AUTO = "auto"


@dataclass(frozen=True)
class DecoderEntry:
    """A decoder of the registry.

    Attributes:
        name: The name that a user types, and the name of the decoder's module in this folder.
        about: A description of the decoder, a clause for help texts.
        needs: The package or program that the decoder needs; `rdmf doctor` has a line with this
            name.
        optional: Whether `rdmf doctor` reports no fault if `needs` is missing.
        in_auto: Whether "auto" may take the decoder. A decoder with an old FFmpeg is taken only on
            request.
    """

    name: str
    about: str
    needs: str
    optional: bool = True
    in_auto: bool = True

    def load(self) -> Decoder:
        """Import the decoder."""
        return cast("Decoder", import_module(f"{__name__}.{self.name}"))


DECODERS: Registry[DecoderEntry] = Registry(
    "decoder",
    DecoderEntry("pyav", "FFmpeg's libraries, part of rdmf", "av", optional=False),
    DecoderEntry("ffmpeg", "the ffmpeg program, for unusual files", "ffmpeg program"),
    DecoderEntry("decord", "decord, where it is installed", "decord", in_auto=False),
)


def scan(path: Path, decoder: str = AUTO) -> Scan:
    """Scan a file; "auto" takes the first decoder of the registry that can open the file.

    Args:
        path: The file.
        decoder: A name in `DECODERS`, or "auto".

    Raises:
        RdmfError: The file cannot be read as a video; for "auto", the error of the first decoder.
        UsageError: There is no such decoder.
    """
    if decoder != AUTO:
        return _named(decoder).load().scan(path)
    first, *others = (entry.load() for entry in DECODERS.values() if entry.in_auto)
    try:
        return first.scan(path)
    except RdmfError as problem:
        from rdmf_cli.video.encryption import EncryptedVideoError
        from rdmf_cli.video.sizes import LargePictureError

        if isinstance(problem, (EncryptedVideoError, LargePictureError)):
            raise
        for other in others:
            with suppress(RdmfError):
                return other.scan(path)
        raise problem


def choose(decoder: str, scan: Scan) -> tuple[str, Decoder]:
    """Return the name and the decoder for a scanned file; "auto": the decoder that scanned it.

    Args:
        decoder: A name in `DECODERS`, or "auto".
        scan: The scanned file.

    Raises:
        RdmfError: The decoder is not installed.
    """
    entry = DECODERS[scan.by] if decoder == AUTO else _named(decoder)
    chosen = entry.load()
    if decoder != AUTO:
        chosen.installed()
    return entry.name, chosen


def _named(name: str) -> DecoderEntry:
    if name not in DECODERS:
        raise DECODERS.unknown(name, AUTO)
    return DECODERS[name]
