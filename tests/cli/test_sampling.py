"""--sampling and --still: every command that answers reads the rows that rdmf extract made."""

from __future__ import annotations

import json

import pytest

import rdmf_cli
import rdmf_cli.video.clips
from rdmf_cli.cli.commands import COMMANDS
from rdmf_cli.library.library import Library

QUERY = "a red square"
LESS = ("--sampling", "keyframes", "--still", "3")


def options_of(command: str) -> set[str]:
    return {word for option in COMMANDS[command].load().params for word in option.opts}


def test_every_command_that_reads_videos_by_itself_has_both_options():
    trained = {"train", "eval"}  # their options describe features of a benchmark
    having = {name for name in COMMANDS if not hasattr(COMMANDS[name].load(), "commands")}
    reading = {name for name in having if "--decoder" in options_of(name)} - trained
    assert {"query", "search", "cut", "show", "play", "serve", "mcp", "index"} < reading
    assert [name for name in reading if not {"--sampling", "--still"} <= options_of(name)] == []


@pytest.mark.parametrize(
    "command",
    [
        ("query", "{video}", QUERY),
        ("search", "{video}", QUERY),
        ("show", "{video}", QUERY),
        ("play", "{video}", QUERY, "--print"),
        ("fuse", "{video}", QUERY),
        ("cut", "{video}", QUERY, "--anyway", "-o", "{folder}/a.mp4"),
        ("index", "{video}", "--library", "{folder}/library"),
    ],
    ids=lambda words: words[0],
)
def test_the_rows_of_extract_are_found(run, video, monkeypatch, command):
    assert run("extract", video, *LESS).returncode == 0
    words = [word.format(video=video, folder=video.parent) for word in command]
    refuse_to_decode(video, monkeypatch)
    done = run(*words, *LESS)
    assert done.returncode == 0, done.stderr
    words = [word.replace("/library", "/other") for word in words]
    exact = run(*words, *(["--force"] if command[0] == "cut" else []))
    assert exact.returncode != 0  # other rows, so the video would be decoded


def refuse_to_decode(video, monkeypatch):
    """The example video may be decoded: its pictures are the background of a question."""
    decode = rdmf_cli.video.clips.open_clips

    def checked(path, *args, **named):
        assert path != video, "the video is decoded"
        return decode(path, *args, **named)

    monkeypatch.setattr("rdmf_cli.video.clips.open_clips", checked)


def test_python_finds_them_too(video, own_cache, monkeypatch):
    chosen = {"sampling": "keyframes", "still": 3.0, "encoder": "embedded"}
    rdmf_cli.extract(video, **chosen)
    refuse_to_decode(video, monkeypatch)
    assert rdmf_cli.query(video, QUERY, **chosen).moments
    assert rdmf_cli.search([video], QUERY, **chosen)
    assert rdmf_cli.fuse(video, QUERY, **chosen).answer.moments
    with pytest.raises(AssertionError, match="is decoded"):
        rdmf_cli.query(video, QUERY, encoder="embedded")


@pytest.mark.parametrize("call", [rdmf_cli.query, rdmf_cli.extract, rdmf_cli.search])
def test_python_refuses_a_sampling_that_there_is_not(video, call):
    words = () if call is rdmf_cli.extract else (QUERY,)
    where = [video] if call is rdmf_cli.search else video
    with pytest.raises(rdmf_cli.UsageError, match="no such sampling"):
        call(where, *words, sampling="some")
    with pytest.raises(rdmf_cli.UsageError, match="--still must be less than or equal to 255"):
        call(where, *words, still=300.0)


def test_a_library_keeps_its_sampling(run, video, tmp_path):
    library = tmp_path / "library"
    assert run("index", video, "--library", library, *LESS).returncode == 0
    assert run("index", "--library", library).returncode == 0
    found = run("search", "--library", library, QUERY, "--json")
    assert json.loads(found.stdout)["rank"] == 1
    other = run("search", "--library", library, QUERY, "--sampling", "exact")
    assert other.returncode == 2
    assert "made with sampling keyframes, not exact; leave out --sampling" in other.stderr
    other = run("index", video, "--library", library, "--still", "4")
    assert other.returncode == 2
    assert "made with still 3.0, not 4.0; leave out --still" in other.stderr


def test_a_library_of_an_earlier_version_is_exact(run, video, tmp_path):
    library = tmp_path / "library"
    assert run("index", video, "--library", library).returncode == 0
    with Library.open(library) as opened:
        kept = opened.settings()
        earlier = {k: v for k, v in kept.items() if k not in ("sampling", "still")}
        opened.catalogue.keep_fact("settings", json.dumps(earlier))
        assert opened.settings() == kept
    assert run("search", "--library", library, QUERY).returncode == 0
    assert run("search", "--library", library, QUERY, *LESS).returncode == 2
