"""Word pieces: the cases in BERT's own description, and rules for any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdmf_cli.encoders.embedded.wordpieces import SPECIAL, WordPieces, words
from rdmf_cli.resources import load_weights

SHIPPED = WordPieces(load_weights("embedded_pieces.txt").decode().splitlines())
CUT = WordPieces([*SPECIAL, "un", "##aff", "##able", "##a", "a", "dog", "!", "'", "s"])


def pieces(text: str) -> list[str]:
    return [CUT.pieces[i] for i in CUT(text)[1:-1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A dog's café", ["a", "dog", "'", "s", "cafe"]),
        ("tab\tand\u00a0space", ["tab", "and", "space"]),
        ("don't-stop...", ["don", "'", "t", "-", "stop", ".", ".", "."]),
        ("犬が", ["犬", "か"]),  # the voicing mark of が is removed, like accents
        ("zero\u200bwidth", ["zerowidth"]),
        ("5$ + 3%", ["5", "$", "+", "3", "%"]),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unaffable", ["un", "##aff", "##able"]),
        ("a dog!", ["a", "dog", "!"]),
        ("dogs", ["[UNK]"]),  # no "##s"
        ("x" * 101, ["[UNK]"]),
    ],
)
def test_a_word_is_cut_into_the_longest_pieces(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


def test_a_withheld_piece_is_not_used() -> None:
    without = {CUT.pieces.index("##aff")}
    assert CUT("unaffable", without)[1:-1] == [1]


def test_every_text_starts_and_ends_and_is_cut() -> None:
    ids = CUT("dog " * 10_000)
    assert len(ids) == CUT.longest
    assert (ids[0], ids[-1]) == (2, 3)


@given(st.text(max_size=200))
def test_any_text_becomes_known_numbers(text: str) -> None:
    ids = CUT(text)
    assert 2 <= len(ids) <= CUT.longest
    assert all(0 < i < len(CUT.pieces) for i in ids)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_the_shipped_pieces_can_write_all_of_ascii(text: str) -> None:
    assert 1 not in SHIPPED(text)
