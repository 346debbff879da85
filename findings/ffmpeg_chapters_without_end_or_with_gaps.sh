#!/usr/bin/env bash
# FFmpeg 9.0: a chapter without END loses its title, and MP4 moves the first chapter to 0.
#
# In an FFMETADATA file the key END of a chapter looks optional: the reader takes the start of the next
# chapter where it is missing. But it reads the keys in a fixed order, TIMEBASE, START, END, and where
# it finds another line in the place of END it has read that line already: a `title=` that follows
# START directly is swallowed. The chapter is there, in the right place, without its title; a line in
# the log tells ("Expected chapter end timestamp, found title=one."), the exit code is 0.
# And the MP4 muxer writes chapters as samples of a text track, one behind the other: a gap before the
# first chapter is lost, so that it starts at 0 and not at 2 s, and a chapter lasts until the next one,
# whatever its END says. Nothing is said. Matroska keeps the gaps.
#
# What to do: give each chapter an END, and fill gaps with chapters of their own.
# Seen with: imageio-ffmpeg 0.8.1 (FFmpeg 9.0), PyAV 18.1.0 to read the chapters, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.14 python3.13 python3.12 python3.11 python3; do
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
subprocess.run(
    [program, "-v", "error", "-f", "lavfi", "-i", "testsrc=d=10:s=64x64", work / "film.mp4"], check=True
)


def chapters(lines, suffix):
    (work / "meta.txt").write_text(";FFMETADATA1\n" + lines)
    out = work / f"out.{suffix}"
    inputs = ["-i", work / "film.mp4", "-i", work / "meta.txt", "-map", "0", "-map_chapters", "1"]
    subprocess.run([program, "-y", "-v", "error", *inputs, "-c", "copy", out], check=True)
    with av.open(str(out)) as container:
        return [
            (float(c["start"] * c["time_base"]), c["metadata"].get("title"))
            for c in container.chapters()
        ]


def chapter(start, end, title):
    ending = f"END={end}\n" if end else ""
    return f"[CHAPTER]\nTIMEBASE=1/1\nSTART={start}\n{ending}title={title}\n"


print(subprocess.run([program, "-version"], capture_output=True, text=True).stdout.split("\n")[0])
endless = chapters(chapter(0, None, "one") + chapter(4, None, "two"), "mkv")
print("without END:", endless)
gaps = chapter(2, 3, "one") + chapter(6, 7, "two")
print("with gaps, Matroska:", chapters(gaps, "mkv"))
moved = chapters(gaps, "mp4")
print("with gaps, MP4:     ", moved)
three = chapter(0, 1, "one") + chapter(3, 4, "two") + chapter(6, 7, "three")
with_ends = chapters(three, "mp4")
print("with gaps between, MP4:", with_ends)
assert [start for start, _ in endless] == [0, 4]
assert [title for _, title in endless] != ["one", "two"], "titles are kept now"
assert chapters(gaps, "mkv") == [(2, "one"), (6, "two")]
assert moved == [(0, "one"), (6, "two")], "MP4 keeps the gap before the first chapter now"
assert [start for start, _ in with_ends] == [0, 3, 6]
PY
echo "as described"
