#!/usr/bin/env bash
# The fraction of a second in SRT: FFmpeg reads "01,5" as 1.005 s and "01.500000" as 501 s.
#
# SRT times have three digits after the comma. Programs that print a time with one digit, or with six
# (Python's str(timedelta) prints microseconds), make files that look right to a person. FFmpeg and
# the package srt read the digits as a number of milliseconds, however many there are: half a second
# becomes 5 ms, and 500,000 microseconds become 500 s. Nobody warns. pysubs2 reads them as a decimal
# fraction, so the same file has other times in another program.
#
# What to do: always write three digits; read with pysubs2 where files of others come in.
# Seen with: PyAV 18.1.0 (FFmpeg inside), pysubs2 1.8.1, srt 3.5.3, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet av==18.1.0 pysubs2==1.8.1 srt==3.5.3
"$work/env/bin/python" - "$work" <<'PY'
import sys
from pathlib import Path

import av
import pysubs2
import srt

# start, end: milliseconds of start and end as read by FFmpeg, by srt, by pysubs2
SEEN = {
    ("00:00:01,500", "00:00:02,250"): [(1500, 2250)] * 3,
    ("00:00:01,5", "00:00:02,25"): [(1005, 2025), (1005, 2025), (1500, 2250)],
    ("00:00:01.500000", "00:00:02.750000"): [(501000, 752000), (501000, 752000), (1500, 2750)],
}


def by_ffmpeg(path: Path) -> tuple[int, int]:
    with av.open(str(path)) as source:
        stream = source.streams.subtitles[0]
        packet = next(packet for packet in source.demux(stream) if packet.size)
        assert stream.time_base.denominator == 1000
        return packet.pts, packet.pts + packet.duration


def by_srt(path: Path) -> tuple[int, int]:
    cue = next(srt.parse(path.read_text()))
    return round(cue.start.total_seconds() * 1000), round(cue.end.total_seconds() * 1000)


def by_pysubs2(path: Path) -> tuple[int, int]:
    event = pysubs2.load(str(path))[0]
    return event.start, event.end


same = True
for number, ((start, end), expected) in enumerate(SEEN.items()):
    path = Path(sys.argv[1]) / f"{number}.srt"
    path.write_text(f"1\n{start} --> {end}\nhello\n\n")
    found = [by_ffmpeg(path), by_srt(path), by_pysubs2(path)]
    same &= found == expected
    print(f"{start} --> {end}: FFmpeg {found[0]}, srt {found[1]}, pysubs2 {found[2]} ms")
print("as seen" if same else "CHANGED")
sys.exit(not same)
PY
