"""Detection of encrypted video (DRM) from its container, before anything is decoded."""

from __future__ import annotations

import re
from os import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from rdmf_cli.errors import RdmfError


class EncryptedVideoError(RdmfError):
    """The video is encrypted: no decoder can read it, and an answer would be about noise."""

    def __init__(self, path: Path):
        super().__init__(
            "is encrypted (DRM), and rdmf cannot decrypt it", path, "give a copy without DRM"
        )


# Sample entries of MP4: Common Encryption and FairPlay. If FFmpeg knows the codec inside, FFmpeg
# reports this codec instead.
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
# More than this share of the packets must be marked; a damaged file marks a few by chance.
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
    tag = _tag(stream.codec_context)
    # For Matroska and WebM, FFmpeg reports the identifier of the key as metadata.
    if tag in PROTECTED_TAGS or "enc_key_id" in stream.metadata:
        raise EncryptedVideoError(path)
    if stream.codec_context is None:
        require_clear_header(path)
    look = {"asf": _asf_is, "mpegts": _transport_is, "mpeg": _program_is}
    if container.format.name in look:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if look[container.format.name](head, stream):
            raise EncryptedVideoError(path)


def _tag(context: Any) -> str:
    """Return the four characters by which a container marks a codec; empty: not characters.

    In a transport stream, PyAV reads the number of the stream's type as characters. Numbers from
    0x80 on (VC-1 on Blu-ray, AVS, Dirac) are not characters; PyAV raises an error for them.
    """
    try:
        return context.codec_tag if context is not None else ""
    except UnicodeDecodeError:
        return ""


# The first sample entry of a track in MP4, as bytes of the file.
PROTECTED_ENTRY = re.compile(rb"stsd.{12}(?:encv|drmi)", re.DOTALL)


def require_clear_header(path: Path) -> None:
    """Check a file that FFmpeg cannot open, or has no codec for: such files may be encrypted.

    Args:
        path: The file.

    Raises:
        EncryptedVideoError: The file is an MP4 file with an encrypted track.
    """
    with path.open("rb") as file:
        if PROTECTED_ENTRY.search(_mp4_header(file)):
            raise EncryptedVideoError(path)


def _mp4_header(file: BinaryIO) -> bytes:
    """Return at most HEAD_BYTES of the box `moov` of an MP4 file; empty if there is no box."""
    at, end = 0, file.seek(0, SEEK_END)
    file.seek(0)
    while len(start := file.read(16)) >= 8:
        size, kind = int.from_bytes(start[:4], "big"), start[4:8]
        if size == 1:  # the size follows in 64 bits
            size = int.from_bytes(start[8:], "big")
        if kind == b"moov":
            return start + file.read(min(size or HEAD_BYTES, HEAD_BYTES))
        if size < 8:  # the box reaches to the end of the file, or it is no box
            break
        at += size
        if at >= end:  # a damaged size may be larger than any file
            break
        file.seek(at)
    return b""


def packet_is_encrypted(packet: Any) -> bool:
    """Return whether a packet carries data that are needed to decrypt the packet (MP4)."""
    return bool(packet.has_sidedata("encryption_info"))


def _asf_is(head: bytes, stream: Any) -> bool:
    return any(mark in head for mark in ASF_OBJECTS)


def _transport_is(head: bytes, stream: Any) -> bool:
    """Return whether most packets of the stream have their scrambling bits set."""
    size = 192 if head[4:5] == b"G" and head[196:197] == b"G" else TRANSPORT_PACKET
    first = size - TRANSPORT_PACKET
    places = range(first, len(head) - TRANSPORT_PACKET, size)
    if any(_lists_sample_aes(head[at : at + TRANSPORT_PACKET], stream.id) for at in places):
        return True
    own = [
        head[at + 3] >> 6
        for at in places
        if head[at] == SYNC_BYTE
        and (head[at + 1] & 0x1F) << 8 | head[at + 2] == stream.id
        and head[at + 3] & 0x10  # the packet has a payload
    ]
    return bool(own) and sum(map(bool, own)) > MOST * len(own)


SAMPLE_AES_H264 = 0xDB  # the type of a stream in Apple's "MPEG-2 Stream Encryption Format"
PROGRAM_MAP = 2  # the table that lists the streams


def _lists_sample_aes(packet: bytes, stream: int) -> bool:
    """Return whether a packet begins a table that lists the stream as sample-encrypted."""
    begins = packet[0] == SYNC_BYTE and packet[1] & 0x40 and packet[3] & 0x30 == 0x10
    if not (begins and packet[4] == 0 and packet[5] == PROGRAM_MAP):
        return False
    return bytes([SAMPLE_AES_H264, 0xE0 | stream >> 8, stream & 0xFF]) in packet


PICTURE_HEADERS = re.compile(rb"\x00\x00\x01[\xe0-\xef]..([\x80-\xbf])", re.DOTALL)


def _program_is(head: bytes, stream: Any) -> bool:
    """Return whether most video packets of a DVD stream have their scrambling bits set."""
    own = [found[1][0] >> 4 & 3 for found in PICTURE_HEADERS.finditer(head)]
    return bool(own) and sum(map(bool, own)) > MOST * len(own)
