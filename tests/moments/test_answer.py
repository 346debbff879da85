"""The answer as Python shows it."""

from __future__ import annotations

import numpy as np
from sample_answers import empty_answer, sample_answer


def test_an_answer_prints_as_one_short_line():
    told = repr(sample_answer(1000))
    assert told == str(sample_answer(1000))
    assert "\n" not in told
    assert len(told) < 160
    assert "presence 0.83, 5 moments, best 4:40.0 - 8:40.0 (0.95)" in told
    assert "no moments" in repr(empty_answer())


def test_times_are_those_of_the_curve():
    answer = sample_answer(10, offset=3.0)
    np.testing.assert_allclose(answer.times, 3.0 + 2.0 * np.arange(10))
    assert len(answer.times) == len(answer.saliency)


def test_moments_as_a_table():
    import pandas

    answer = sample_answer()
    table = answer.to_frame()
    assert isinstance(table, pandas.DataFrame)
    names = ["video", "query", "rank", "start", "end", "score", "raw_score", "recorded_at"]
    assert list(table.columns) == names
    assert table["start"].tolist() == [moment.start for moment in answer.moments]
    assert list(empty_answer().to_frame().columns) == names
