"""rdmf query by pictures, by moments of videos, and by mixtures."""

from __future__ import annotations

import json

import pytest
from published_schemas import check_lines

from rdmf_cli import Searcher
from rdmf_cli.channels.query import Term

CAT, COINS = (19, 32), (50, 57)


@pytest.fixture
def answers(run, cached_tour):
    """Ask a question on the example video; return all answers."""

    def ask(*words: object) -> list[dict]:
        ended = run("query", cached_tour, *words, "--json", "-k", "1")
        assert ended.returncode == 0, ended.stderr
        return check_lines(ended.stdout)

    return ask


def shows(answer: dict, scene: tuple[int, int]) -> bool:
    best = answer["moments"][0]
    both = min(best["end"], scene[1]) - max(best["start"], scene[0])
    return both > 0.6 * (max(best["end"], scene[1]) - min(best["start"], scene[0]))


def test_a_picture_finds_what_it_shows(answers, cat, tour) -> None:
    (by_file,) = answers("--image", cat)
    assert by_file["query"] == "a cat.png"
    (by_moment,) = answers("--like", f"{tour}@0:25")
    for answer in (by_file, by_moment):
        assert shows(answer, CAT)
        assert answer["presence"] > 0.5


def test_it_is_the_moment_that_search_finds(run, cached_tour, answers, cat) -> None:
    (answer,) = answers("--image", cat)
    hit = json.loads(run("search", cached_tour, "--image", cat, "--json", "-k", "1").stdout)
    (best,) = answer["moments"]
    assert (hit["start"], hit["end"], hit["score"]) == (best["start"], best["end"], best["score"])
    assert hit["presence"] == answer["presence"]


def test_parts_go_with_each_sentence(answers, cat) -> None:
    coins, cats = answers("old coins", "the face of a cat", "--add", f"0.2:{cat}")
    assert [coins["query"], cats["query"]] == [
        "old coins + 0.2:a cat.png",
        "the face of a cat + 0.2:a cat.png",
    ]
    assert shows(coins, COINS)
    assert shows(cats, CAT)


def test_what_is_taken_away_is_not_found(answers, cat) -> None:
    (answer,) = answers("the face of a cat", "--subtract", f"2:{cat}")
    assert not shows(answer, CAT)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--image", "{folder}/none.png"), "none.png: the picture cannot be read"),
        (("--like", "{tour}"), "is not a moment of a video"),
        (("a cat", "--subtract", "a cat"), "cancel each other"),
        (("--subtract", "a cat"), "no query is given"),
        (("a cat", "--add", " "), "the query is empty"),
    ],
)
def test_mistakes_are_said(run, cached_tour, tmp_path, words, said) -> None:
    typed = [word.format(folder=tmp_path, tour=cached_tour) for word in words]
    ended = run("query", cached_tour, *typed)
    assert ended.returncode in (1, 2)
    assert said in ended.stderr
    assert ended.stdout == ""


def test_a_plain_part_is_the_plain_sentence(cached_tour) -> None:
    searcher = Searcher(encoder="embedded")
    plain, part = searcher.ask(cached_tour, ["old coins", [Term("old\ncoins")]])
    assert part.model_copy(update={"timings": plain.timings}) == plain
