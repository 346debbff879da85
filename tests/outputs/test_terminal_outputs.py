from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from sample_answers import empty_answer, sample_answer, sample_field

from rdmf_cli.moments.types import Answer, Moment, Quote
from rdmf_cli.outputs.axis import GAP, TimeAxis, lanes, largest_per_column
from rdmf_cli.outputs.bars import area, bar
from rdmf_cli.outputs.curve import Curve
from rdmf_cli.outputs.strip import PatternStrip, RegimeTable
from rdmf_cli.outputs.table import AnswerTable, TableWriter

widths = st.integers(30, 200)
lengths = st.one_of(st.integers(1, 300), st.sampled_from([5400, 10_000]))
spans = st.tuples(st.floats(0, 100), st.floats(0, 50))


def shown(part: object, width: int = 80, **terminal: Any) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, **terminal).print(part)
    return stream.getvalue()


def in_ascii(part: object, width: int = 80) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(file=stream, width=width, highlight=False).print(part)
    stream.flush()
    return stream.buffer.getvalue().decode("ascii")


def moments_of(found: list[tuple[float, float]]) -> list[Moment]:
    return [
        Moment(rank=rank, start=start, end=start + length, score=0.5, raw_score=0.5)
        for rank, (start, length) in enumerate(found, 1)
    ]


class TestWidth:
    @settings(max_examples=40, deadline=None)
    @given(lengths, widths, st.floats(0, 1e5))
    def test_a_curve_fits_any_terminal(self, clips: int, width: int, offset: float) -> None:
        text = shown(Curve(sample_answer(clips, offset=offset, moments=[])), width)
        assert max(map(cell_len, text.splitlines())) <= width

    @settings(max_examples=40, deadline=None)
    @given(widths, st.booleans())
    def test_table_and_strip_fit_any_terminal(self, width: int, ascii_only: bool) -> None:
        show = in_ascii if ascii_only else shown
        rates = dict.fromkeys(RegimeTable.HEADS[1:-1], 0.123456)
        regimes = RegimeTable([{"channel": "short", **rates, "regime": "Turing"}])
        strip = PatternStrip(sample_field(), 2.0, u=sample_field())
        for part in (AnswerTable(sample_answer(5400)), Curve(sample_answer(5400)), strip, regimes):
            assert max(map(cell_len, show(part, width).splitlines())) <= width

    def test_a_query_of_ten_thousand_words_takes_three_lines_at_most(self) -> None:
        answer = sample_answer(query="word " * 10_000)
        for show in (shown, in_ascii):
            assert len(show(AnswerTable(answer)).split("presence")[0].splitlines()) <= 3


class TestCurve:
    @given(st.lists(st.floats(0, 1), min_size=1, max_size=2000), widths)
    def test_no_peak_is_lost(self, saliency: list[float], columns: int) -> None:
        pooled = largest_per_column(np.array(saliency), columns)
        assert pooled.shape == (columns,)
        assert pooled.max() == max(saliency)

    def test_one_clip_of_ten_thousand_is_seen(self) -> None:
        saliency = np.zeros(10_000)
        saliency[7000] = 1.0
        top = shown(Curve(sample_answer(10_000, saliency=saliency.tolist(), moments=[])))
        assert top.splitlines()[0].index("█") == pytest.approx(5 + 0.7 * 75, abs=1)

    def test_the_area_is_as_high_as_the_value(self) -> None:
        assert area(np.array([0, 1 / 16, 0.5, 0.75, 1]), rows=2) == ["   ▄█", " ▁███"]
        assert area(np.array([0, 0.5, 1]), rows=2, ascii_only=True) == ["  #", " ##"]

    def test_ranks_stand_under_their_moments(self) -> None:
        answer = sample_answer(75, duration=150.0, moments=moments_of([(20, 20), (100, 2)]))
        first, second = answer.moments
        line = shown(Curve(answer)).splitlines()[-1]
        assert line[5:].index("├") == first.start / 2
        assert line[5:].index("┤") == first.end / 2 - 1
        assert line[5:].index("2") == second.start / 2

    def test_it_says_how_many_moments_had_no_room(self) -> None:
        answer = sample_answer(moments=moments_of([(10, 20)] * 9))
        assert "and 6 more" in shown(Curve(answer))

    def test_no_clips_no_curve(self) -> None:
        assert "no clips" in shown(Curve(sample_answer(saliency=[], moments=[])))


class TestAxis:
    @given(st.floats(0, 1e5), st.floats(0.05, 1e6), widths)
    @example(0.0, 90.0, 75)
    def test_labels_of_ticks_keep_apart_and_tell_the_time(
        self, start: float, span: float, columns: int
    ) -> None:
        axis = TimeAxis(start, start + span, columns)
        line, labels = axis.lines(ascii_only=False)
        ticks = axis.ticks()
        assert len(line) == columns
        assert len(labels) <= columns
        assert (
            re.split(rf" {{{GAP},}}", labels.strip()) == [tick.label for tick in ticks] or not ticks
        )
        assert all(line[tick.column] == "┬" for tick in ticks)

    @given(spans, st.integers(20, 200))
    def test_a_span_has_a_column_at_least_and_stays_inside(
        self, span: tuple[float, float], columns: int
    ) -> None:
        first, past = TimeAxis(0.0, 100.0, columns).columns_of(span[0], sum(span))
        assert 0 <= first < past <= columns

    @given(st.lists(spans, max_size=12), st.integers(30, 100), st.integers(1, 5))
    def test_moments_on_a_line_never_touch(
        self, found: list[tuple[float, float]], columns: int, most: int
    ) -> None:
        rows = lanes(moments_of(found), TimeAxis(0.0, 100.0, columns), most)
        assert len(rows) <= most
        for row in rows:
            assert all(a.past < b.first for a, b in pairwise(row))
            assert all(mark.first >= 0 and mark.past <= columns for mark in row)
            assert all(len(mark.draw(False)) == mark.past - mark.first for mark in row)


class TestTable:
    def test_it_shows_the_moments_in_order_of_rank(self) -> None:
        text = shown(AnswerTable(sample_answer()))
        assert re.findall(r"^ (\d) ", text, flags=re.M) == ["1", "2", "3", "4", "5"]
        assert "0:12.0 – 0:24.0    0.95" in text
        assert "tour.mp4" in text
        assert "videos/" not in text

    @pytest.mark.parametrize(
        ("presence", "said"),
        [
            (0.1, "probably not in this video (presence 0.10)"),
            (0.2, "perhaps not in this video (presence 0.20)"),
            (0.49, "perhaps not in this video (presence 0.49)"),
            (0.5, "presence 0.50"),
        ],
    )
    def test_low_presence_is_said_in_words(self, presence: float, said: str) -> None:
        lines = shown(AnswerTable(sample_answer(presence=presence))).splitlines()
        assert said in [line.strip() for line in lines]

    def test_no_moments_is_said_in_words(self) -> None:
        assert "No moments: nothing here" in shown(AnswerTable(empty_answer()))
        assert "no clips to search" in shown(AnswerTable(sample_answer(moments=[], saliency=[])))

    @pytest.mark.parametrize("query", ["[bold]x[/]", "ドアを開ける", "door\x1b[31m\x9b31m\r\n", ""])
    def test_a_query_is_text_and_never_steers_the_terminal(self, query: str) -> None:
        text = shown(AnswerTable(sample_answer(query=query, video=f"{query}.mp4")))
        assert "\x1b" not in text
        assert "\x9b" not in text
        assert query.split("\x1b")[0].strip() in text

    @given(st.floats(0, 1), st.integers(1, 60), st.booleans())
    def test_a_bar_is_as_long_as_its_share(self, share: float, columns: int, plain: bool) -> None:
        drawn = bar(share, columns, ascii_only=plain)
        assert len(drawn) == pytest.approx(share * columns, abs=1)
        assert bool(drawn) == (share > 0)


class TestStrip:
    def test_colours_where_there_are_and_shades_where_not(self) -> None:
        strip = PatternStrip(sample_field(), 2.0)
        coloured = shown(strip, force_terminal=True, color_system="truecolor")
        assert "▀" in coloured
        assert "\x1b[38;2;" in coloured
        assert "▓" in shown(strip)
        assert "\x1b" not in shown(strip)
        assert in_ascii(strip).isascii()

    def test_brighter_is_more(self) -> None:
        field = np.tile(np.linspace(0, 1, 72), (4, 1))
        row = shown(PatternStrip(field, 1.0)).splitlines()[0][8:]
        order = [" ░▒▓█".index(sign) for sign in row]
        assert order == sorted(order)
        assert {0, 4} <= set(order)

    def test_time_goes_down_and_level_sets_stand_where_they_are(self) -> None:
        field = np.zeros((20, 72))
        field[10:, 36:] = 2.0
        text = shown(PatternStrip(field, 1.0, level_sets={1.0: [(36.0, 72.0)]})).splitlines()
        assert text[0][8:].strip() == ""
        assert text[5][8:] == " " * 36 + "█" * 36
        assert text[8] == "    v≥1 " + " " * 36 + "━" * 36
        assert "v 0" in text[9]
        assert " 2 " in text[9]

    def test_a_dark_field_is_blank(self) -> None:
        assert "░" not in "".join(shown(PatternStrip(np.zeros((5, 9)), 2.0)).splitlines()[:6])

    def test_no_regimes_and_equal_names_are_tables_too(self) -> None:
        assert "regime" in shown(RegimeTable([]))
        assert shown(RegimeTable([{"channel": "a"}] * 2), 40).count(" a ") == 2

    def test_regimes_turn_where_there_is_no_room(self) -> None:
        table = RegimeTable([{"channel": "short", "D_u": 0.3, "regime": "bistable"}])
        assert re.search(r"short +0\.3 .*–.* bistable", shown(table))
        assert re.search(r"^ regime +bistable", shown(table, 40), flags=re.M)


SCRIPT = """
import sys; sys.path[:0] = sys.argv[1:]
from sample_answers import sample_answer
from rdmf_cli.outputs.table import TableWriter
TableWriter(sys.stdout).write(sample_answer())
heavy = {"torch", "matplotlib", "scipy"} & set(sys.modules)
assert not heavy, heavy
"""


def piped(**environment: str) -> str:
    root = Path(__file__).parents[2]
    support = root / "tests" / "support"
    clean = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, support, root],
        env=clean | environment,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode(environment["PYTHONIOENCODING"])


class TestStream:
    def test_a_pipe_gets_plain_text_as_wide_as_COLUMNS_says(self) -> None:  # noqa: N802
        text = piped(COLUMNS="57", PYTHONIOENCODING="utf-8")
        assert "\x1b" not in text
        assert max(map(len, text.splitlines())) == 57

    def test_a_pipe_of_another_encoding_gets_ascii(self) -> None:
        assert piped(COLUMNS="80", PYTHONIOENCODING="latin-1").isascii()

    def test_no_color_is_honoured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        assert not re.search(r"\x1b\[[\d;]*[34]\d", in_terminal(sample_answer()))

    def test_a_terminal_gets_colours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        assert re.search(r"\x1b\[[\d;]*3\d", in_terminal(sample_answer()))


class TestScreen:
    @pytest.mark.parametrize("ascii_only", [False, True])
    def test_an_answer_fits_a_terminal_of_24_lines_with_its_curve(self, ascii_only: bool) -> None:
        crowded = sample_answer(moments=moments_of([(10, 30 + n) for n in range(5)]))
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii" if ascii_only else "utf-8")
        TableWriter(stream, console=Console(file=stream, width=80)).write(crowded)
        stream.flush()
        lines = stream.buffer.getvalue().decode(stream.encoding).splitlines()
        assert len(lines) <= 22  # a line or two of notes, and the prompt
        assert max(map(len, lines)) <= 80

    @pytest.mark.parametrize("query", ["a door", "a long query " * 400])
    @pytest.mark.parametrize("lines_said", [0, 1])
    def test_the_best_moment_is_on_screen_at_80_by_24(self, query: str, lines_said: int) -> None:
        quote = Quote(start=10, end=12, text="what is said " * 40, chance=0.9)
        crowded = [
            moment.model_copy(update={"said": (quote,) * lines_said})
            for moment in moments_of([(10, 30 + n) for n in range(5)])
        ]
        stream = io.StringIO()
        writer = TableWriter(stream, console=Console(file=stream, width=80))
        writer.write(sample_answer(query=query, moments=crowded))
        printed = [*stream.getvalue().splitlines(), "$ "]  # the prompt is below the output
        screen = printed[-24:]
        assert [line for line in screen if line.startswith(" 1   0:10.0 ")] != []
        assert [line for line in screen if line.startswith("    │")] != []  # the curve
        if query == "a door" and not lines_said:
            assert screen == printed  # including its title

    def test_low_scores_are_counted_and_the_best_moment_is_listed(self) -> None:
        scores = (0.09, 0.08, 0.02)
        low = [
            Moment(rank=n, start=n, end=n + 1, score=score, raw_score=score)
            for n, score in enumerate(scores, 1)
        ]
        text = in_terminal(sample_answer(moments=low))
        assert "0.09" in text
        assert "0.08" not in text
        assert "and 2 with a score below 0.1" in text


def in_terminal(answer: Answer) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system="standard", width=80)
    TableWriter(stream, console=console).write(answer)
    return stream.getvalue()
