#!/usr/bin/env bash
# pysubs2 1.8.1: a cue at hour 100 is read as one at hour 0; as .ass, all after hour 10 become one instant.
#
# SubRip and WebVTT put no limit on the digits of the hours, and footage of fixed cameras runs for days.
# pysubs2 looks for one or two digits anywhere in the line, so 100:00:05,000 is read as 00:00:05: the cue
# moves to the beginning, without a warning. FFmpeg and webvtt-py read 360,005 s. Written as SubStation
# (.ass), a cue at twelve hours starts and ends at 9:59:59.99, the last time that the format's one digit
# of hours can tell; there a RuntimeWarning says so ("clamping").
#
# What to do: give each day a file of its own, or read long SubRip and WebVTT with another reader.
# Seen with: pysubs2 1.8.1 (and 1.9.0 on Python 3.13), webvtt-py 0.6.0, imageio-ffmpeg 0.8.1 (FFmpeg 9.0),
# Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3.10 python3; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet pysubs2==1.8.1 webvtt-py==0.6.0 imageio-ffmpeg==0.8.1
"$work/env/bin/python" - "$work" <<'PY'
import subprocess
import sys
import warnings
from pathlib import Path

import imageio_ffmpeg
import pysubs2
import webvtt

path = Path(sys.argv[1]) / "long.srt"


text = "1\n100:00:05,000 --> 100:00:07,000\na door opens\n"
path.write_text(text)
(cue,) = pysubs2.load(str(path))
(other,) = webvtt.from_srt(str(path))
ffmpeg = subprocess.run(
    [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", path, "-f", "webvtt", "-"],
    capture_output=True, text=True, check=True,
).stdout
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    late = pysubs2.SSAFile.from_string(text.replace("100:", "12:"))
    substation = late.to_string("ass").splitlines()[-1]

print("pysubs2", pysubs2.__version__)
print("in the file:  ", text.splitlines()[1])
print("pysubs2 reads:", cue.start / 1000, "s")
print("webvtt-py:    ", other.start)
print("FFmpeg:       ", ffmpeg.splitlines()[2])
print("as .ass, 12 h:", substation, "-", [str(w.message) for w in said])
assert cue.start == 5000, "hours of three digits are read as such"
assert other.start == "100:00:05.000"
assert "100:00:05.000 --> 100:00:07.000" in ffmpeg
assert "9:59:59.99,9:59:59.99" in substation, "hours after 10 can be written as .ass"
PY
echo "as described"
