#!/usr/bin/env bash
# otio-cmx3600-adapter 1.0.0: markers of an EDL vanish where its time codes are drop-frame.
#
# An EDL's locators ("* LOC: 01:00:00:00 RED  text") become markers of the clip. The reader looks for
# them with \d\d:\d\d:\d\d:\d\d, so a drop-frame code, which is written with a semicolon
# (01:00:00;00), does not match, and the marker is dropped without a word ("Should we report this as a
# warning somehow?" says a comment). The event lines of the same file take the semicolon. Besides, the
# line FCM, by which an EDL says whether it counts drop-frame, is passed over, and without `rate=` every
# EDL is read at 24 frames per second.
#
# What to do: pass rate=30000/1001 (as exact as a float is), and put markers into the comments, too.
# Seen with: opentimelineio 0.18.1, otio-cmx3600-adapter 1.0.0, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3.10 python3; do
    "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null && break
done  # OpenTimelineIO has no wheels for Python 3.14

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet opentimelineio==0.18.1 otio-cmx3600-adapter==1.0.0
"$work/env/bin/python" - <<'PY'
import opentimelineio as otio

EDL = """TITLE: markers
FCM: {mode}

001  REEL     V     C        00:00:10{s}00 00:00:14{s}00 01:00:00{s}00 01:00:04{s}00
* FROM CLIP NAME: a.mov
* LOC: 01:00:01{s}00 RED     look here
"""


def read(mode, sign, **options):
    text = EDL.format(mode=mode, s=sign)
    timeline = otio.adapters.read_from_string(text, "cmx_3600", **options)
    return timeline.video_tracks()[0][0]


print("OpenTimelineIO", otio.__version__)
plain = read("NON-DROP FRAME", ":", rate=30000 / 1001)
drop = read("DROP FRAME", ";", rate=30000 / 1001)
untold = read("NON-DROP FRAME", ":")
print("markers: non-drop", len(plain.markers), "drop", len(drop.markers))
print("frames: non-drop", plain.duration().value, "drop", drop.duration().value)
print("rate where nothing is told:", untold.duration().rate)
assert (plain.duration().value, drop.duration().value) == (120, 120), "the events are read right"
assert (len(plain.markers), len(drop.markers)) == (1, 0), "markers with a semicolon are read now"
assert untold.duration().rate == 24
PY
echo "as described"
