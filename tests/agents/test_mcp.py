"""`rdmf mcp` as an agent uses it: a process, and the official SDK's client over stdio."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import anyio
import pytest
from barcoded import Recipe
from jsonschema import validate
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from rdmf_cli import index
from rdmf_cli.api.searching import Chosen
from rdmf_cli.mcp.reach import Reach
from rdmf_cli.mcp.tools import Tools
from rdmf_cli.resources import example_video

CAT = "the face of a cat"
Call = tuple[str, dict[str, Any]]


def talk(arguments: Iterable[object], *calls: Call) -> tuple[dict[str, Any], list[Any]]:
    """The tools by name, and the result of each call."""
    words = ["-m", "rdmf_cli", "mcp", *map(str, arguments), "--encoder", "embedded"]
    server = StdioServerParameters(command=sys.executable, args=words, env=dict(os.environ))

    async def conversation() -> tuple[dict[str, Any], list[Any]]:
        async with Client(stdio_client(server)) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            return tools, [await client.call_tool(name, given) for name, given in calls]

    return anyio.run(conversation)


def words(result: Any) -> str:
    return str(result.content[0].text)


@pytest.fixture
def films(tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    shutil.copy(example_video(), folder / "tour.mp4")
    return folder


def test_an_agent_searches_asks_and_cuts(films, tmp_path):
    cuts = tmp_path / "new" / "cuts"
    tools, results = talk(
        [films, "--cuts", cuts],
        ("library_status", {}),
        ("search", {"query": CAT, "top_k": 1}),
        ("query", {"video": "tour.mp4", "query": CAT, "top_k": 2, "end": "0:40"}),
        ("query", {"video": "tour.mp4", "query": CAT, "pictures": False}),
        ("cut", {"video": "tour.mp4", "start": 20, "end": 22}),
    )
    assert set(tools) == {"search", "query", "cut", "library_status"}
    status, found, asked, plain, cut = results
    called = ["library_status", "search", "query", "query", "cut"]
    for name, result in zip(called, results, strict=True):
        assert not result.is_error, words(result)
        validate(result.structured_content, tools[name].output_schema)
    assert (status.structured_content["videos"], status.structured_content["library"]) == (1, None)
    (hit,) = found.structured_content["hits"]
    assert (hit["video"], hit["convinces"]) == (str((films / "tour.mp4").resolve()), True)
    assert hit["start"] < 25 < hit["end"]
    assert len(asked.structured_content["moments"]) == 2
    pictures = [part for part in asked.content if part.type == "image"]
    assert len(pictures) == 2
    assert {picture.mime_type for picture in pictures} == {"image/jpeg"}
    assert base64.b64decode(pictures[0].data).startswith(b"\xff\xd8")
    assert [part.type for part in plain.content] == ["text"]
    assert cut.structured_content["path"] == str(cuts / "tour_20.00-22.00.mp4")
    assert (cuts / "tour_20.00-22.00.mp4").stat().st_size > 1000


def test_errors_are_tool_errors_of_one_line(films, tmp_path, made):
    outside = shutil.copy(made(Recipe("film", "libx264", "mp4", 100)), tmp_path / "outside.mp4")
    (films / "broken.mp4").write_text("no video")
    (films / "mine_1.00-2.00.mp4").write_text("mine")
    shutil.copy(outside, films / "mine.mp4")
    calls: list[Call] = [
        ("query", {"video": str(outside), "query": CAT}),
        ("query", {"video": "../outside.mp4", "query": CAT}),
        ("query", {"video": "gone.mp4", "query": CAT}),
        ("query", {"video": "broken.mp4", "query": CAT}),
        ("query", {"video": "tour.mp4", "query": " "}),
        ("query", {"video": "tour.mp4", "query": CAT, "top_k": 0}),
        ("query", {"video": "tour.mp4", "query": CAT, "start": "noon"}),
        ("cut", {"video": str(outside), "start": 0, "end": 1}),
        ("cut", {"video": "tour.mp4", "start": 3, "end": 2}),
        ("cut", {"video": "mine.mp4", "start": 1, "end": 2}),
        ("cut", {"video": "mine.mp4", "start": 50, "end": 60}),
        ("query", {"video": "a\0b", "query": CAT}),
    ]
    if hasattr(os, "symlink") and sys.platform != "win32":
        os.symlink(outside, films / "link.mp4")
        calls.append(("query", {"video": "link.mp4", "query": CAT}))
    _, results = talk([films, "--cuts", films], *calls)
    for (name, given), result in zip(calls, results, strict=True):
        assert result.is_error, (name, given)
        assert "\n" not in words(result)
    told = [words(result) for result in results]
    for place in (0, 1, 2, 7, *range(12, len(told))):
        assert "is not a video that rdmf mcp may read" in told[place]
    assert "broken.mp4" in told[3]
    assert "top_k must be from 1 to 100" in told[5]
    assert "3 - 2 s is not a span that can be cut" in told[8]
    assert (films / "mine_1.00-2.00.mp4").read_text() == "mine"
    assert "the span begins at 50 s, and the video ends at 4 s" in told[10]
    assert "leave out the zero byte" in told[11]


def test_wrong_arguments_are_errors_of_one_line_that_name_them(films, tmp_path):
    calls: list[tuple[str, dict[str, Any], str]] = [
        (
            "search",
            {"query": CAT, "topk": 3},
            "topk: search has no such argument; did you mean top_k?",
        ),
        ("query", {"video": "tour.mp4", "sentence": CAT}, "sentence: query has no such argument; "),
        ("query", {"video": "tour.mp4"}, "query must be given"),
        ("cut", {}, "video must be given; start must be given; end must be given"),
        ("search", {"query": CAT, "top_k": "many"}, "top_k must be a valid integer"),
        (
            "query",
            {"video": "tour.mp4", "query": CAT, "start": [1]},
            "start must be a valid number or",
        ),
        (
            "query",
            {"video": "tour.mp4", "query": CAT, "start": "noon"},
            "start 'noon' is not a time",
        ),
        (
            "query",
            {"video": "tour.mp4", "query": CAT, "start": "0:30", "end": 20},
            "end (20 s) must be",
        ),
        ("cut", {"video": "tour.mp4", "start": "noon", "end": 3}, "start 'noon' is not a time"),
        ("serch", {"query": CAT}, "there is no tool serch; did you mean search? choose one of: "),
    ]
    _, results = talk([films, "--cuts", tmp_path], *[call[:2] for call in calls])
    told = [words(result) for result in results]
    assert [result.is_error for result in results] == [True] * len(calls)
    assert [one for one in told if "\n" in one] == []
    wrong = [pair for pair in zip(told, calls, strict=True) if not pair[0].startswith(pair[1][2])]
    assert wrong == []


def test_times_are_seconds_or_text_in_every_tool_and_seconds_in_results(films, tmp_path):
    part = {"video": "tour.mp4", "query": CAT, "pictures": False}
    _, (text, number, whole, empty, cut_text, cut_number) = talk(
        [films, "--cuts", tmp_path / "cuts"],
        ("query", {**part, "start": "0:20", "end": "0:40"}),
        ("query", {**part, "start": 20, "end": 40.0}),
        ("query", {**part, "start": None, "end": None}),
        ("query", {**part, "start": "", "end": ""}),
        ("cut", {"video": "tour.mp4", "start": "0:20", "end": "0:21.5"}),
        ("cut", {"video": "tour.mp4", "start": 20, "end": 21.5}),
    )
    assert text.structured_content == number.structured_content
    assert whole.structured_content == empty.structured_content
    for moment in text.structured_content["moments"]:
        assert 20 <= moment["start"] < moment["end"] <= 40
    assert cut_text.structured_content == cut_number.structured_content
    spans = [(cut_text.structured_content[name]) for name in ("start", "end")]
    assert spans == pytest.approx([20.0, 21.5], abs=0.05)


def test_a_cut_that_ends_after_its_video_says_so(films, tmp_path, made):
    shutil.copy(made(Recipe("film", "libx264", "mp4", 100)), films / "film.mp4")
    tools = Tools(Reach.of([str(films)], None, tmp_path / "cuts"), Chosen(), {})
    result, path, _ = tools.cut("film.mp4", 3.0, 9.0)
    assert result.model_dump()["notes"] == ("the video ends at 4 s",)
    assert Path(path).name == "film_3.00-4.00.mp4"


def test_a_library_is_searched_and_nothing_else_may_be_read_or_written(films, tmp_path):
    library = tmp_path / "library"
    index([films], library=str(library), encoder="embedded")
    tools, (status, found, asked) = talk(
        ["--library", library],
        ("library_status", {}),
        ("search", {"query": CAT}),
        ("query", {"video": str(films / "tour.mp4"), "query": CAT, "pictures": False}),
    )
    assert "cut" not in tools
    assert status.structured_content["library"]["indexed"] == 1
    assert status.structured_content["cuts"] is None
    assert found.structured_content["hits"][0]["convinces"]
    assert asked.structured_content["presence"] > 0.5


def test_only_the_protocol_is_written_to_stdout(films):
    about = {"protocolVersion": "2025-06-18", "capabilities": {}}
    begin = {**about, "clientInfo": {"name": "test", "version": "1"}}
    asked = {"name": "search", "arguments": {"query": CAT}}
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": begin},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": asked},
    ]
    command = [sys.executable, "-m", "rdmf_cli", "mcp", str(films), "--encoder", "embedded"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdin
        assert process.stdout
        for message in messages:
            process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        rest, _ = process.communicate(timeout=60)
    assert [answer["id"] for answer in answers] == [1, 2]
    assert answers[1]["result"]["structuredContent"]["hits"][0]["convinces"]
    assert rest == ""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "rdmf mcp FOLDER"),
        (["gone"], "gone does not exist"),
        (["--library", "./gone"], "gone"),
    ],
)
def test_a_wrong_command_line_is_told_on_stderr(tmp_path, arguments, told):
    command = [sys.executable, "-m", "rdmf_cli", "mcp", *arguments]
    options: dict[str, Any] = {"cwd": tmp_path, "stdin": subprocess.DEVNULL, "timeout": 60}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert told in ended.stderr
