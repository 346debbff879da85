"""Held-out videos: no video is in both parts, for any order of the annotations."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from rdmf_cli.datasets import Annotation, hold_out

LETTERS = st.sampled_from("aZ9-_")
YOUTUBE = st.text(LETTERS, min_size=11, max_size=11)
STARTS = st.integers(0, 9)
WINDOWS = st.builds(lambda name, n: f"{name}_{60.0 * n}_{60.0 * n + 150}", YOUTUBE, STARTS)
NAMES = st.one_of(WINDOWS, st.text(min_size=1, max_size=14), st.sampled_from(["v_1_2", "s13-d21"]))
SHARES = st.floats(0.01, 0.99)


def annotations(vids: list[str]) -> list[Annotation]:
    return [Annotation(qid, "a query", vid, 150.0) for qid, vid in enumerate(vids)]


def group(vid: str) -> str:
    """The rule, written in another way: the eleven characters before `_start_end`."""
    parts = vid[11:].split("_")
    numbers = len(parts) == 3 and parts[0] == "" and all(map(_is_number, parts[1:]))
    plain = len(vid) > 11 and all(c.isalnum() or c in "-_" for c in vid[:11])
    return vid[:11] if numbers and plain else vid


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal() and text[0] != "." and text[-1] != "."


@given(st.lists(NAMES, min_size=1, max_size=40), SHARES, st.integers(0, 5))
def test_every_query_is_on_one_side_and_no_video_on_both(vids, share, seed):
    train, held = hold_out(annotations(vids), share, seed)
    assert sorted(train + held) == list(range(len(vids)))
    assert not {group(vids[i]) for i in train} & {group(vids[i]) for i in held}
    videos = len(set(map(group, vids)))
    kept = len({group(vids[i]) for i in held})
    assert kept == (min(max(round(share * videos), 1), videos - 1))


@given(st.lists(NAMES, min_size=2, max_size=40), SHARES, st.randoms())
def test_the_order_of_the_annotations_changes_nothing(vids, share, shuffled: random.Random):
    moved = vids.copy()
    shuffled.shuffle(moved)
    (_, held), (_, held_moved) = (hold_out(annotations(v), share) for v in (vids, moved))
    assert {vids[i] for i in held} == {moved[i] for i in held_moved}


def test_other_seeds_hold_out_other_videos():
    set_of_fifty = annotations([f"video{i}" for i in range(50)])
    held = {tuple(hold_out(set_of_fifty, 0.2, seed)[1]) for seed in range(5)}
    assert len(held) == 5
    assert all(len(indices) == 10 for indices in held)


def test_nothing_is_held_out_of_a_single_video_or_of_a_share_of_nothing():
    one = annotations(["abcdefghijk_0.0_150.0", "abcdefghijk_150.0_300.0"])
    assert hold_out(one) == ([0, 1], [])
    assert hold_out(annotations(["a", "b"]), share=0) == ([0, 1], [])
