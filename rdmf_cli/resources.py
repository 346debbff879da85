"""Where the files that rdmf ships lie: in the package when installed, else in the checkout."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def example_video() -> Path:
    """The tour of photographs that the README and the self-test use."""
    return _shipped("_examples/tour.mp4", "examples/tour.mp4")


def weight_file(name: str) -> Path:
    """A file of `weights/`."""
    return _shipped(f"_weights/{name}", f"weights/{name}")


def _shipped(installed: str, in_checkout: str) -> Path:
    path = PACKAGE / installed
    return path if path.exists() else PACKAGE.parent / in_checkout
