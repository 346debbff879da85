"""Limits on the size of pictures: rdmf does not trust the size that a file states."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import peak_memory
import pytest
from barcoded import Recipe, read_barcode
from hypothesis import given
from hypothesis import strategies as st

from rdmf_cli.errors import RdmfError
from rdmf_cli.video import open_clips, sizes
from rdmf_cli.video.sizes import MOST_PIXELS, MOST_SIDE, displayed_size

PLAIN = Recipe("plain_of_size", "libx264", "mp4", frames=50)
MOST_MEMORY_BYTES = 1_200_000_000


@pytest.mark.parametrize(
    ("stored", "shape", "shown"),
    [
        ((1920, 1080), 1, (1920, 1080)),
        ((720, 576), Fraction(64, 45), (1024, 576)),
        ((1440, 1080), Fraction(3, 4), (1440, 1440)),
        ((7680, 4320), 1, (7680, 4320)),
        ((16_000, 16_000), 1, (6000, 6000)),
        ((160, 96), 1_000_000, (160, 96)),
        ((10_000, 100), 20, (16_384, 8)),
    ],
)
def test_pictures_are_scaled_above_the_limit_alone(
    stored: tuple[int, int], shape: object, shown: tuple[int, int]
) -> None:
    assert displayed_size(*stored, shape) == shown


@given(st.integers(1, 10**5), st.integers(1, 10**5), st.fractions(Fraction(1, 10**9), 10**9))
def test_no_picture_is_larger(width: int, height: int, shape: Fraction) -> None:
    wide, high = displayed_size(width, height, shape)
    assert 1 <= wide <= MOST_SIDE
    assert 1 <= high <= MOST_SIDE
    assert (wide - 1) * (high - 1) <= MOST_PIXELS


def large_picture(path: Path, width: int, height: int) -> Path:
    """Make one grey picture, bright in its left half, as Motion JPEG."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
        stream.codec_context.thread_count = 1
        frame = av.VideoFrame(width, height, "yuvj420p")
        for plane, level in zip(frame.planes, (50, 128, 128), strict=True):
            rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
            rows[:] = level
            if level == 50:
                rows[:, : width // 2] = 200
        film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("decoder", ["pyav", "ffmpeg"])
def test_a_large_picture_is_scaled_by_its_decoder(
    decoder: str, tmp_path: Path, ffmpeg_program: str
) -> None:
    path = large_picture(tmp_path / "wide.mkv", 10_000, 5000)
    with open_clips(path, decoder=decoder) as reader:
        ((_, frame),) = reader
    height, width = frame.image.shape[:2]
    assert (width, height) == displayed_size(10_000, 5000, 1) == (8485, 4243)
    assert np.abs(frame.image[:, : width // 2 - 8].mean() - 200) < 3
    assert np.abs(frame.image[:, width // 2 + 8 :].mean() - 50) < 3
    if decoder == "pyav":
        assert "10000 x 5000 pixels are scaled to 8485 x 4243" in reader.info.warnings[0]


def test_a_large_picture_is_not_for_decord(tmp_path: Path) -> None:
    path = large_picture(tmp_path / "wide.mkv", 10_000, 5000)
    with pytest.raises(RdmfError, match="too large"), open_clips(path, decoder="decord") as reader:
        list(reader)


@pytest.mark.parametrize("decoder", ["auto", "pyav", "ffmpeg", "decord"])
def test_a_picture_that_would_fill_the_memory_is_refused(
    decoder: str,
    made: Callable[[Recipe], Path],
    monkeypatch: pytest.MonkeyPatch,
    ffmpeg_program: str,
) -> None:
    monkeypatch.setattr(sizes, "MOST_BYTES_OF_SEVERAL", 20_000)
    with pytest.raises(RdmfError, match=r"160 x 96 pixels, would take .* MB of memory") as caught:
        open_clips(made(PLAIN), decoder=decoder)
    assert caught.value.subject == str(made(PLAIN))


def test_fewer_threads_decode_the_same(
    made: Callable[[Recipe], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_clips(made(PLAIN), 0.2) as reader:
        many = [frame.image for _, frame in reader]
    monkeypatch.setattr(sizes, "BYTES_OF_THREADS", 1)
    with open_clips(made(PLAIN), 0.2) as reader:
        one = [frame.image for _, frame in reader]
    assert [read_barcode(image) for image in one] == [2 + 5 * clip for clip in range(10)]
    assert all(map(np.array_equal, many, one))


ASK_ALONE = """
import sys
from rdmf_cli import extract
from rdmf_cli.errors import RdmfError
try:
    print(extract(sys.argv[1], encoder="embedded", cache=False).rows.shape)
except RdmfError as error:
    print(error)
print(PEAK)
""".replace("PEAK", peak_memory.CODE)


def asked_alone(path: Path, code: str = ASK_ALONE) -> tuple[str, int]:
    """Return what code prints for a video in a new process, and the peak of its memory."""
    told = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    said, peak = told.stdout.splitlines()
    return said, int(peak)


def test_the_memory_of_a_huge_picture_is_bounded(tmp_path: Path) -> None:
    said, peak = asked_alone(large_picture(tmp_path / "huge.mkv", 12_000, 12_000))
    assert said == "(1, 384)"
    assert peak < MOST_MEMORY_BYTES


def black_png(side: int, bytes_per_pixel: int = 8) -> bytes:
    """Make a square picture of 16-bit RGBA without holding it in memory: all rows are equal."""
    row = bytes(1 + side * bytes_per_pixel)
    packer = zlib.compressobj(9)
    first = packer.compress(row) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(row) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 1
    for _ in range(side):
        checksum = zlib.adler32(row, checksum)
    pixels = first + again * (side - 1) + b"\x03\x00" + struct.pack(">I", checksum)
    header = struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def test_a_picture_is_not_decoded_to_learn_that_it_is_too_large(tmp_path: Path) -> None:
    """Its 14,000² pixels of 8 bytes would take 1.6 GB when the file is opened."""
    path = tmp_path / "huge.png"
    path.write_bytes(black_png(14_000))
    said, peak = asked_alone(path)
    assert said.startswith(f"{path}: its pictures are damaged, or larger than 50 million pixels")
    assert peak < MOST_MEMORY_BYTES // 3


def avi_of_sizes(path: Path, sizes: list[int]) -> Path:
    """Make an AVI of raw video, 64 x 48 pixels, with these packet sizes; the file is sparse."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("rawvideo", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        film.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        film.mux(stream.encode(None))
    content = path.read_bytes()
    end = content.index(b"movi") + 4
    with path.open("wb") as file:
        file.write(content[:end])
        for size in sizes:
            file.seek(end)
            file.write(b"00dc" + struct.pack("<I", size))
            end += 8 + size
        file.truncate(end)
    return path


HUGE = 600_000_000  # over all limits; opening such a file takes longer the larger it is
FRAME = 64 * 48 * 3 // 2
SCAN_WITH_PROGRAM = """
import resource, sys
from pathlib import Path
from rdmf_cli.errors import RdmfError
from rdmf_cli.video.decoders import ffmpeg
try:
    print(len(ffmpeg.scan_alone(Path(sys.argv[1])).timeline))
except RdmfError as error:
    print(error)
print(max(PEAK, 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
""".replace("PEAK", peak_memory.CODE)


@pytest.mark.parametrize("before", [0, 5])
def test_a_packet_is_not_read_to_learn_that_it_is_too_large(before: int, tmp_path: Path) -> None:
    path = avi_of_sizes(tmp_path / "large.avi", [FRAME] * before + [HUGE] * 2)
    said, peak = asked_alone(path)
    assert said.startswith(f"{path}: one of its packets would take too much memory (limit: 280 MB)")
    assert peak < MOST_MEMORY_BYTES // 3


def test_the_ffmpeg_program_does_not_read_it_either(tmp_path: Path, ffmpeg_program: str) -> None:
    path = avi_of_sizes(tmp_path / "large.avi", [FRAME] * 5 + [HUGE] * 2)
    said, peak = asked_alone(path, SCAN_WITH_PROGRAM)
    assert said == "5" or said.startswith(f"{path}: ")
    assert peak < MOST_MEMORY_BYTES // 3


def test_a_packet_that_is_read_may_still_be_too_large(tmp_path: Path) -> None:
    path = avi_of_sizes(tmp_path / "large.avi", [FRAME, 281_000_000])
    with pytest.raises(RdmfError, match=r"packets takes 281 MB of memory \(limit: 280 MB\)"):
        open_clips(path)


def with_references(path: Path, codec: str, params: str) -> Path:
    """A video of 160 x 96 pixels; its pictures take 23,040 bytes each."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream(codec, rate=10, options={f"{codec[3:]}-params": params})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(20):
            image = np.full((96, 160, 3), 10 * number, np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        film.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("decoder", ["auto", "ffmpeg"])
@pytest.mark.parametrize(
    ("codec", "params", "kept"),
    [
        ("libx264", "ref=9", 9),
        ("libx265", "ref=5:log-level=none", 5),
        ("libx264", "ref=1:bframes=0", 1),
    ],
)
def test_pictures_that_are_kept_for_others_count(
    codec: str,
    params: str,
    kept: int,
    decoder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ffmpeg_program: str,
) -> None:
    path = with_references(tmp_path / "kept.mp4", codec, params)
    monkeypatch.setattr(sizes, "BYTES_KEPT", (kept + 2) * 160 * 96 * 3 // 2)
    with open_clips(path, decoder=decoder) as reader:
        assert len(list(reader)) == 1
    monkeypatch.setattr(sizes, "BYTES_KEPT", sizes.BYTES_KEPT - 1)
    with pytest.raises(RdmfError, match=f"decoder keeps up to {kept} other pictures") as caught:
        open_clips(path, decoder=decoder)
    assert caught.value.subject == str(path)


def test_where_no_header_tells_the_most_that_a_codec_allows_counts() -> None:
    path = Path("unknown.mp4")
    size = 160 * 96 * 3 // 2
    assert sizes.decode_limits(path, "hevc", 12, 160, 96).threads == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sizes, "BYTES_KEPT", 18 * size)
        assert sizes.decode_limits(path, "hevc", 12, 160, 96).threads == 1
        patch.setattr(sizes, "BYTES_KEPT", 18 * size - 1)
        with pytest.raises(RdmfError, match="keeps up to 16 other pictures"):
            sizes.decode_limits(path, "hevc", 12, 160, 96)
        sizes.decode_limits(path, "vp9", 12, 160, 96)
