"""Videos whose frames carry their own number, readable from the pixels after lossy coding."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 10
WIDTH, HEIGHT = 160, 96  # sixteen pixels per bit


def barcode(number: int) -> np.ndarray:
    """Return (96, 160, 3): the bits of `number` as bright or dark columns, inverted below.

    The top is reddish and the bottom bluish, so that exchanged colour channels are noticed.
    """
    bits = np.array([number >> b & 1 for b in range(BITS)], bool)
    levels = np.where(np.stack([bits, ~bits]), 200, 50).astype(np.uint8)
    image = np.repeat(levels.repeat(HEIGHT // 2, 0).repeat(WIDTH // BITS, 1)[:, :, None], 3, 2)
    image[: HEIGHT // 2, :, 2] //= 2
    image[HEIGHT // 2 :, :, 0] //= 2
    return image


def read_barcode(image: np.ndarray) -> int:
    """Read the number in an upright picture of any size; -1 if there is no readable barcode."""
    height, width = image.shape[0] // 2, image.shape[1] // BITS
    grey = image[:, :, 1].astype(float)
    columns = [grey[:, b * width + width // 4 : (b + 1) * width - width // 4] for b in range(BITS)]
    top = np.array([c[height // 4 : height - height // 4].mean() for c in columns])
    bottom = np.array([c[height + height // 4 : -height // 4].mean() for c in columns])
    if np.abs(top - bottom).min() < 40:
        return -1
    return int(sum(1 << b for b in range(BITS) if top[b] > bottom[b]))


UPRIGHT = (1, 0, 0, 1)
# A display matrix, and how a camera with this matrix stores a picture.
STORED = {
    UPRIGHT: lambda seen: seen,
    (0, 1, -1, 0): lambda seen: np.rot90(seen, 1),  # shown turned clockwise by a quarter
    (-1, 0, 0, -1): lambda seen: np.rot90(seen, 2),
    (0, -1, 1, 0): lambda seen: np.rot90(seen, -1),
    (-1, 0, 0, 1): np.fliplr,
    (1, 0, 0, -1): np.flipud,
}


# The same turns, with their numbers in the EXIF standard.
EXIF = {
    UPRIGHT: 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, -1, 0): 6,
    (0, -1, 1, 0): 8,
}


@dataclass(frozen=True)
class Recipe:
    """How a test video is made.

    times: the time of each frame in ticks of 1/`rate` seconds (default: 0, 1, 2, ...)
    hidden: frames at the start that an edit list cuts off
    matrix: the display matrix to write into an MP4 file's track header
    exif: the matrix is written into every picture instead, as cameras do in JPEG
    time_code: of the first frame (MOV and MP4 get a track `tmcd` of it)
    """

    name: str
    codec: str
    suffix: str
    frames: int = 150
    rate: Fraction = Fraction(25)
    times: tuple[int, ...] = ()
    gop: int = 25
    b_frames: int = 0
    options: dict[str, str] = field(default_factory=dict)
    pixel_format: str = "yuv420p"
    pixel_shape: Fraction = Fraction(1)
    hidden: int = 0
    matrix: tuple[int, int, int, int] = UPRIGHT
    exif: bool = False
    time_code: str = ""
    sound: bool = False
    container_options: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    @property
    def ticks(self) -> tuple[int, ...]:
        return self.times or tuple(range(self.frames))

    @property
    def seconds(self) -> list[Fraction]:
        """Return when each shown frame is shown, from the first shown frame on."""
        ticks = self.ticks[self.hidden :]
        return [(t - ticks[0]) / self.rate for t in ticks]

    def expected(self, clip_length: Fraction, clip: int) -> int:
        """Compute, from the definition, the number of the frame that stands for a clip."""
        middle = (clip + Fraction(1, 2)) * clip_length
        before = [n for n, time in enumerate(self.seconds) if time < middle]
        return self.hidden + (before[-1] if before else 0)

    def make(self, folder: Path) -> Path:
        if self.matrix != UPRIGHT and self.suffix == "mkv":
            return remuxed(replace(self, suffix="mp4").make(folder), "mkv")
        path = folder / f"{self.name}.{self.suffix}"
        with av.open(str(path), "w", options=self.container_options) as container:
            self._write(container)
        if self.matrix != UPRIGHT and not self.exif:
            write_matrix(path, self.matrix)
        return path

    def _write(self, container: av.container.OutputContainer) -> None:
        stream = container.add_stream(self.codec, rate=self.rate)
        stream.height, stream.width = STORED[self.matrix](barcode(0)).shape[:2]
        stream.pix_fmt = self.pixel_format
        stream.time_base = stream.codec_context.time_base = 1 / self.rate
        stream.codec_context.gop_size = self.gop
        stream.codec_context.max_b_frames = self.b_frames
        stream.codec_context.sample_aspect_ratio = self.pixel_shape
        stream.options = self.options
        if self.time_code:
            stream.metadata["timecode"] = self.time_code
        sound = container.add_stream("aac", rate=16000) if self.sound else None
        shift = self.ticks[self.hidden] if self.hidden else 0
        for number, tick in enumerate(self.ticks):
            stored = np.ascontiguousarray(STORED[self.matrix](barcode(number)))
            frame = av.VideoFrame.from_ndarray(stored, format="rgb24")
            frame.pts, frame.time_base = tick, 1 / self.rate
            for packet in stream.encode(frame):
                container.mux(self._changed(packet, shift))
        for packet in stream.encode(None):
            container.mux(self._changed(packet, shift))
        if sound is not None:
            write_silence(container, sound, float(self.seconds[-1]))

    def _changed(self, packet: av.Packet, shift: int) -> av.Packet:
        return shifted(with_exif(packet, EXIF[self.matrix]) if self.exif else packet, shift)


def remuxed(path: Path, suffix: str) -> Path:
    """The same packets in another container."""
    copy = path.with_suffix(f".{suffix}")
    with av.open(str(path)) as source, av.open(str(copy), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    return copy


def with_exif(packet: av.Packet, orientation: int) -> av.Packet:
    """Insert an EXIF block with one entry, the orientation, into a JPEG picture."""
    entry = struct.pack("<HHHIII", 1, 0x112, 3, 1, orientation, 0)
    block = b"Exif\0\0II*\0\x08\0\0\0" + entry
    data = bytes(packet)
    assert data[:2] == b"\xff\xd8"
    marker = b"\xff\xe1" + struct.pack(">H", len(block) + 2)
    new = av.Packet(data[:2] + marker + block + data[2:])
    new.stream, new.time_base = packet.stream, packet.time_base
    new.pts, new.dts, new.duration = packet.pts, packet.dts, packet.duration
    new.is_keyframe = packet.is_keyframe
    return new


def shifted(packet: av.Packet, ticks: int) -> av.Packet:
    if ticks:
        packet.pts, packet.dts = packet.pts - ticks, packet.dts - ticks
    return packet


def write_silence(
    container: av.container.OutputContainer, stream: av.audio.stream.AudioStream, seconds: float
) -> None:
    for block in range(int(seconds * 16000 / 1024) + 1):
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = 16000, block * 1024
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def matrix_bytes(a: int, b: int, c: int, d: int) -> bytes:
    """Return a track header's matrix, big-endian 16.16 and 2.30 fixed point (ISO/IEC 14496-12)."""
    one = 1 << 16
    return struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)


def write_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    data = path.read_bytes()
    at = data.index(b"tkhd")
    where = data.index(matrix_bytes(*UPRIGHT), at)
    new = matrix_bytes(*matrix)
    path.write_bytes(data[:where] + new + data[where + len(new) :])
