#!/usr/bin/env bash
# otio-fcpx-xml-adapter 1.0.0: reads most FCPXML frames off by one, and all of them at NTSC rates.
#
# FCPXML writes times as fractions of a second: frame 29 at 25 frames per second is 29/25s. The
# reader multiplies floats and cuts off what is behind the point (to_rational_time), so 29/25s becomes
# frame 28: int(29 / 25 * 25) == 28. And it cuts the frame rate itself to a whole number
# (_format_frame_rate): a format with frameDuration="1001/30000s" is read as 29 frames per second, so
# that every number is wrong by 3 %: an in-point at 01:00:00:00 is 3,496 frames off. Nothing is
# said. That FCPXML passes through OpenTimelineIO unharmed is what its adapter list suggests.
#
# What to do: read FCPXML as fractions (fractions.Fraction of the attribute, divided by frameDuration).
# Seen with: opentimelineio 0.18.1, otio-fcpx-xml-adapter 1.0.0, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3.10 python3; do
    "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null && break
done  # OpenTimelineIO has no wheels for Python 3.14

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet opentimelineio==0.18.1 otio-fcpx-xml-adapter==1.0.0
"$work/env/bin/python" - <<'PY'
import opentimelineio as otio

DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE fcpxml>
<fcpxml version="1.8">
  <resources>
    <format id="r1" frameDuration="{frame}" width="1280" height="720"/>
    <asset id="a1" name="a" src="file:///a.mov" start="{start}" duration="{length}" hasVideo="1"
      format="r1"/>
  </resources>
  <project name="p"><sequence format="r1" duration="{length}"><spine>
    <asset-clip ref="a1" name="a" offset="0s" start="{start}" duration="{length}"/>
  </spine></sequence></project>
</fcpxml>"""


def read(frame, start, length):
    text = DOCUMENT.format(frame=frame, start=start, length=length)
    timeline = otio.adapters.read_from_string(text, "fcpx_xml")
    (clip,) = timeline.find_clips()
    found = clip.source_range
    return found.start_time.value, found.duration.value, found.duration.rate


print("OpenTimelineIO", otio.__version__)
pal = read("1/25s", "29/25s", "57/25s")
print("25 fps, frames 29 and 57:", pal)
ntsc = read("1001/30000s", "108108/30s", "3003/300s")  # 01:00:00:00 and 300 frames
print("29.97 fps, frames 108000 and 300:", ntsc)
assert pal == (28, 56, 25), "it no longer cuts frames off"
assert ntsc == (104504, 290, 29), "it no longer takes 29.97 for 29"
PY
echo "as described"
