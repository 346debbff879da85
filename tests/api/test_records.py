"""Answers, moments and hits in Python: frames, clips, and what a notebook displays."""

from __future__ import annotations

import pickle
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from barcoded import Recipe, read_barcode
from sample_answers import sample_answer, sample_features

from rdmf_cli import Answer, Hit, Moment, RdmfError, UsageError, query, search
from rdmf_cli.resources import example_video

FILM = Recipe("film", "libx264", "mp4", 100, sound=True)  # 25 frames per second
LATE = Recipe("late", "libx264", "mp4", 50, times=tuple(range(50, 100)), sound=True)


def answer_on(video, *spans, **fields) -> Answer:
    """An answer with moments at spans of seconds."""
    moments = [
        Moment(rank=rank, start=start, end=end, score=0.9, raw_score=1.0)
        for rank, (start, end) in enumerate(spans, 1)
    ]
    facts = {"video": str(video), "moments": moments, "duration": 4.0}
    return Answer.model_validate({**dict(sample_answer(2)), **facts, **fields})


def test_query_and_search_return_records_that_open_their_video():
    video = example_video()
    answer = query(video, "the face of a cat", encoder="embedded")
    assert type(answer) is Answer
    assert {type(moment) for moment in answer.moments} == {Moment}
    refined = query(video, "the face of a cat", encoder="embedded", refine=True)
    (hit,) = search([video], "the face of a cat", encoder="embedded", progress=True)
    assert type(hit) is Hit
    for found in (answer.moments[0], refined.moments[0], hit):
        assert found.frame(width=64).size == (64, 36)


@pytest.mark.parametrize(
    ("recipe", "shift", "first"), [(FILM, 0.0, 10), (LATE, 2.0, 10)], ids=["plain", "late"]
)
def test_frames_of_a_moment_are_exact(made, recipe, shift, first):
    """The frames are 10 to 29. If pictures begin late, the player's times begin with the sound."""
    (moment,) = answer_on(made(recipe), (shift + 0.4, shift + 1.2)).moments
    shown = {at: read_barcode(np.asarray(moment.frame(at))) for at in (0, 0.5, 0.999, 1)}
    assert shown == {0: first, 0.5: first + 10, 0.999: first + 19, 1: first + 19}
    image = moment.frame()
    assert (image.mode, image.size) == ("RGB", (recipe_size := image.size))
    assert moment.frame(width=recipe_size[0] // 2).width == recipe_size[0] // 2
    assert moment.frame(width=10_000).size == recipe_size  # never larger than it is


def test_a_clip_holds_the_frames_of_its_moment(made, tmp_path):
    from rdmf_cli.handover.stills import stills

    moment = answer_on(made(FILM), (0.4, 1.2)).moments[0]
    cut = moment.clip(tmp_path / "{cat}.mp4")
    assert (cut.path, cut.start, cut.end) == (tmp_path / "{cat}.mp4", 0.4, 1.2)
    frames = [read_barcode(image) for image in stills(cut.path, [0, 0.4, 10], width=10_000)]
    assert frames == [10, 20, 29]
    padded = moment.clip(str(tmp_path / "padded.mkv"), pad=0.2)
    assert (padded.start, padded.end) == (0.2, 1.4)
    (tmp_path / "mine.mp4").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"mine\.mp4"):
        moment.clip(tmp_path / "mine.mp4")
    with pytest.raises(UsageError, match="suffix"):
        moment.clip(tmp_path / "film.txt")


def test_a_hit_has_frames_and_clips_too(made, tmp_path):
    facts = {"rank": 1, "video": str(made(FILM)), "query": "a cat", "start": 0.4, "end": 1.2}
    scores = {"relevance": 0.9, "convinces": True, "presence": 0.9, "score": 0.9}
    more = {"duration": 4.0, "missing": False, "clip_length": 2.0, "encoder": "e", "head": "h"}
    hit = Hit(**facts, **scores, **more)
    assert read_barcode(np.asarray(hit.frame(0))) == 10
    assert hit.clip(tmp_path / "hit.mp4").end == 1.2


def test_a_moment_knows_its_video_after_copies_and_files(made):
    answer = answer_on(made(FILM), (0.4, 1.2))
    read = Answer.model_validate_json(answer.model_dump_json(by_alias=True))
    assert read == answer
    moved = answer.model_copy(update={"video": "gone.mp4"})
    for other in (read, pickle.loads(pickle.dumps(answer)), answer):
        assert read_barcode(np.asarray(other.moments[0].frame(0))) == 10
    with pytest.raises(FileNotFoundError, match=r"gone\.mp4: no such file"):
        moved.moments[0].frame()
    with pytest.raises(RdmfError, match=r"take the moment from an answer"):
        Moment(rank=1, start=0, end=1, score=1, raw_score=1).frame()
    with pytest.raises(UsageError, match="at must be"):
        answer.moments[0].frame(at=1.5)


def test_progress_and_show_exclude_each_other():
    with pytest.raises(UsageError, match="progress cannot be used together with show"):
        search([example_video()], "a cat", progress=True, show=print)


def displayed(answer: Answer) -> ElementTree.Element:
    """What a notebook displays, as a tree."""
    html = answer._repr_html_()
    return ElementTree.fromstring(re.sub(r"(<img [^>]*)>", r"\1/>", html))


def test_a_notebook_displays_the_curve_and_a_small_picture_of_each_moment(made):
    answer = answer_on(made(FILM), (0.4, 1.2), (2.0, 3.0), warnings=("a warning",))
    tree = displayed(answer)
    pictures = [image.get("src") for image in tree.iter("img")]
    assert len(pictures) == 2
    assert all(src.startswith("data:image/jpeg;base64,") for src in pictures)
    assert len(answer._repr_html_()) < 30_000
    assert len(list(tree.iter("path"))) == 1
    text = " ".join(tree.itertext())
    assert "0:00.4 – 0:01.2" in text
    assert "presence 0.83" in text
    assert "a warning" in text


def test_what_is_displayed_is_self_contained_and_escaped(made):
    evil = '<script>alert(1)</script> & "quotes" \x1b[31m'
    html = answer_on(made(FILM), (0.4, 1.2), query=evil)._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "\x1b" not in html
    assert not re.search(r"https?:|<style|<link|url\(|\son\w+=", html)


def test_a_video_that_vanished_is_a_note_beside_the_curve():
    tree = displayed(answer_on("gone.mp4", (0.4, 1.2)))
    assert not list(tree.iter("img"))
    assert len(list(tree.iter("path"))) == 1
    assert any("gone.mp4: no such file" in (div.text or "") for div in tree.iter("div"))


def test_thousands_of_moments_stay_small(made):
    spans = [(n / 1000, n / 1000 + 0.5) for n in range(3000)]
    html = answer_on(made(FILM), *spans)._repr_html_()
    assert html.count("<img") == 8
    assert "and 2992 more" in html
    empty = {"moments": (), "saliency": (), "saliency_raw": (), "features": sample_features(0)}
    assert "No moments." in answer_on("gone.mp4", **empty)._repr_html_()
