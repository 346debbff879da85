from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_answers import sample_answer

from rdmf_cli.moments.types import Moment
from rdmf_cli.outputs import open_writer
from rdmf_cli.text import clock, time_code, without_controls

CUE = re.compile(r"(\d\d+):([0-5]\d):([0-5]\d)[,.](\d{3})")


def write(name: str, **fields: Any) -> str:
    stream = io.StringIO()
    with open_writer(name, stream) as writer:
        writer.write(sample_answer(**fields))
    return stream.getvalue()


def seconds(match: re.Match[str]) -> float:
    hours, minutes, secs, milliseconds = map(int, match.groups())
    return 3600 * hours + 60 * minutes + secs + milliseconds / 1000


@given(st.floats(0, 1e6))
def test_a_time_code_is_the_time_to_the_millisecond(time: float) -> None:
    match = CUE.fullmatch(time_code(time, ","))
    assert match is not None
    assert seconds(match) == pytest.approx(time, abs=5.01e-4)


@given(st.floats(0, 1e6), st.integers(0, 2))
def test_a_clock_shows_the_time_it_is(time: float, decimals: int) -> None:
    *hours, minutes, secs = clock(time, decimals).split(":")
    shown = 3600 * int("".join(hours) or 0) + 60 * int(minutes) + float(secs)
    assert float(secs) < 60
    assert int(minutes) < 60
    assert shown == pytest.approx(time, abs=0.5001 * 10**-decimals)


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_cues_come_in_order_of_time(name: str) -> None:
    text = write(name)
    starts = [seconds(m) for line in text.splitlines() if (m := CUE.match(line))]
    assert starts == sorted(starts)
    assert len(starts) >= 5


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_a_player_reads_the_cues_where_they_are(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"moments.{name}"
    apart = sample_answer().moments[:4]
    path.write_text(write(name, query="дверь", moments=apart), encoding="utf-8")
    with av.open(str(path)) as container:
        packets: list[Any] = [packet for packet in container.demux() if packet.pts is not None]
        found = [(float(p.pts * p.time_base), float(p.duration * p.time_base)) for p in packets]
    moments = sorted(apart, key=lambda m: (m.start, m.end))
    assert found == [(m.start, m.end - m.start) for m in moments]
    assert all("дверь".encode() in bytes(packet) for packet in packets)


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_a_moment_of_no_length_is_still_a_cue(name: str) -> None:
    moment = Moment(rank=1, start=1.0, end=1.0, score=0.5, raw_score=1.0)
    start, end = map(seconds, CUE.finditer(write(name, moments=[moment])))
    assert end > start


@given(st.text(st.characters(codec="utf-8")))
def test_no_query_breaks_a_cue(query: str) -> None:
    text = write("vtt", query=query)
    cues = text.split("\n\n")
    assert cues[0] == "WEBVTT"
    assert [len(cue.split("\n")) for cue in cues[1:-1]] == [2] * 5
    assert text.count("-->") == 5


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\0")))
def test_csv_gives_back_what_went_in(query: str) -> None:
    stream = io.StringIO(write("csv", query=query))
    rows = list(csv.DictReader(stream))
    moments = sample_answer().moments
    assert [row["query"] for row in rows] == [without_controls(query)] * 5
    assert [int(row["rank"]) for row in rows] == [m.rank for m in moments]
    assert [float(row["end"]) for row in rows] == [m.end for m in moments]


def test_one_header_for_several_answers() -> None:
    stream = io.StringIO()
    writer = open_writer("csv", stream)
    for _ in range(3):
        writer.write(sample_answer())
    assert stream.getvalue().count("raw_score") == 1
    assert len(stream.getvalue().splitlines()) == 1 + 3 * 5


CONTROLS = "red\x1b[31m\x9b2J\x07\u202egnp\r\n"


@pytest.mark.parametrize("name", ["csv", "srt", "vtt", "json"])
def test_no_format_passes_on_what_steers_a_terminal(name: str) -> None:
    text = write(name, query=CONTROLS, video=f"a{CONTROLS}.mp4")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    if name == "json":  # its escapes mean the same text for a program
        assert json.loads(text)["query"] == CONTROLS


def test_markup_in_a_query_is_text_to_a_player(tmp_path: Path) -> None:
    query = r"<i>a cat</i> {\an8} \N & so on"
    path = tmp_path / "moments.srt"
    path.write_text(write("srt", query=query), encoding="utf-8")
    with av.open(str(path)) as container:
        packets: list[Any] = [packet for packet in container.demux() if packet.pts is not None]
        shown = bytes(packets[0]).decode()
    assert not set("<>{}\\") & set(shown)
    assert "a cat" in shown
    assert "&lt;i&gt;a cat&lt;/i&gt;" in write("vtt", query=query)


def test_a_cell_like_a_formula_is_what_was_asked() -> None:
    (first, *_) = csv.DictReader(io.StringIO(write("csv", query="=1+1")))
    assert first["query"] == "=1+1"
