"""How large pictures may be: what a file says of them is not believed."""

from __future__ import annotations

import subprocess
import sys
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
    """One grey picture, bright in its left half, as Motion JPEG."""
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


def test_the_memory_of_a_huge_picture_is_bounded(tmp_path: Path) -> None:
    path = large_picture(tmp_path / "huge.mkv", 12_000, 12_000)
    script = """
import sys
from rdmf_cli import extract
assert extract(sys.argv[1], encoder="embedded", cache=False).rows.shape == (1, 384)
print(PEAK)
""".replace("PEAK", peak_memory.CODE)
    told = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True)
    assert int(told.stdout) < MOST_MEMORY_BYTES
