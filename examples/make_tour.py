"""Make examples/tour.mp4: photographs in the public domain, under a moving camera.

    pip install av numpy pillow scikit-image
    python examples/make_tour.py [OUT.mp4]

The photographs are part of scikit-image; examples/README.md names the author of each.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import skimage.data
from PIL import Image

WIDTH, HEIGHT = 640, 360  # pixels
FRAME_RATE = 25  # frames per second
QUALITY = 26  # x264's constant rate factor; gives about 2 MB


@dataclass(frozen=True)
class Shot:
    """One photograph, and the path of the camera over it.

    start, end: centre x, centre y and width of the view, as shares of the photograph's width
        (centre y: of its height)
    """

    photograph: str
    seconds: int
    start: tuple[float, float, float]
    end: tuple[float, float, float]


SHOTS = (
    Shot("coffee", 10, (0.45, 0.50, 0.95), (0.50, 0.50, 0.70)),
    Shot("rocket", 9, (0.50, 0.62, 0.80), (0.50, 0.40, 0.95)),
    Shot("chelsea", 13, (0.45, 0.50, 1.00), (0.50, 0.42, 0.65)),
    Shot("brick", 6, (0.40, 0.40, 0.70), (0.60, 0.60, 0.70)),
    Shot("astronaut", 12, (0.50, 0.30, 0.95), (0.45, 0.28, 0.70)),
    Shot("coins", 7, (0.45, 0.45, 0.85), (0.55, 0.55, 0.75)),
    Shot("camera", 10, (0.50, 0.40, 1.00), (0.45, 0.38, 0.75)),
    Shot("hubble_deep_field", 8, (0.40, 0.45, 0.60), (0.60, 0.55, 0.70)),
)


def photograph(name: str) -> Image.Image:
    return Image.fromarray(getattr(skimage.data, name)()).convert("RGB")


def view(image: Image.Image, centre_x: float, centre_y: float, width: float) -> Image.Image:
    """Return what the camera sees: a box in the shape of the film, inside the photograph."""
    w = min(width * image.width, image.height * WIDTH / HEIGHT)
    h = w * HEIGHT / WIDTH
    left = float(np.clip(centre_x * image.width - w / 2, 0, image.width - w))
    top = float(np.clip(centre_y * image.height - h / 2, 0, image.height - h))
    box = (left, top, left + w, top + h)
    return image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box=box)


def frames(shot: Shot) -> Iterator[Image.Image]:
    image, count = photograph(shot.photograph), shot.seconds * FRAME_RATE
    for t in np.linspace(0, 1, count):
        ease = t * t * (3 - 2 * t)
        yield view(image, *(a + ease * (b - a) for a, b in zip(shot.start, shot.end, strict=True)))


def write(out: Path) -> None:
    options = {"crf": str(QUALITY), "preset": "slow", "movflags": "+faststart"}
    with av.open(str(out), "w") as film:
        stream = film.add_stream("libx264", rate=Fraction(FRAME_RATE), options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for shot in SHOTS:
            for image in frames(shot):
                film.mux(stream.encode(av.VideoFrame.from_image(image)))
        film.mux(stream.encode())


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("tour.mp4")
    write(out)
    at = 0
    for shot in SHOTS:
        print(f"{at:3d} - {at + shot.seconds:3d} s  {shot.photograph}")
        at += shot.seconds
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
