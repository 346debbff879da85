"""Videos for a browser, and what it shows of them."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from barcoded import Recipe, read_barcode
from PIL import Image

RATE = 25
PLAIN = Recipe("plain", "libx264", "mp4", 100, sound=True)
LATE = Recipe("late", "libx264", "mp4", 50, times=tuple(range(50, 100)), sound=True)

SHOWN = """
const [place, done] = arguments;
const video = document.querySelectorAll("video")[place];
const canvas = document.createElement("canvas");
const look = () => {
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  done(canvas.toDataURL("image/png"));
};
video.pause();
const wait = () => {
  if (video.seeking || video.readyState < 2) setTimeout(wait, 20); else setTimeout(look, 150);
};
wait();
"""
HELD = """
// From now on a video shows the frame that was sought: it does not play on.
HTMLMediaElement.prototype.play = function () { return Promise.resolve(); };
"""


def sized(browser: Any, width: int, height: int, scheme: str = "light") -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def frame_shown(browser: Any, place: int = 0) -> int:
    """The number of the frame that a video of the page shows."""
    data = browser.execute_async_script(SHOWN, place)
    image = Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))).convert("RGB")
    return read_barcode(np.asarray(image))
