"""HEVC pictures that no other picture needs, so that a decoder may skip them.

A "sub-layer non-reference picture" is not needed within its own temporal layer, but pictures of
higher layers may need it. In the topmost layer no picture needs it. (Rec. ITU-T H.265, 7.4.2.2.)
"""

from __future__ import annotations

from collections.abc import Iterator

NON_REFERENCE = {0, 2, 4, 6, 8, 10, 12, 14}  # types of NAL units: TRAIL_N, TSA_N, … RSV_VCL_N14
LAST_PICTURE_TYPE = 31
SPS = 33  # type of the NAL unit with the number of layers
RECORD_BYTES = 23  # bytes of the decoder configuration record (hvcC) before its NAL units


class TopLayer:
    """Finds the pictures of the topmost temporal layer that no other picture needs.

    Args:
        configuration: The decoder configuration record of the stream (hvcC), as in MP4 and
            Matroska. If it is something else, no picture is found.
    """

    def __init__(self, configuration: bytes):
        self._size = 0  # bytes of the length before each NAL unit; 0: unknown
        self._layers = 0  # number of temporal layers; 0: unknown
        if len(configuration) >= RECORD_BYTES and configuration[0] == 1:
            self._size = (configuration[21] & 3) + 1
            stated = {_layers(unit) for unit in _stored_units(configuration) if _kind(unit) == SPS}
            self._layers = stated.pop() if len(stated) == 1 else 0

    def is_disposable(self, packet: bytes) -> bool:
        """Return whether no other picture needs the picture of a packet. Give every packet.

        Args:
            packet: The content of the packet: NAL units, each after its length.
        """
        if not self._layers:
            return False
        units = list(_units(packet, self._size))
        if any(_kind(unit) == SPS and _layers(unit) != self._layers for unit in units):
            self._layers = 0  # the packets do not have the layers of the record
            return False
        pictures = [unit for unit in units if _kind(unit) <= LAST_PICTURE_TYPE]
        return bool(pictures) and all(map(self._is_disposable, pictures))

    def _is_disposable(self, unit: bytes) -> bool:
        layer = (unit[0] & 1) << 5 | unit[1] >> 3  # of scalable video, not a temporal layer
        return layer == 0 and _kind(unit) in NON_REFERENCE and unit[1] & 7 == self._layers


def _kind(unit: bytes) -> int:
    return unit[0] >> 1 & 63


def _layers(unit: bytes) -> int:
    """Return the number of temporal layers that an SPS states."""
    return (unit[2] >> 1 & 7) + 1


def _units(packet: bytes, size: int) -> Iterator[bytes]:
    """Yield the NAL units of a packet; a damaged rest is left out."""
    place = 0
    while place + size + 2 < len(packet):  # each step advances by at least `size`
        end = place + size + int.from_bytes(packet[place : place + size], "big")
        if end > place + size + 2:
            yield packet[place + size : end]
        place = max(end, place + size)


def _stored_units(configuration: bytes) -> Iterator[bytes]:
    """Yield the NAL units of a decoder configuration record (ISO/IEC 14496-15, 8.3.3.1)."""
    place = RECORD_BYTES
    for _ in range(configuration[22]):
        count = int.from_bytes(configuration[place + 1 : place + 3], "big")
        place += 3
        for _ in range(count):
            end = place + 2 + int.from_bytes(configuration[place : place + 2], "big")
            if end > len(configuration) or end < place + 5:
                return
            yield configuration[place + 2 : end]
            place = end
