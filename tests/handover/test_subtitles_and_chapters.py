"""Subtitles and chapters, read back by pysubs2, webvtt-py and FFmpeg."""

from __future__ import annotations

import io
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import av
import imageio_ffmpeg
import pysubs2
import pytest
import webvtt
from barcoded import Recipe
from hypothesis import given
from hypothesis import strategies as st
from sample_answers import sample_answer

from rdmf_cli.errors import UsageError
from rdmf_cli.moments.types import Moment
from rdmf_cli.outputs import open_writer

AWKWARD = r"<b>bold</b> {\an8} 1 --> 2 \N =;# &amp; дверь"


def moment(start: float, end: float, rank: int = 1, score: float = 0.5) -> Moment:
    return Moment(rank=rank, start=start, end=end, score=score, raw_score=1.0)


def written(form: str, *answers) -> str:
    stream = io.StringIO()
    with open_writer(form, stream) as writer:
        for answer in answers:
            writer.write(answer)
    return stream.getvalue()


def answer(*moments: Moment, **fields):
    return sample_answer(2, moments=moments, **{"duration": 100.0, "query": "a cat", **fields})


spans = st.tuples(st.floats(0, 5000), st.floats(0, 60)).map(lambda t: (t[0], t[0] + t[1]))


@given(st.lists(spans, max_size=12))
def test_cues_of_subrip_never_overlap_and_show_what_is_on(found):
    moments = [moment(a, b, n, 1 / n) for n, (a, b) in enumerate(found, 1)]
    subs = pysubs2.SSAFile.from_string(written("srt", answer(*moments)), format_="srt")
    assert all(one.end <= two.start for one, two in pairwise(subs))
    assert all(cue.start < cue.end for cue in subs)
    for m in moments:
        on = [cue for cue in subs if f"#{m.rank} " in cue.plaintext]
        assert on[0].start == round(m.start * 1000)
        assert on[-1].end == max(round(m.end * 1000), round(m.start * 1000) + 1)
        assert sum(cue.end - cue.start for cue in on) == on[-1].end - on[0].start


@given(st.lists(spans, max_size=12))
def test_cues_of_webvtt_are_the_moments_in_order(found):
    moments = [moment(a, b, n) for n, (a, b) in enumerate(found, 1)]
    captions = webvtt.from_string(written("vtt", answer(*moments))).captions
    assert [c.start for c in captions] == sorted(c.start for c in captions)
    assert len(captions) == len(moments)


@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_several_queries_on_one_video_are_one_track(form):
    text = written(form, answer(moment(50, 60)), answer(moment(0, 10), query="a dog"))
    subs = pysubs2.SSAFile.from_string(text, format_=form)
    assert [(cue.start, cue.plaintext[:8]) for cue in subs] == [
        (0, "#1 a dog"),
        (50_000, "#1 a cat"),
    ]


def test_markup_in_a_query_is_text_to_the_readers_of_subtitles():
    (cue,) = pysubs2.SSAFile.from_string(written("srt", answer(moment(0, 1), query=AWKWARD)))
    shown = cue.plaintext.translate(str.maketrans("＜＞｛｝＼", "<>{}\\"))
    assert AWKWARD in shown
    (caption,) = webvtt.from_string(written("vtt", answer(moment(0, 1), query=AWKWARD))).captions
    assert "-->" not in caption.text
    assert "&lt;b&gt;bold&lt;/b&gt;" in caption.raw_text


@pytest.mark.parametrize("form", ["srt", "vtt", "chapters", "ffmetadata"])
def test_several_videos_in_one_file_are_a_usage_error(form):
    with pytest.raises(UsageError, match=rf"-o '\{{stem\}}\.{form}'"):
        written(form, answer(moment(0, 1)), answer(moment(0, 1), video="other.mp4"))


@given(st.lists(spans, max_size=12), st.floats(30, 6000))
def test_chapters_keep_the_rules_of_youtube(found, duration):
    inside = [(a, b) for a, b in found if b <= duration]
    moments = [moment(a, b, n, 1 / n) for n, (a, b) in enumerate(inside, 1)]
    lines = written("chapters", answer(*moments, duration=duration)).splitlines()
    starts = [seconds_of(line) for line in lines]
    assert starts[0] == 0
    assert all(b - a >= 10 for a, b in pairwise(starts))
    assert duration - starts[-1] >= 10
    best = moments[0].start if moments else 0.0
    if best >= 10 and duration - best > 11:
        assert f"{lines[starts.index(round(best))]}".endswith(" a cat")


def seconds_of(line: str) -> int:
    total = 0
    for part in line.split()[0].split(":"):
        total = total * 60 + int(part)
    return total


def test_chapters_end_where_the_moment_does():
    text = written("chapters", answer(moment(20, 45), moment(22, 30, 2, 0.2)))
    assert text == "0:00 Start\n0:20 a cat\n0:45 Other\n"


def test_a_description_on_youtube_holds_no_angle_brackets():
    assert not set("<>") & set(written("chapters", answer(moment(20, 40), query="<b> > c")))


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    recipe = Recipe("film", "libx264", "mp4", 250, sound=True)
    return recipe.make(tmp_path_factory.mktemp("film"))


def with_chapters(film: Path, text: str, suffix: str, folder: Path) -> list[tuple[int, int, str]]:
    """Return the chapters of a file that FFmpeg wrote: start and end in milliseconds, and title."""
    (folder / "chapters.txt").write_text(text, encoding="utf-8")
    out = folder / f"with.{suffix}"
    program = imageio_ffmpeg.get_ffmpeg_exe()
    inputs = ["-i", film, "-i", folder / "chapters.txt"]
    subprocess.run(
        [program, "-v", "error", *inputs, "-map", "0", "-map_chapters", "1", "-c", "copy", out],
        check=True,
    )
    with av.open(str(out)) as container:
        return [
            (
                round(c["start"] * c["time_base"] * 1000),
                round(c["end"] * c["time_base"] * 1000),
                c["metadata"].get("title", ""),
            )
            for c in container.chapters()
        ]


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_ffmpeg_puts_the_chapters_where_the_moments_are(film, tmp_path, suffix):
    found = answer(moment(2.04, 5.2), moment(4.4, 8.12, 2, 0.4), duration=10.0, query=AWKWARD)
    chapters = with_chapters(film, written("ffmetadata", found), suffix, tmp_path)
    spans = [(0, 2040), (2040, 4400), (4400, 5200), (5200, 8120), (8120, 10_000)]
    assert [chapter[:2] for chapter in chapters] == spans
    titles = [title for _, _, title in chapters]
    one, two = f"#1 {AWKWARD} (0.50)", f"#2 {AWKWARD} (0.40)"
    assert titles == ["Other", one, f"{one} / {two}", two, "Other"]


def test_ffmpeg_drops_the_title_of_a_chapter_without_an_end(film, tmp_path):
    """This is why each chapter of rdmf has an end."""
    text = written("ffmetadata", answer(moment(2, 5), duration=10.0))
    without = re.sub(r"END=\d+\n", "", text)
    titles = [title for _, _, title in with_chapters(film, without, "mkv", tmp_path)]
    assert titles != ["Other", "#1 a cat (0.50)", "Other"]


def test_mp4_moves_the_first_chapter_to_its_start(film, tmp_path):
    """This is why the chapters of rdmf have no gaps."""
    text = written("ffmetadata", answer(moment(2, 3), moment(6, 7, 2), duration=10.0))
    gaps = text.split("[CHAPTER]")
    text = "[CHAPTER]".join([gaps[0], gaps[2], gaps[4]])
    chapters = with_chapters(film, text, "mp4", tmp_path)
    assert chapters[0][:2] == (0, 6000)  # before: (2000, 3000)
