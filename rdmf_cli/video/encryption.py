"""Detection of encrypted video (DRM) from its container, before anything is decoded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import UUID

from rdmf_cli.errors import RdmfError


class EncryptedVideoError(RdmfError):
    """The video is encrypted: no decoder can read it, and an answer would be about noise."""

    def __init__(self, path: Path):
        super().__init__(
            "is encrypted (DRM), and rdmf cannot decrypt it", path, "give a copy without DRM"
        )


# Sample entries of MP4: Common Encryption and FairPlay. Where FFmpeg knows the codec inside, it
# reports that instead.
PROTECTED_TAGS = {"encv", "drmi"}
# Objects in the header of ASF (WMV): content encryption, extended and advanced.
ASF_OBJECTS = [
    UUID(text).bytes_le
    for text in (
        "2211b3fb-bd23-11d2-b4b7-00a0c955fc6e",
        "298ae614-2622-4c17-b935-dae07ee9289c",
        "43058533-6981-49e6-9b74-ad12cb86d58c",
    )
]
HEAD_BYTES = 4 << 20
TRANSPORT_PACKET, SYNC_BYTE = 188, 0x47  # ISO/IEC 13818-1
# More than this share of the packets must be marked, as a damaged file marks a few by chance.
MOST = 0.5


def require_clear(container: Any, stream: Any, path: Path) -> None:
    """Check that the header of a file does not mark its video as encrypted.

    Args:
        container: The open file, an `av.container.InputContainer`.
        stream: Its video stream.
        path: The file.

    Raises:
        EncryptedVideoError: The video is encrypted.
    """
    tag = stream.codec_context.codec_tag if stream.codec_context is not None else ""
    # Of Matroska and WebM, FFmpeg reports the identifier of the key as metadata.
    if tag in PROTECTED_TAGS or "enc_key_id" in stream.metadata:
        raise EncryptedVideoError(path)
    look = {"asf": _asf_is, "mpegts": _transport_is, "mpeg": _program_is}
    if container.format.name in look:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if look[container.format.name](head, stream):
            raise EncryptedVideoError(path)


def packet_is_encrypted(packet: Any) -> bool:
    """Return whether a packet carries the data needed to decrypt it (MP4)."""
    return bool(packet.has_sidedata("encryption_info"))


def _asf_is(head: bytes, stream: Any) -> bool:
    return any(mark in head for mark in ASF_OBJECTS)


def _transport_is(head: bytes, stream: Any) -> bool:
    """Return whether most packets of the stream have their scrambling bits set."""
    size = 192 if head[4:5] == b"G" and head[196:197] == b"G" else TRANSPORT_PACKET
    first = size - TRANSPORT_PACKET
    own = [
        head[at + 3] >> 6
        for at in range(first, len(head) - TRANSPORT_PACKET, size)
        if head[at] == SYNC_BYTE
        and (head[at + 1] & 0x1F) << 8 | head[at + 2] == stream.id
        and head[at + 3] & 0x10  # the packet has a payload
    ]
    return bool(own) and sum(map(bool, own)) > MOST * len(own)


PICTURE_HEADERS = re.compile(rb"\x00\x00\x01[\xe0-\xef]..([\x80-\xbf])", re.DOTALL)


def _program_is(head: bytes, stream: Any) -> bool:
    """Return whether most video packets of a DVD stream have their scrambling bits set."""
    own = [found[1][0] >> 4 & 3 for found in PICTURE_HEADERS.finditer(head)]
    return bool(own) and sum(map(bool, own)) > MOST * len(own)
