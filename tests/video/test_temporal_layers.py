"""HEVC: pictures that no other picture needs are not decoded; the clips have the same frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from rdmf_cli.video import open_clips
from rdmf_cli.video.temporal_layers import TopLayer

FRAMES, RATE = 90, 30
SETTINGS = {
    "one layer": "bframes=4:keyint=45",
    "two layers": "bframes=4:keyint=45:temporal-layers=1",
    "without pyramid": "bframes=3:keyint=45:b-pyramid=0",
}


def hevc(path: Path, settings: str) -> Path:
    """A moving pattern, encoded by x265 with these settings."""
    rng = np.random.default_rng(0)
    pattern = rng.integers(0, 255, (96, 320, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.options = {"preset": "ultrafast", "x265-params": f"{settings}:log-level=none"}
        stream.time_base = Fraction(1, RATE)
        for number in range(FRAMES):
            picture = np.ascontiguousarray(pattern[:, 2 * number : 2 * number + 128])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    return path


def clips(path: Path, length: float) -> tuple[list[tuple[int, bool]], np.ndarray, int]:
    with open_clips(path, length, "pyav") as reader:
        frames = [frame for _, frame in reader]
        told = [(frame.time.pts, frame.exact) for frame in frames]
        return told, np.stack([frame.image for frame in frames]), reader.frames_decoded


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_fewer_pictures_are_decoded_and_the_clips_are_the_same(
    tmp_path, monkeypatch, settings, container
):
    path = hevc(tmp_path / f"video.{container}", settings)
    for length in (0.2, 0.5):
        told, images, decoded = clips(path, length)
        with monkeypatch.context() as patch:
            patch.setattr(TopLayer, "is_disposable", lambda self, packet: False)
            all_told, all_images, all_decoded = clips(path, length)
        assert told == all_told
        assert all(exact for _, exact in told)
        np.testing.assert_array_equal(images, all_images)
        assert decoded < 0.8 * all_decoded


def record(layers: int, length_bytes: int = 4) -> bytes:
    """A decoder configuration record with one SPS that states a number of temporal layers."""
    sps = bytes([33 << 1, 1, (layers - 1) << 1 | 1, 0])
    head = bytes([1, *[0] * 20, length_bytes - 1, 1])
    return head + bytes([33, 0, 1, 0, len(sps)]) + sps


def unit(kind: int, temporal: int, *more: int) -> bytes:
    content = bytes([kind << 1, temporal + 1, *more, 0, 0])
    return len(content).to_bytes(4, "big") + content


@pytest.mark.parametrize(
    ("layers", "kind", "temporal", "disposable"),
    [
        (1, 0, 0, True),  # TRAIL_N
        (1, 1, 0, False),  # TRAIL_R
        (1, 8, 0, True),  # RASL_N
        (1, 19, 0, False),  # a key frame
        (3, 0, 1, False),  # the layer above may need it
        (3, 0, 2, True),
    ],
)
def test_only_what_no_picture_needs_is_disposable(layers, kind, temporal, disposable):
    assert TopLayer(record(layers)).is_disposable(unit(kind, temporal)) is disposable


def test_all_slices_of_a_picture_must_be_disposable():
    top = TopLayer(record(1))
    assert top.is_disposable(unit(39, 0) + unit(0, 0) + unit(0, 0))
    assert not top.is_disposable(unit(0, 0) + unit(1, 0))
    assert not top.is_disposable(unit(39, 0))


def test_nothing_is_disposable_if_the_layers_are_unknown_or_differ():
    assert not TopLayer(b"").is_disposable(unit(0, 0))
    assert not TopLayer(b"\0\0\0\1" + record(1)).is_disposable(unit(0, 0))
    top = TopLayer(record(1))
    assert not top.is_disposable(unit(33, 0, 3) + unit(19, 0))  # an SPS with two layers
    assert not top.is_disposable(unit(0, 0))


@pytest.mark.parametrize("packet", [b"", b"\0", b"\0\0\0\5\0", unit(0, 0)[:5], bytes(40)])
def test_damaged_packets_are_decoded(packet):
    assert not TopLayer(record(1)).is_disposable(packet)
