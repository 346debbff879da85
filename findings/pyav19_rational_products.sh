#!/usr/bin/env bash
# PyAV 19.0.2: products of time bases and frame rates are rounded without a word, down to zero.
#
# Up to PyAV 18, `stream.time_base` and `stream.average_rate` are `fractions.Fraction`. From 19 on
# they are `av.rational.AVRational`. It compares equal to the fraction and hashes like it, and
# AVRational * int still gives a Fraction, so code that was tested with one product goes on working.
# But AVRational * AVRational stays an AVRational of two 32-bit integers: what does not fit is
# replaced by the nearest ratio that does. For 1/1000, the time base of every Matroska file, the
# fourth power is 0/1; a frame rate of 30000/1001 cubed is off in the ninth digit.
#
# What to do: wrap the value once, Fraction(stream.time_base), before any arithmetic.
# Seen with: PyAV 18.1.0 (exact) and 19.0.2 (rounded), Python 3.12 and 3.13, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.14 python3.13 python3.12 python3; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && break
done  # PyAV 19 needs Python 3.12

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet av==19.0.2 numpy
"$work/env/bin/python" - <<'PY'
import io
from fractions import Fraction

import av
import numpy as np

buffer = io.BytesIO()
with av.open(buffer, "w", format="matroska") as out:
    stream = out.add_stream("mpeg4", rate=Fraction(30000, 1001))
    stream.width = stream.height = 64
    stream.pix_fmt = "yuv420p"
    for _ in range(5):
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        out.mux(stream.encode(frame))
    out.mux(stream.encode())
buffer.seek(0)
with av.open(buffer) as container:
    base = container.streams.video[0].time_base
    rate = container.streams.video[0].average_rate
print("PyAV", av.__version__, type(base).__name__, repr(base), repr(rate))
fourth, cube = base * base * base * base, rate * rate * rate
print("time base to the fourth:", repr(fourth), "exact:", Fraction(base) ** 4)
print("rate cubed:", repr(cube), "exact:", Fraction(rate) ** 3)
assert rate == Fraction(30000, 1001) and hash(rate) == hash(Fraction(30000, 1001))
assert isinstance(base * 3, Fraction), "a product with an int is exact"
assert (fourth.numerator, fourth.denominator) == (0, 1), "the product is no longer rounded to 0"
assert Fraction(cube.numerator, cube.denominator) != Fraction(rate) ** 3, "the cube is exact now"
PY
echo "as described"
