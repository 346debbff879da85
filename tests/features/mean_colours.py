"""An encoder without weights, and videos whose frames it can distinguish."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from rdmf_cli.features import FeatureStore, extract, extraction


class MeanColours:
    """Encodes the mean colours of a frame's quarters; counts the frames."""

    name, size, fingerprint, batch = "mean-colours", 12, "1", 4

    def __init__(self, seconds_per_batch: float = 0.0):
        self.encoded = 0
        self.seconds_per_batch = seconds_per_batch

    def prepare(self, frame: np.ndarray) -> np.ndarray:
        return frame[::4, ::4].astype(np.float32)

    def encode_images(self, images: np.ndarray) -> np.ndarray:
        time.sleep(self.seconds_per_batch)
        self.encoded += len(images)
        h, w = images.shape[1] // 2, images.shape[2] // 2
        quarters = [images[:, y : y + h, x : x + w].mean((1, 2)) for y in (0, h) for x in (0, w)]
        return np.concatenate(quarters, axis=1)


def write_frames(path: Path, seconds: Iterable[float], codec: str = "libx264") -> Path:
    """Write a video with one frame at each of these times, each in another colour."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream(codec, rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.gop_size = 5
        stream.codec_context.time_base = Fraction(1, 10)
        for i, second in enumerate(seconds):
            image = np.full((48, 64, 3), 40 + i % 160, np.uint8)
            image[: 5 + i % 40, :30] = (200, 40, 255 - i % 200)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(10 * second), Fraction(1, 10)
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    return path


if __name__ == "__main__":  # VIDEO CACHE: extracts slowly, for a test that stops the process
    extraction.KEEP_SECONDS = 0.0
    extract(
        Path(sys.argv[1]),
        MeanColours(seconds_per_batch=0.1),
        store=FeatureStore(Path(sys.argv[2]), limit=1 << 30),
    )
