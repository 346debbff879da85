"""Which words make a moment stand out."""

from __future__ import annotations

import numpy as np
import pytest

from rdmf_cli import Searcher
from rdmf_cli.channels.explaining import contrast, word_shares
from rdmf_cli.resources import example_video


def test_contrast_is_the_match_of_the_moment_less_that_of_the_video():
    rows = np.eye(4, dtype=np.float32)
    assert contrast(rows, rows[2], slice(2, 3)) == pytest.approx(0.75)


def test_a_word_that_nothing_depends_on_has_no_share():
    (first, second) = word_shares(["a", "cat"], 0.2, [0.2, 0.05])
    assert (first.word, second.word) == ("cat", "a")
    assert (first.share, second.share) == pytest.approx((0.75, 0.0))


def test_a_moment_that_does_not_stand_out_is_made_by_no_word():
    assert word_shares(["a", "cat"], 0.0, [0.1, 0.1]) == ()


def test_the_thing_that_is_shown_counts_most():
    search = Searcher(encoder="embedded")
    shares = search.explain(example_video(), "the face of a cat", (19.0, 32.0))
    assert shares[0].word == "cat"
    assert {one.word for one in shares} == {"the", "face", "of", "a", "cat"}
    assert search.explain(example_video(), "cat", (19.0, 32.0)) == ()
