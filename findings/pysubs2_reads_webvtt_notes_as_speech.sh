#!/usr/bin/env bash
# pysubs2 takes WebVTT's notes, and the names of cues, for words of the cue before.
#
# WebVTT allows comments between cues (a block that begins with NOTE) and a line with a name above a
# cue's times. pysubs2 begins a new line of speech only at a line of times, so a note to a colleague,
# and the next cue's name, are shown at the end of the cue before. The first cue's name is not.
# FFmpeg and webvtt-py read the same file right.
#
# And none of the three turns `&amp;` into `&`, which WebVTT requires to be written so: whoever looks
# for "R&D" in the text that they return does not find it.
#
# What to do: read WebVTT with webvtt-py or FFmpeg, and unescape the text (html.unescape).
# Seen with: pysubs2 1.8.1, webvtt-py 0.6.0, PyAV 18.1.0 (FFmpeg inside), Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet pysubs2==1.8.1 webvtt-py==0.6.0 av==18.1.0
"$work/env/bin/python" - "$work" <<'PY'
import sys
from pathlib import Path

import av
import pysubs2
import webvtt

FILE = """WEBVTT

opening
00:01.000 --> 00:02.000
R&amp;D is busy

NOTE
ask Anna about this line

answer
00:03.000 --> 00:04.000
come in
"""
RIGHT = ["R&amp;D is busy", "come in"]
BY_PYSUBS2 = ["R&amp;D is busy|NOTE|ask Anna about this line|answer", "come in"]

path = Path(sys.argv[1]) / "film.vtt"
path.write_text(FILE)
with av.open(str(path)) as source:
    packets = source.demux(source.streams.subtitles[0])
    by_ffmpeg = [bytes(packet).decode() for packet in packets if packet.size]
by_webvtt = [cue.text for cue in webvtt.read(str(path))]
lines = [event.text.split(r"\N") for event in pysubs2.load(str(path))]
by_pysubs2 = ["|".join(part for part in line if part) for line in lines]

print("FFmpeg   ", by_ffmpeg)
print("webvtt-py", by_webvtt)
print("pysubs2  ", by_pysubs2)
same = by_ffmpeg == RIGHT and by_webvtt == RIGHT and by_pysubs2 == BY_PYSUBS2
print("as seen" if same else "CHANGED")
sys.exit(not same)
PY
