"""Measure the errors of in-points and out-points, in frames, for every export and every reader.

    python benchmarks/handover_errors.py [--markdown]

The script makes a short video at each frame rate, in a temporary folder. Five moments, whose ends
are frames of the video, are written in each format and read by each reader. A number is the largest
error of an in-point and of an out-point. This script needs the `test` extra.
"""

from __future__ import annotations

import argparse
import csv
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import av
import imageio_ffmpeg
import opentimelineio as otio
import pycmx
import pysubs2
import webvtt
from rich.console import Console
from rich.table import Table

from rdmf_cli.handover.media import Source, source_of
from rdmf_cli.moments.types import Moment
from rdmf_cli.outputs import open_writer

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "handover")]

from barcoded import Recipe  # noqa: E402
from rates_to_try import RATES, SPANS  # noqa: E402
from sample_answers import sample_answer  # noqa: E402

Ends = tuple[Fraction, Fraction]
"""In-point and out-point in seconds from the first frame."""

TICKS = tuple(40 * n + (13 * n) % 17 for n in range(100))  # milliseconds
VARIABLE = Recipe("variable", "libx264", "mov", 100, Fraction(1000), times=TICKS)


@dataclass(frozen=True)
class Film:
    """A video with the spans that are handed over, in seconds."""

    name: str
    recipe: Recipe
    spans: tuple[Ends, ...]


def films() -> list[Film]:
    """Make a video at each frame rate, and one at a variable rate.

    60 frames per second is left out, because its time code passes midnight (see docs/formats.md).
    """
    constant = [
        Film(r.name, r.recipe, tuple((a / r.rate, b / r.rate) for a, b in SPANS))
        for r in RATES
        if r.name != "60"
    ]
    frames = [(0, 1), (7, 31), (31, 60), (60, 61), (70, 98)]
    spans = tuple((Fraction(TICKS[a], 1000), Fraction(TICKS[b], 1000)) for a, b in frames)
    return [*constant, Film("variable", VARIABLE, spans)]


def written(form: str, video: Path, spans: tuple[Ends, ...]) -> str:
    moments = [
        Moment(rank=n, start=round(float(a), 6), end=round(float(b), 6), score=1 / n, raw_score=1)
        for n, (a, b) in enumerate(spans, 1)
    ]
    stream = io.StringIO()
    with open_writer(form, stream) as writer:
        writer.write(sample_answer(2, video=str(video), moments=moments, duration=6.0))
    return stream.getvalue()


def _clips(timeline: otio.schema.Timeline, source: Source) -> list[Ends]:
    ranges = [clip.source_range for clip in timeline.find_clips()]
    frames = [(r.start_time.value, r.start_time.value + r.duration.value) for r in ranges]
    return [_seconds(first, stop, source) for first, stop in frames]


def _seconds(first: float, stop: float, source: Source) -> Ends:
    """Convert frames, as the reader counts them from the first frame of the video, to seconds."""
    begin = source.start
    return (Fraction(first) - begin) / source.rate, (Fraction(stop) - begin) / source.rate


def by_otio(text: str, source: Source, video: Path) -> list[Ends]:
    timeline = otio.adapters.read_from_string(text, "otio_json")
    (picture,) = timeline.video_tracks()
    return _clips(picture, source)


def by_pycmx(text: str, source: Source, video: Path) -> list[Ends]:
    edits = [event.edits[0] for event in pycmx.parse_cmx3600(io.StringIO(text)).events]
    count = source.counting.frame_of
    return [_seconds(count(e.source_in), count(e.source_out), source) for e in edits]


def by_cmx_adapter(text: str, source: Source, video: Path) -> list[Ends]:
    timeline = otio.adapters.read_from_string(text, "cmx_3600", rate=float(source.rate))
    return _clips(timeline, source)


def by_fcpxml_rules(text: str, source: Source, video: Path) -> list[Ends]:
    root = ElementTree.fromstring(text)  # noqa: S314  (written by us)
    fraction = lambda text: Fraction(text.removesuffix("s"))  # noqa: E731
    begin = fraction(root.find("resources/asset").get("start"))
    starts = [(fraction(c.get("start")) - begin, c) for c in root.findall(".//spine/asset-clip")]
    return [(start, start + fraction(clip.get("duration"))) for start, clip in starts]


def by_fcpx_adapter(text: str, source: Source, video: Path) -> list[Ends]:
    return _clips(otio.adapters.read_from_string(text, "fcpx_xml")[0], source)


def by_csv(text: str, source: Source, video: Path) -> list[Ends]:
    count = source.counting.frame_of
    rows = csv.DictReader(io.StringIO(text))
    return [_seconds(count(row["In"]), count(row["Out"]), source) for row in rows]


def by_ffmpeg(text: str, source: Source, video: Path) -> list[Ends]:
    with tempfile.TemporaryDirectory() as folder:
        chapters, out = Path(folder) / "chapters.txt", Path(folder) / "out.mkv"
        chapters.write_text(text, encoding="utf-8")
        program = imageio_ffmpeg.get_ffmpeg_exe()
        inputs = ["-v", "error", "-i", str(video), "-i", str(chapters)]
        how = ["-map", "0:v", "-map_chapters", "1", "-c", "copy", str(out)]
        subprocess.run([program, *inputs, *how], check=True)
        with av.open(str(out)) as container:
            return [
                (c["start"] * c["time_base"], c["end"] * c["time_base"])
                for c in container.chapters()
                if c["metadata"]["title"].startswith("#")
            ]


def by_pysubs2(text: str, source: Source, video: Path) -> list[Ends]:
    cues = pysubs2.SSAFile.from_string(text, format_="srt")
    return [(Fraction(cue.start, 1000), Fraction(cue.end, 1000)) for cue in cues]


def by_webvtt(text: str, source: Source, video: Path) -> list[Ends]:
    captions = webvtt.from_string(text).captions
    return [(_clock(caption.start), _clock(caption.end)) for caption in captions]


def _clock(text: str) -> Fraction:
    hours, minutes, seconds = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)


READERS: dict[tuple[str, str], Callable[[str, Source, Path], list[Ends]]] = {
    ("otio", "opentimelineio"): by_otio,
    ("edl", "pycmx"): by_pycmx,
    ("edl", "otio-cmx3600-adapter"): by_cmx_adapter,
    ("fcpxml", "rules of FCPXML"): by_fcpxml_rules,
    ("fcpxml", "otio-fcpx-xml-adapter"): by_fcpx_adapter,
    ("markers", "csv"): by_csv,
    ("ffmetadata", "FFmpeg"): by_ffmpeg,
    ("srt", "pysubs2"): by_pysubs2,
    ("vtt", "webvtt-py"): by_webvtt,
}
"""The readers of each format."""


def errors(form: str, reader: str, film: Film, video: Path) -> tuple[float, float]:
    """Return the largest errors of an in-point and of an out-point, in frames."""
    source = source_of(video)
    found = READERS[form, reader](written(form, video, film.spans), source, video)
    pairs = list(zip(sorted(found), sorted(film.spans), strict=True))
    places = (0, 1)
    inward, outward = (
        max((abs(one[p] - two[p]) for one, two in pairs)) * source.rate for p in places
    )
    return float(inward), float(outward)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", action="store_true", help="print the table for the docs")
    arguments = parser.parse_args()
    every = films()
    with tempfile.TemporaryDirectory() as folder:
        videos = [film.recipe.make(Path(folder)) for film in every]
        made = list(zip(every, videos, strict=True))
        rows = [[*key, *(told(*errors(*key, *pair)) for pair in made)] for key in READERS]
    columns = ["format", "reader", *(film.name for film in every)]
    if arguments.markdown:
        for row in [columns, ["---"] * len(columns), *rows]:
            print(f"| {' | '.join(row)} |")
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    Console(width=160).print(table)


def told(inward: float, outward: float) -> str:
    """Write both errors, or one number if they are equal, to a tenth of a frame."""
    one, two = (f"{error:.1f}".removesuffix(".0") for error in (inward, outward))
    return one if one == two else f"{one}, {two}"


if __name__ == "__main__":
    main()
