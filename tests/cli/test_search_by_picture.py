"""rdmf search by pictures, by moments of videos, and by mixtures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from rdmf_cli.features.pictures import is_picture

SCENES = {"cat": (19, 32), "coins": (50, 57), "rocket": (10, 19)}


@pytest.fixture
def asked(run, cached_tour, monkeypatch):
    """Search in the example video; return the first hit."""

    def ask(*words: object) -> dict:
        ended = run("search", cached_tour, *words, "--json", "-k", "1")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    return ask


def shows(hit: dict, scene: str) -> bool:
    start, end = SCENES[scene]
    both = min(hit["end"], end) - max(hit["start"], start)
    return both > 0.6 * (max(hit["end"], end) - min(hit["start"], start))


def test_a_picture_finds_what_it_shows(asked, cat) -> None:
    hit = asked("--image", cat)
    assert shows(hit, "cat")
    assert hit["convinces"]
    assert hit["query"] == "a cat.png"


@pytest.mark.parametrize(
    ("time", "scene"), [("0:25", "cat"), ("53.5", "coins"), ("0:00:14", "rocket")]
)
def test_a_moment_finds_what_is_like_it(asked, tour, time, scene) -> None:
    hit = asked("--like", f"{tour}@{time}")
    assert shows(hit, scene)
    assert hit["query"] == f"tour.mp4@{time}"


def test_words_and_pictures_are_weighed(asked, cat) -> None:
    mostly_cat = asked("old coins", "--add", f"3:{cat}")
    assert mostly_cat["query"] == "old coins + 3:a cat.png"
    assert shows(mostly_cat, "cat")
    mostly_coins = asked("old coins", "--add", f"0.2:{cat}")
    assert shows(mostly_coins, "coins")


def test_what_is_taken_away_is_not_found(asked, cat) -> None:
    assert shows(asked("the face of a cat"), "cat")
    other = asked("the face of a cat", "--subtract", f"2:{cat}")
    assert other["query"] == "the face of a cat - 2:a cat.png"
    assert not shows(other, "cat")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--image", "{folder}/none.png"), "none.png: the picture cannot be read"),
        (("--image", "{folder}/text.png"), "text.png: this file is not a picture"),
        (("--like", "{tour}"), "is not a moment of a video"),
        (("--like", "{tour}@5:00"), "tour.mp4"),
        (("--like", "{folder}/none.mp4@0:10"), "none.mp4"),
        (("a cat", "--add", "0:a dog"), "has the weight 0"),
        (("a cat", "--subtract", "a cat"), "cancel each other"),
        (("--subtract", "a cat"), "no sentence is given"),
    ],
)
def test_mistakes_are_said(run, cached_tour, tmp_path, words, said) -> None:
    (tmp_path / "text.png").write_text("no picture")
    typed = [word.format(folder=tmp_path, tour=cached_tour) for word in words]
    ended = run("search", cached_tour, *typed)
    assert ended.returncode in (1, 2)
    assert said in ended.stderr
    assert ended.stdout == ""


def test_pictures_are_told_by_their_names() -> None:
    for name in ("a.jpg", "b/C.PNG", "d.webp"):
        assert is_picture(name)
    for name in ("a cat", "a.mp4", "", "x" * 5000 + ".jpg"):
        assert not is_picture(name)


def test_a_picture_is_read_upright(tmp_path: Path) -> None:
    from rdmf_cli.features.pictures import read_picture

    image = Image.new("RGB", (30, 20), "red")
    exif = image.getexif()
    exif[0x0112] = 6  # turn by a quarter
    image.save(tmp_path / "turned.jpg", exif=exif)
    assert read_picture(tmp_path / "turned.jpg").shape == (30, 20, 3)
    Image.new("LA", (4, 4)).save(tmp_path / "grey.png")
    assert read_picture(tmp_path / "grey.png").shape == (4, 4, 3)
