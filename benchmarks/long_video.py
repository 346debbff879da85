"""Measure the memory of `rdmf query` on three minutes and on three hours of video.

    python benchmarks/long_video.py [--minutes 3 180]

The script makes the videos (H.264, 320 × 180, 10 frames per second, a key frame every 5 s), asks
one question per video in its own process without the cache, and prints clips, seconds and peak
memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 10  # frames per second
SCENE_SECONDS = 7


def make(path: Path, minutes: float) -> Path:
    """Write a video of scenes with moving gradients, each in its own colour."""
    ramp = np.linspace(0, 1, 320)[None, :, None] * np.ones((180, 1, 1))
    with av.open(str(path), "w") as film:
        options = {"preset": "ultrafast", "crf": "35", "g": str(5 * RATE)}
        stream = film.add_stream("libx264", rate=Fraction(RATE), options=options)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for i in range(round(minutes * 60 * RATE)):
            rng = np.random.default_rng(i // (SCENE_SECONDS * RATE))
            image = np.roll(ramp, 3 * i, axis=1) * rng.uniform(40, 250, 3)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(image.astype(np.uint8))))
        film.mux(stream.encode())
    return path


def ask(path: Path) -> dict[str, float]:
    """Ask one question in its own process; return the answer, the peak memory and the seconds."""
    command = [sys.executable, "-m", "rdmf_cli", "query", str(path), "a blue wall", "--json"]
    environment = {**os.environ, "RDMF_CACHE_DIR": str(path.parent / "cache")}
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    answer = json.loads(child.stdout.read())
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"rdmf query failed on {path}")
    return {
        "clips": answer["features"]["clips"],
        "seconds": answer["timings"]["extract"],
        "megabytes": usage.ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, nargs="+", default=[3, 180])
    args = parser.parse_args()
    print(f"{'minutes':>8s} {'clips':>6s} {'s to extract':>13s} {'peak memory':>12s}")
    with tempfile.TemporaryDirectory() as folder:
        for minutes in args.minutes:
            told = ask(make(Path(folder) / "video.mp4", minutes))
            print(
                f"{minutes:8g} {told['clips']:6d} {told['seconds']:13.1f} "
                f"{told['megabytes']:9.0f} MB"
            )


if __name__ == "__main__":
    main()
