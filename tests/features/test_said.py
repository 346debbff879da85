"""Subtitles: which file or track belongs to a video, and what its lines say."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdmf_cli.errors import RdmfError
from rdmf_cli.features import FeatureStore
from rdmf_cli.features.said import Line, said_in
from rdmf_cli.features.said.files import MOST_BYTES, beside, read_file
from rdmf_cli.features.said.lines import plain, tidied
from rdmf_cli.files import write_whole

SRT = "1\n00:00:01,000 --> 00:00:02,500\n<i>Where</i> is\nthe dog?\n\n"
GERMAN = "1\n00:00:03,000 --> 00:00:04,000\nGuten Tag\n\n"


def written(path: Path, text: str = SRT, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding)
    return path


def spoken_film(path: Path, tracks: list[tuple[str, str, bool, str]], codec: str = "srt") -> Path:
    """A film of 5 s with subtitle tracks: language, title, forced, and the SRT of each."""
    from av.stream import Disposition

    sources = [
        av.open(str(written(path.with_name(f"{path.stem}-{n}.tmp.srt"), srt)), format="srt")
        for n, (_, _, _, srt) in enumerate(tracks)
    ]
    with av.open(str(path), "w") as film:
        pictures = film.add_stream("mpeg4", rate=5)
        pictures.width = pictures.height = 64
        made = []
        for source, (language, title, forced, _) in zip(sources, tracks, strict=True):
            stream = film.add_stream_from_template(source.streams.subtitles[0])
            stream.metadata["language"], stream.metadata["title"] = language, title
            if forced:
                stream.disposition = Disposition.forced
            made.append(stream)
        for n in range(25):
            frame = av.VideoFrame(64, 64, "yuv420p")
            frame.pts = n
            film.mux(pictures.encode(frame))
        film.mux(pictures.encode(None))
        for source, stream in zip(sources, made, strict=True):
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = stream
                    film.mux(packet)
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.srt", SRT),
        ("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.500\n<v Ann>Where is\nthe dog?\n"),
        (
            "a.ass",
            "[Script Info]\nScriptType: v4.00+\n\n[Events]\n"
            "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
            "Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,not said\n"
            "Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\an8}Where is\\Nthe dog?\n",
        ),
    ],
)
def test_a_line_is_its_words_and_times_in_every_format(tmp_path, name, text):
    assert read_file(written(tmp_path / name, text)).lines == (Line(1.0, 2.5, "Where is the dog?"),)


WEBVTT = (
    "WEBVTT - a film\nKind: captions\n\nSTYLE\n::cue { color: red }\n\n"
    "first\n00:01.000 --> 00:02.500 align:start\nR&amp;D is<00:02.000><c.blue> there</c>\n\n"
    "NOTE\nask Anna about this line\n\n"
    "second line\n100:00:03.000 --> 100:00:04.000\nthe end\n"
)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_notes_and_names_of_webvtt_are_not_said(tmp_path, line_end):
    file = tmp_path / "a.vtt"
    file.write_bytes(WEBVTT.replace("\n", line_end).encode())
    assert read_file(file).lines == (
        Line(1.0, 2.5, "R&D is there"),
        Line(360_003.0, 360_004.0, "the end"),
    )


def test_a_first_cue_right_below_the_header_is_read(tmp_path):
    cue = "00:01.000 --> 00:02.500\nWhere is the dog?\n"
    file = written(tmp_path / "a.vtt", f"WEBVTT\n{cue}")
    assert read_file(file).lines == (Line(1.0, 2.5, "Where is the dog?"),)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_is_read_in_every_form(tmp_path, encoding):
    text = SRT.replace("dog", "Müller, 犬")
    (line,) = read_file(written(tmp_path / "a.srt", text, encoding)).lines
    assert line.text == "Where is the Müller, 犬?"


def test_another_encoding_is_guessed_and_said(tmp_path):
    said = read_file(written(tmp_path / "a.srt", SRT.replace("dog", "café"), "cp1252"))
    assert said.lines[0].text == "Where is the café?"
    assert "Windows-1252" in said.warnings[0]


def test_lines_that_overlap_stay_and_repetitions_are_one():
    lines = tidied([(5, 7, "b"), (0, 2, "a"), (1, 3, "c"), (2, 4, "a"), (9, 9, "x"), (8, 9, " ")])
    assert lines == (Line(0, 4, "a"), Line(1, 3, "c"), Line(5, 7, "b"))


@given(st.lists(st.tuples(st.floats(), st.floats(), st.text(max_size=20))))
def test_lines_are_in_order_have_words_and_last(given_lines):
    lines = tidied(given_lines)
    assert [*lines] == sorted(lines, key=lambda line: line.start)
    assert all(0 <= line.start < line.end and line.text for line in lines)


@given(st.text())
def test_a_line_never_steers_a_terminal(text):
    assert not any(ord(sign) < 32 or 127 <= ord(sign) < 160 for sign in plain(text))


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["film.srt"], "film.srt"),
        (["film.de.srt", "film.en.srt", "film.srt"], "film.en.srt"),
        (["film.de.srt", "film.srt"], "film.srt"),
        (["film.en.forced.srt", "film.de.srt"], "film.de.srt"),
        (["film.vtt", "film.srt"], "film.srt"),
        (["FILM.EN.SRT"], "FILM.EN.SRT"),
        (["film2.srt", "other.srt", "film.txt"], None),
    ],
)
def test_the_file_beside_a_video(tmp_path, names, chosen):
    for name in names:
        written(tmp_path / name)
    found = beside(tmp_path / "film.mp4")
    assert (found and found.name) == chosen


def test_subtitles_that_rdmf_wrote_hold_queries_and_are_not_read(tmp_path):
    write_whole(tmp_path / "film.srt", SRT.encode())
    assert beside(tmp_path / "film.mp4") is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "holds no text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "holds no text"),
        (b"WEBVTT\n\n", "holds no text"),
        (b"{1}{2}no rate", "cannot be read as subtitles"),
        (b" " * (MOST_BYTES + 1), "larger than"),
    ],
)
def test_a_file_that_holds_none_is_an_error_where_it_is_named(tmp_path, content, told):
    path = tmp_path / "a.srt"
    path.write_bytes(content)
    with pytest.raises(RdmfError, match=told):
        said_in(tmp_path / "film.mp4", str(path))


def test_a_file_that_is_found_and_cannot_be_read_is_a_warning(tmp_path):
    written(tmp_path / "film.srt", "nothing of the kind")
    said = said_in(tmp_path / "film.mp4")
    assert said.lines == ()
    assert "film.srt beside the video is not used" in said.warnings[0]


@pytest.mark.parametrize(
    ("tracks", "number"),
    [
        ([("deu", "", False, GERMAN), ("eng", "", False, SRT)], 2),
        ([("eng", "", True, GERMAN), ("eng", "", False, SRT)], 2),
        ([("eng", "Forced", False, GERMAN), ("fra", "", False, SRT)], 2),
    ],
)
def test_the_best_track_inside_a_video_is_read(tmp_path, tracks, number):
    said = said_in(spoken_film(tmp_path / "film.mkv", tracks))
    assert said.lines == (Line(1.0, 2.5, "Where is the dog?"),)
    assert said.source == f"subtitle track {number} of film.mkv"


def test_a_track_is_read_once_and_then_found_in_the_cache(tmp_path):
    film = spoken_film(tmp_path / "film.mkv", [("eng", "", False, SRT)])
    store = FeatureStore(tmp_path / "cache")
    first = said_in(film, "auto", store)
    assert first.lines
    (entry,) = store.entries()
    assert said_in(film, "auto", store) == first
    assert [e.path for e in store.entries()] == [entry.path]


def test_none_reads_nothing(tmp_path):
    written(tmp_path / "film.srt")
    assert said_in(tmp_path / "film.mp4", "none").lines == ()


def test_a_video_without_any_has_no_lines(tmp_path):
    from rdmf_cli.resources import example_video

    shutil.copy(example_video(), tmp_path / "tour.mp4")
    assert said_in(tmp_path / "tour.mp4").lines == ()
