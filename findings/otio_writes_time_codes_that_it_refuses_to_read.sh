#!/usr/bin/env bash
# OpenTimelineIO: to_timecode takes rates that from_timecode refuses, and drops whole days.
#
# `RationalTime(1800, 29.97).to_timecode()` gives "00:01:00;02"; `from_timecode` of that text with the
# same rate raises "SMPTE timecode does not support this rate": only 30000/1001 is read back. 23.98 and
# 59.94 are alike. So a program that rounds rates writes files without an error, and cannot read them.
#
# Past 24 hours (a camera that runs over night), to_timecode begins again at 0 without a word, while
# from_timecode reads "25:00:00:00" as 25 hours: the way there and back loses a day.
#
# What to do: make rates from fractions (or `nearest_smpte_timecode_rate`, which makes 119.88 to 60);
# check for 24 hours before you write a time code.
# Seen with: OpenTimelineIO 0.18.1, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet opentimelineio==0.18.1
"$work/env/bin/python" - <<'PY'
import sys

from opentimelineio.opentime import RationalTime, from_timecode

FRAMES = 1800
SEEN = {  # rate: the time code written, the frames read back; None: refused
    29.97: ("00:01:00;02", None),
    30000 / 1001: ("00:01:00;02", FRAMES),
    59.94: ("00:00:30;00", None),
    60000 / 1001: ("00:00:30;00", FRAMES),
    23.98: ("00:01:15:00", None),
    24000 / 1001: ("00:01:15:00", FRAMES),
}


def read(text: str, rate: float) -> float | None:
    try:
        return from_timecode(text, rate).value
    except ValueError:
        return None


same = True
for rate, expected in SEEN.items():
    text = RationalTime(FRAMES, rate).to_timecode()
    found = (text, read(text, rate))
    same &= found == expected
    print(f"{FRAMES} frames at {rate:.6f}: {found[0]}, read back: {found[1]}")

HOUR = 25 * 60 * 60
night = RationalTime(25 * HOUR, 25)
text, read_back = night.to_timecode(), from_timecode("25:00:00:00", 25)
print(f"25 hours at 25: {text}, read back: {from_timecode(text, 25).value / HOUR:.0f} h;", end=" ")
print(f"25:00:00:00 is read as {read_back.value / HOUR:.0f} h")
same &= text == "01:00:00:00" and read_back == night
rounded = RationalTime.nearest_smpte_timecode_rate(119.88)
print("nearest rate to 119.88:", rounded)
same &= rounded == 60.0
print("as seen" if same else "CHANGED")
sys.exit(not same)
PY
