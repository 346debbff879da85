"""Time codes and frame rates, by their definition and by published numbers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rates_to_try import RATES

from rdmf_cli.handover.rates import STANDARD, editing_rate, frame_rate_of
from rdmf_cli.handover.timecode import Counting

rates = st.sampled_from(RATES)
DF = Counting(Fraction(30000, 1001), drop=True)


@given(rates, st.integers(0, 24 * 3600 * 23))
def test_a_time_code_is_the_frame_it_came_from(rate, frame):
    counting = Counting(rate.rate, rate.drop)
    assert counting.frame_of(counting.code(frame)) == frame


@given(rates, st.integers(0, 5_000_000))
def test_the_next_frame_has_the_next_code_that_is_not_left_out(rate, frame):
    counting = Counting(rate.rate, rate.drop)
    codes = counting.code(frame), counting.code(frame + 1)
    assert len(set(codes)) == 2
    minute, second, last = codes[1][3:5], codes[1][6:8], int(codes[1][9:])
    if rate.drop and second == "00" and int(minute) % 10:
        assert last >= counting.base // 15


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (0, "00:00:00;00"),
        (1799, "00:00:59;29"),
        (1800, "00:01:00;02"),
        (17981, "00:09:59;29"),
        (17982, "00:10:00;00"),
        (107892, "01:00:00;00"),
        (2589407, "23:59:59;29"),
        (2589408, "00:00:00;00"),
    ],
)
def test_drop_frame_counts_as_published(frame, code):
    assert DF.code(frame) == code
    assert DF.frame_of(code) == frame % 2589408


@given(st.integers(0, 2589407))
def test_drop_frame_keeps_up_with_the_clock(frame):
    hours, minutes, seconds, frames = (int(DF.code(frame)[i : i + 2]) for i in (0, 3, 6, 9))
    told = (hours * 60 + minutes) * 60 + seconds + frames / 30
    assert abs(told - frame * 1001 / 30000) < 0.2  # 3 frames within ten minutes, and 3 per day


def test_a_code_that_is_left_out_stands_for_the_next():
    assert DF.frame_of("00:01:00;00") == DF.frame_of("00:01:00;02")


@pytest.mark.parametrize("code", ["", "1", "00:00:00:30", "00:61:00:00", "01:00:00", "a:b:c:d"])
def test_what_is_no_time_code_is_refused(code):
    with pytest.raises(ValueError, match="not a time code"):
        Counting(Fraction(30)).frame_of(code)


def test_only_ntsc_rates_drop():
    with pytest.raises(ValueError, match="25"):
        Counting(Fraction(25), drop=True)


def times(rate: Fraction, frames: int, ticks_per_second: int) -> np.ndarray:
    """Return when frames at a constant rate are shown, with the rounding of a container."""
    return np.array([round(n / rate * ticks_per_second) for n in range(frames)], np.int64)


@given(st.sampled_from(STANDARD), st.sampled_from([1000, 15360, 90000]), st.integers(400, 3000))
def test_a_constant_rate_is_found_through_the_rounding_of_containers(rate, ticks, frames):
    assert frame_rate_of(times(rate, frames, ticks), Fraction(1, ticks), [rate]) == rate


@pytest.mark.parametrize("rate", STANDARD)
def test_a_standard_rate_is_found_where_the_file_says_nothing(rate):
    shown = times(rate, 3000, 90000)
    assert frame_rate_of(shown, Fraction(1, 90000)) == rate


def test_what_a_file_says_is_not_believed_against_its_frames():
    shown = times(Fraction(24), 500, 90000)
    assert frame_rate_of(shown, Fraction(1, 90000), [Fraction(25), Fraction(90000)]) == 24


def test_missing_frames_leave_the_rate():
    shown = np.delete(times(Fraction(25), 500, 12800), [3, 4, 5, 200, 201])
    assert frame_rate_of(shown, Fraction(1, 12800), [Fraction(25)]) == 25


def test_a_rate_that_varies_is_none():
    shown = np.cumsum(np.tile([33, 34, 41, 20, 50], 60))
    assert frame_rate_of(shown, Fraction(1, 1000), [Fraction(28)]) is None
    assert editing_rate(shown, Fraction(1, 1000), None) == Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("rate", "edited"),
    [(15, 30), (Fraction(25, 2), 25), (5, 25), (10, 30), (12, 24), (7, Fraction(24000, 1001))],
)
def test_a_rate_of_no_editor_goes_to_a_multiple_or_the_nearest(rate, edited):
    rate = Fraction(rate)
    assert editing_rate(times(rate, 100, 90000), Fraction(1, 90000), rate) == edited


@pytest.mark.parametrize("rate", STANDARD)
def test_a_standard_rate_stays(rate):
    assert editing_rate(times(rate, 100, 90000), Fraction(1, 90000), rate) == rate
