"""Timelines read by OpenTimelineIO and its adapters; errors of the adapters, with their size."""

from __future__ import annotations

from fractions import Fraction

import opentimelineio as otio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rates_to_try import RATES, SPANS, moments_at
from test_timelines import expected, handed_over

from rdmf_cli.handover.timecode import Counting


@pytest.fixture(params=RATES, ids=str)
def rate(request):
    return request.param


@pytest.fixture
def video(rate, made):
    return made(rate.recipe)


def spans_of(track: otio.schema.Track) -> list[tuple[float, float]]:
    ranges = [clip.source_range for clip in track if isinstance(clip, otio.schema.Clip)]
    return [(r.start_time.value, r.end_time_exclusive().value) for r in ranges]


def test_opentimelineio_reads_its_own_format_exactly(rate, video):
    text = handed_over("otio", (video, moments_at(rate.rate)))
    timeline = otio.adapters.read_from_string(text, "otio_json")
    (track,) = timeline.video_tracks()
    assert spans_of(track) == expected(rate)
    assert track.duration().value == sum(b - a for a, b in SPANS)
    clip = track[0]
    assert clip.source_range.start_time.rate == float(rate.rate)
    assert clip.media_reference.available_range.duration.value == 120
    assert clip.media_reference.target_url == video.as_uri()
    assert clip.metadata["rdmf"]["rank"] == 5


def test_opentimelineio_reads_mixed_rates(made):
    both = [(made(r.recipe), moments_at(r.rate)) for r in (RATES[1], RATES[3], RATES[6])]
    timeline = otio.adapters.read_from_string(handed_over("otio", *both), "otio_json")
    (track,) = timeline.video_tracks()
    found = spans_of(track)
    assert found == [*expected(RATES[1]), *expected(RATES[3]), *expected(RATES[6])]
    rates = {clip.source_range.duration.rate for clip in track}
    assert rates == {24.0, float(Fraction(30000, 1001)), 50.0}


def test_sound_lies_on_a_track_beside_the_picture(tmp_path):
    from barcoded import Recipe

    loud = Recipe("loud", "libx264", "mp4", 120, Fraction(25), sound=True).make(tmp_path)
    mute = Recipe("mute", "libx264", "mp4", 120, Fraction(25)).make(tmp_path)
    text = handed_over("otio", (mute, moments_at(Fraction(25))), (loud, moments_at(Fraction(25))))
    timeline = otio.adapters.read_from_string(text, "otio_json")
    (picture,), (sound,) = timeline.video_tracks(), timeline.audio_tracks()
    assert picture.duration() == sound.duration()
    kinds = [type(item).__name__ for item in sound]
    assert kinds == ["Gap"] * 5 + ["Clip"] * 5


def test_the_edl_reader_is_right_where_it_is_told_the_rate(rate, video):
    text = handed_over("edl", (video, moments_at(rate.rate)))
    spans = expected(rate)
    if rate.name == "60":  # the time code restarts at midnight, and this reader cannot read that
        with pytest.raises(Exception, match="duration"):
            otio.adapters.read_from_string(text, "cmx_3600", rate=60.0)
        return
    timeline = otio.adapters.read_from_string(text, "cmx_3600", rate=float(rate.rate))
    (track,) = timeline.video_tracks()
    assert spans_of(track) == spans
    # It keeps the marker of an event if the code has no semicolon; otherwise it drops the marker.
    assert {len(clip.markers) for clip in track} == {0 if rate.drop else 1}


def test_the_edl_reader_takes_24_frames_where_it_is_told_nothing(made):
    """The reader ignores FCM, and no line of an EDL states the rate."""
    text = handed_over("edl", (made(RATES[1].recipe), moments_at(RATES[1].rate)))
    assert (
        otio.adapters.read_from_string(text, "cmx_3600").video_tracks()[0][0].duration().rate == 24
    )


def test_the_fcpxml_reader_cuts_off_frames(rate, video):
    """The reader computes in floating point and rounds down, so it may lose a frame.

    At NTSC rates it reads the frame rate as a whole number (29 for 29.97), so all its numbers are
    wrong. `test_timelines` reads the same file in fractions.
    """
    text = handed_over("fcpxml", (video, moments_at(rate.rate)))
    collection = otio.adapters.read_from_string(text, "fcpx_xml")
    clips = list(collection[0].find_clips())
    told = {clip.source_range.start_time.rate for clip in clips}
    assert told == {float(int(rate.rate))}
    off = [
        (found.start_time.value - first, found.duration.value - (stop - first))
        for found, (first, stop) in zip(
            (clip.source_range for clip in clips), expected(rate), strict=True
        )
    ]
    if rate.rate.denominator == 1:
        assert {error for pair in off for error in pair} <= {0, -1}
    else:
        assert all(start < 0 for start, _ in off)
        frames = [Fraction(first) / rate.rate * int(rate.rate) for first, _ in expected(rate)]
        found = [clip.source_range.start_time.value for clip in clips]
        assert found == pytest.approx([int(frame) for frame in frames], abs=1)


@given(st.sampled_from(RATES), st.integers(0, 2_000_000))
def test_opentimelineio_counts_as_we_do(rate, frame):
    time = otio.opentime.RationalTime(frame, float(rate.rate))
    code = otio.opentime.to_timecode(time, float(rate.rate), rate.drop)
    assert code == Counting(rate.rate, rate.drop).code(frame)
