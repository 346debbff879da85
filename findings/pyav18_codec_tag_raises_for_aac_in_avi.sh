#!/usr/bin/env bash
# PyAV 18.1.0: reading `codec_tag` raises UnicodeDecodeError for AAC sound in AVI and WAV.
#
# A codec's "tag" is four characters in MP4, but a number elsewhere: AVI and WAV number the formats of
# sound. PyAV decodes the bytes of the tag as ASCII, so that the property raises where one is above
# 0x7F, and the number of AAC is 0xFF. The stream is well otherwise, and decodes. (In MPEG transport
# streams, types of streams that FFmpeg has no four characters for do the same.)
#
# What to do: catch UnicodeDecodeError around `codec_tag`; tell codecs apart by `codec_context.name`.
# Seen with: PyAV 18.1.0, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet av==18.1.0 numpy
"$work/env/bin/python" - "$work" <<'PY'
import sys
from pathlib import Path

import av
import numpy as np

print("PyAV", av.__version__)
for codec, form in (("aac", "avi"), ("aac", "wav")):
    path = str(Path(sys.argv[1]) / form)
    with av.open(path, "w", format=form) as out:
        stream = out.add_stream(codec, rate=48_000)
        samples = np.zeros((2, 1536), np.float32)
        for number in range(20):
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = 48_000, 1536 * number
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    with av.open(path) as container:
        stream = container.streams.audio[0]
        try:
            seen = f"codec_tag is {stream.codec_context.codec_tag!r}"
        except UnicodeDecodeError as error:
            seen = f"UnicodeDecodeError: {error}"
        frames = sum(1 for _ in container.decode(stream))
    print(f"{codec} in {form}: {frames} frames; {seen}")
    assert frames > 10 and seen.startswith("UnicodeDecodeError"), "codec_tag behaves otherwise now"
PY
echo "as described"
