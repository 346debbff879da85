"""Compare the time at which a browser shows a frame with the time that rdmf states.

    python benchmarks/browser_times.py

The script makes two videos whose pictures begin after their sound: late.mp4 (six seconds late) and
cut.mp4 (cut without encoding, so it begins with the sound of pictures that were cut off). Each
second of the source has its own brightness. A headless Chromium seeks to the time that rdmf states
for each frame; then the brightness in Chromium is compared with the brightness in rdmf. The script
needs ffmpeg, chromium, chromedriver and selenium. The page is a file, and nothing is opened over a
network.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from rdmf_cli.video import open_clips

SECONDS = 20
# The brightness changes once per second of the source, so a mean shows the second.
SOURCE = f"color=black:s=160x120:r=25:d={SECONDS},geq=lum='20+10*floor(T)':cb=128:cr=128"
PAGE = "<canvas id=c width=160 height=120></canvas><video id=v muted src='{source}'></video>"
SHOWN_AT = """
const [at, done] = [arguments[0], arguments[1]];
const v = document.getElementById("v"), c = document.getElementById("c").getContext("2d");
const look = () => {
  c.drawImage(v, 0, 0, 160, 120);
  const p = c.getImageData(0, 0, 160, 120).data;
  let sum = 0;
  for (let i = 0; i < p.length; i += 4) sum += p[i + 3] ? p[i] : 0;
  done([sum / (p.length / 4), v.duration, v.error ? v.error.message : ""]);
};
const seek = () => { v.addEventListener("seeked", () => setTimeout(look, 100), {once: true});
                     v.currentTime = at; };
if (v.readyState >= 2 || v.error) v.error ? look() : seek();
else v.addEventListener("loadeddata", seek, {once: true});
"""


def ffmpeg(*args: object) -> None:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, args)]
    subprocess.run(command, check=True)


def make(folder: Path) -> list[Path]:
    """Write the two videos, in a codec that Chromium plays."""
    plain, base = folder / "plain.mp4", folder / "base.mp4"
    late, cut = folder / "late.mp4", folder / "cut.mp4"
    h264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "125")
    ffmpeg("-f", "lavfi", "-i", SOURCE, *h264, plain)
    tone = ("-f", "lavfi", "-i", f"sine=d={SECONDS + 6}")
    ffmpeg(
        *tone,
        "-itsoffset",
        6,
        "-i",
        plain,
        "-map",
        0,
        "-map",
        1,
        "-c:a",
        "aac",
        "-c:v",
        "copy",
        late,
    )
    ffmpeg("-i", plain, *tone, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", base)
    ffmpeg("-i", base, "-ss", 8, "-c", "copy", cut)
    return [plain, late, cut]


def by_browser(path: Path, times: list[float]) -> list[float]:
    """Return the mean brightness that Chromium shows at some times of a video."""
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--allow-file-access-from-files"):
        options.add_argument(word)
    source = "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()
    page = path.with_suffix(".html")
    page.write_text(PAGE.format(source=source))
    driver_program = shutil.which("chromedriver")
    if driver_program is None:  # selenium would otherwise search for one over the network
        raise SystemExit("chromedriver is not installed")
    with webdriver.Chrome(options=options, service=Service(driver_program)) as driver:
        driver.set_script_timeout(30)
        driver.get(page.as_uri())
        found = [driver.execute_async_script(SHOWN_AT, at) for at in times]
    for _, _, error in found:
        if error:
            raise SystemExit(f"{path.name}: Chromium says: {error}")
    return [brightness for brightness, _, _ in found]


def by_rdmf(path: Path) -> tuple[list[float], list[float]]:
    """For one frame per second, return the player's time and the brightness of the frame."""
    with open_clips(path, 1.0) as reader:
        begins = reader.info.clock.begins
        frames = [frame for _, frame in reader]
    return [begins + f.time.seconds for f in frames], [float(f.image.mean()) for f in frames]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for path in make(Path(folder)):
            times, ours = by_rdmf(path)
            theirs = by_browser(path, [time + 0.02 for time in times])
            apart = np.abs(np.array(ours) - np.array(theirs))
            print(
                f"{path.name}: first frame at {times[0]:.2f} s, {len(times)} frames, "
                f"{(apart < 5).sum()} shown there by the browser (a second is 11 levels; "
                f"greatest difference {apart.max():.1f})"
            )


if __name__ == "__main__":
    main()
