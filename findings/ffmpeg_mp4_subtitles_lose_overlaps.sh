#!/usr/bin/env bash
# FFmpeg 9.0: subtitles put into MP4 end where the next cue begins; the same into Matroska stay whole.
#
# Two people speak at once: one cue from 1 to 9 s, one from 4 to 6 s. An MP4 text track is a row of
# samples one behind the other and knows no overlap. FFmpeg ends the first cue at 4 s and shows nothing
# of it from 6 to 9 s. It says nothing, and the exit code is 0. Who takes the subtitles out of the MP4
# again gets 1 to 4 s and 4 to 6 s: whoever searches what is said between 6 and 9 s finds silence.
# And between the cues lie empty samples: a count of the track's packets is not the number of its cues.
#
# What to do: keep overlapping subtitles in Matroska or in a file beside the video; for MP4, first split
# them into cues that do not overlap and carry both texts.
# Seen with: imageio-ffmpeg 0.8.1 (FFmpeg 9.0), PyAV 18.1.0 to read, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet av==18.1.0 imageio-ffmpeg==0.8.1
"$work/env/bin/python" - "$work" <<'PY'
import subprocess
import sys
from pathlib import Path

import av
import imageio_ffmpeg

work, program = Path(sys.argv[1]), imageio_ffmpeg.get_ffmpeg_exe()
(work / "talk.srt").write_text(
    "1\n00:00:01,000 --> 00:00:09,000\nand so we went on\n\n"
    "2\n00:00:04,000 --> 00:00:06,000\nno, wait\n"
)


def cues(suffix, codec):
    """Returns (start, end, text) of each cue and the number of packets."""
    out = work / f"talk.{suffix}"
    done = subprocess.run(
        [program, "-v", "warning", "-f", "lavfi", "-i", "color=red:s=64x48:r=5:d=12",
         "-i", work / "talk.srt", "-c:s", codec, out],
        capture_output=True, text=True, check=True,
    )
    assert "subtitle" not in done.stderr.lower(), done.stderr
    found, packets = [], 0
    with av.open(str(out)) as container:
        stream = container.streams.subtitles[0]
        for packet in container.demux(stream):
            packets += packet.size > 0
            for text in packet.decode() if packet.size else []:
                start = float(packet.pts * packet.time_base)
                end = start + float(packet.duration * packet.time_base)
                found.append((start, end, text.dialogue.decode()))
    return found, packets


mp4, mp4_packets = cues("mp4", "mov_text")
matroska, matroska_packets = cues("mkv", "srt")
print("FFmpeg", imageio_ffmpeg.get_ffmpeg_version())
print("Matroska:", matroska, matroska_packets, "packets")
print("MP4:     ", mp4, mp4_packets, "packets")
assert [cue[:2] for cue in matroska] == [(1, 9), (4, 6)]
assert [cue[:2] for cue in mp4] == [(1, 4), (4, 6)], "MP4 keeps overlaps now"
assert matroska_packets == 2 and mp4_packets == 4
PY
echo "as described"
