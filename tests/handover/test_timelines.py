"""Hand-over to editors: every format at every frame rate, read by parsers of other projects."""

from __future__ import annotations

import csv
import io
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pycmx
import pytest
from barcoded import Recipe
from rates_to_try import RATES, SPANS, moments_at
from sample_answers import sample_answer

from rdmf_cli.errors import UsageError
from rdmf_cli.handover.media import source_of
from rdmf_cli.handover.timecode import Counting
from rdmf_cli.outputs import open_writer


def handed_over(form: str, *videos: tuple[Path, list]) -> str:
    """Write the moments of videos in a format."""
    stream = io.StringIO()
    with open_writer(form, stream) as writer:
        for path, moments in videos:
            writer.write(sample_answer(2, video=str(path), moments=moments))
    return stream.getvalue()


@pytest.fixture(params=RATES, ids=str)
def rate(request):
    return request.param


@pytest.fixture
def video(rate, made):
    return made(rate.recipe)


def counted(rate) -> Counting:
    return Counting(rate.rate, rate.drop)


def expected(rate) -> list[tuple[int, int]]:
    """Return in-point and out-point of each moment, counted from 00:00:00:00."""
    start = counted(rate).frame_of(rate.code)
    return [(start + first, start + stop) for first, stop in SPANS]


def test_a_video_is_described_as_its_file_says(rate, video):
    source = source_of(video)
    assert (source.rate, source.counting.drop) == (rate.rate, rate.drop)
    assert source.start == counted(rate).frame_of(rate.code)
    assert (source.frames, source.varies) == (120, False)


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "libx264"), ("mkv", "libx264"), ("mxf", "mpeg2video")]
)
def test_every_container_tells_its_start_code(suffix, codec, tmp_path):
    tape = Recipe("tape", codec, suffix, 50, Fraction(30000, 1001), time_code="01:00:00;00")
    source = source_of(tape.make(tmp_path))
    assert (source.rate, source.counting.drop) == (Fraction(30000, 1001), True)
    assert (source.start, source.frames) == (107892, 50)


def test_pycmx_reads_every_event_of_an_edl(rate, video):
    text = handed_over("edl", (video, moments_at(rate.rate)))
    edits = [event.edits[0] for event in pycmx.parse_cmx3600(io.StringIO(text)).events]
    count = counted(rate).frame_of
    day = 24 * 3600 * 60
    spans = [(count(edit.source_in), count(edit.source_out)) for edit in edits]
    assert spans == [(a % day, b % day) if rate.name == "60" else (a, b) for a, b in expected(rate)]
    record = [(count(edit.record_in), count(edit.record_out)) for edit in edits]
    assert record[0][0] == count("01:00:00:00")
    assert [b for _, b in record[:-1]] == [a for a, _ in record[1:]]
    assert [b - a for a, b in record] == [b - a for a, b in SPANS]
    assert {edit.clip_name for edit in edits} == {video.name}
    assert f"FCM: {'' if rate.drop else 'NON-'}DROP FRAME" in text


def seconds(text: str) -> Fraction:
    """Read a time of FCPXML."""
    return Fraction(text.removesuffix("s"))


def test_times_in_fcpxml_are_whole_frames(rate, video):
    """Apple's reference: times are fractions of a second, at whole frames."""
    root = ElementTree.fromstring(handed_over("fcpxml", (video, moments_at(rate.rate))))
    frame = seconds(root.find("resources/format").get("frameDuration"))
    assert frame == 1 / rate.rate
    clips = root.findall(".//spine/asset-clip")
    times = {
        name: [seconds(clip.get(name)) / frame for clip in clips]
        for name in ("start", "duration", "offset")
    }
    assert all(time.denominator == 1 for column in times.values() for time in column)
    spans = [(a, a + b) for a, b in zip(times["start"], times["duration"], strict=True)]
    assert spans == expected(rate)
    assert times["offset"] == [sum(times["duration"][:n]) for n in range(len(clips))]
    (asset,) = root.findall("resources/asset")
    assert seconds(asset.get("start")) / frame == counted(rate).frame_of(rate.code)
    assert seconds(asset.get("duration")) / frame == 120
    assert {clip.get("tcFormat") for clip in clips} == {"DF" if rate.drop else "NDF"}
    assert asset.get("src") == video.as_uri()


def test_markers_are_rows_of_csv(rate, video):
    rows = csv.DictReader(io.StringIO(handed_over("markers", (video, moments_at(rate.rate)))))
    count, day = counted(rate).frame_of, 24 * 3600 * 60
    spans = [(count(row["In"]), count(row["Out"])) for row in rows]
    assert spans == [(a % day, b % day) if rate.name == "60" else (a, b) for a, b in expected(rate)]


def test_each_video_keeps_its_rate_on_one_timeline(made):
    film, tape = RATES[1], RATES[3]
    both = [(made(r.recipe), moments_at(r.rate)) for r in (film, tape)]
    root = ElementTree.fromstring(handed_over("fcpxml", *both))
    durations = [seconds(f.get("frameDuration")) for f in root.findall("resources/format")]
    assert durations == [Fraction(1, 24), Fraction(1, 24), Fraction(1001, 30000)]
    clips = root.findall(".//spine/asset-clip")
    starts = [seconds(clip.get("start")) for clip in clips[5:]]
    assert [start * tape.rate for start in starts] == [a for a, _ in expected(tape)]
    lengths = [seconds(clip.get("duration")) for clip in clips]
    assert all((length * 24).denominator == 1 for length in lengths)
    for length, (first, stop) in zip(lengths[5:], SPANS, strict=True):
        assert abs(length - (stop - first) / tape.rate) <= Fraction(1, 48)
    assert [c.find("conform-rate") is not None for c in clips] == [False] * 5 + [True] * 5
    assert clips[5].find("conform-rate").attrib == {"scaleEnabled": "0", "srcFrameRate": "29.97"}


def test_an_edl_has_one_frame_rate(made):
    both = [(made(r.recipe), moments_at(r.rate)) for r in (RATES[1], RATES[2])]
    with pytest.raises(UsageError, match=r"-o '\{stem\}\.edl'"):
        handed_over("edl", *both)


def test_two_videos_of_one_name_are_two_reels(made, tmp_path):
    rate = RATES[2]
    paths = [tmp_path / folder / "a b.mov" for folder in "xy"]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(made(rate.recipe).read_bytes())
    text = handed_over("edl", *((path, moments_at(rate.rate)) for path in paths))
    edits = [event.edits[0] for event in pycmx.parse_cmx3600(io.StringIO(text)).events]
    assert [edit.source for edit in edits] == ["AB"] * 5 + ["AB2"] * 5
    assert [edit.source_file for edit in edits] == [str(p) for p in paths for _ in range(5)]


VARIABLE = Recipe(
    "variable", "libx264", "mkv", 100, Fraction(1000),
    times=tuple(40 * n + (13 * n) % 17 for n in range(100)),
)  # fmt: skip


def test_a_variable_rate_is_off_by_half_a_nominal_frame_at_most(made):
    video = made(VARIABLE)
    source = source_of(video)
    assert (source.varies, source.rate) == (True, 25)
    moments = [m.model_copy(update={"start": 0.371, "end": 2.9}) for m in moments_at(source.rate)]
    text = handed_over("edl", (video, moments))
    (edit, *_) = (event.edits[0] for event in pycmx.parse_cmx3600(io.StringIO(text)).events)
    found = [source.counting.frame_of(code) / 25 for code in (edit.source_in, edit.source_out)]
    assert found == pytest.approx([0.371, 2.9], abs=0.02 + 1e-9)


def test_the_picture_that_begins_late_is_frame_nought(tmp_path, made):
    """The times of a moment are the player's and count from the sound; frames count from 0."""
    recipe = Recipe("late", "libx264", "mkv", 50, Fraction(25), tuple(range(25, 75)), sound=True)
    source = source_of(made(recipe))
    assert source.begins == 1
    assert source.span(1.0, 1.4) == (0, 10)
    assert source.sound_channels == 2


@pytest.mark.parametrize("form", ["otio", "edl", "fcpxml", "markers"])
def test_nothing_found_is_an_empty_timeline(form, tmp_path):
    text = handed_over(form, (tmp_path / "gone.mp4", []))
    assert "gone" not in text
    assert text


@pytest.mark.parametrize("form", ["otio", "edl", "fcpxml", "markers"])
def test_no_query_breaks_a_timeline(form, made):
    video = made(RATES[2].recipe)
    stream = io.StringIO()
    query = 'two\nlines * M2 & <b>"bold"</b>\x1b[31m \ufffe 001  AX V C'
    with open_writer(form, stream) as writer:
        writer.write(
            sample_answer(2, query=query, video=str(video), moments=moments_at(RATES[2].rate))
        )
    text = stream.getvalue()
    assert "\x1b" not in text
    if form == "edl":
        assert len(list(pycmx.parse_cmx3600(io.StringIO(text)).events)) == 5
    if form == "fcpxml":
        assert len(ElementTree.fromstring(text).findall(".//note")) == 5
    if form == "markers":
        assert len(list(csv.DictReader(io.StringIO(text)))) == 5
