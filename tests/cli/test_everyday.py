"""Everyday use: no command name, --quiet, a video on stdin, hints."""

from __future__ import annotations

import json
import subprocess
from datetime import date

import pytest
from cli_shell import command, environment

from rdmf_cli.channels.wording import hint
from rdmf_cli.folders import data_folder

NOTE = "note: encoder: embedded"


@pytest.mark.parametrize("before", [["{video}", "a cat"], ["--json", "{video}", "a cat"]])
def test_a_video_first_stands_for_the_command_query(run, video, before):
    typed = [word.format(video=video) for word in before]
    short = run(*typed)
    assert short.returncode == 0
    again, long = run(*typed), run("query", *typed)
    assert again.stdout.split('"timings"')[0] == long.stdout.split('"timings"')[0]


def test_the_sentence_may_come_first(run, video):
    assert run("a red square", video).returncode == 0


def test_a_mistyped_command_is_an_error_though_a_video_follows(run, video):
    done = run("qery", video, "a cat")
    assert done.returncode == 2
    assert "No such command 'qery'" in done.stderr


def test_quiet_shows_the_answer_and_errors_only(run, video):
    done = run("query", video, "not a cat", "missing.mp4", "--quiet")
    assert done.returncode == 3
    assert "presence" in done.stdout
    assert done.stderr.splitlines() == [
        line for line in done.stderr.splitlines() if "error" in line
    ]
    loud = run("query", video, "not a cat")
    assert NOTE in loud.stderr
    assert "hint: encoders hardly read 'not'" in loud.stderr


def test_the_note_on_the_encoder_is_shown_once_per_day(run, video):
    assert NOTE in run("query", video, "a cat").stderr
    assert NOTE not in run("query", video, "a cat").stderr
    record = data_folder() / "said.json"
    yesterday = {**json.loads(record.read_bytes()), "day": str(date(2020, 1, 1))}
    record.write_text(json.dumps(yesterday))
    assert NOTE in run("query", video, "a cat").stderr
    record.write_text("broken")
    assert NOTE in run("query", video, "a cat").stderr


def test_a_video_is_read_from_stdin(video):
    def ask(name, stdin):
        done = subprocess.run(
            command(name, "a red square", "--json"),
            input=stdin,
            capture_output=True,
            env=environment(),
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    piped, named = ask("-", video.read_bytes()), ask(video, b"")
    assert piped["video"] == "-"
    assert piped["moments"] == named["moments"]


@pytest.mark.parametrize("more", [["-"], ["--format", "otio"], ["-o", "{stem}.srt"]])
def test_what_a_video_on_stdin_cannot_be(run, more):
    assert run("query", "-", "--query", "a cat", *more).returncode == 2


def test_nothing_on_stdin_is_said(run):
    done = run("-", "a cat", stdin="")
    assert done.returncode == 1
    assert "stdin is empty" in done.stderr


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a man without a hat", "'without'"),
        ("the dog doesn’t bark", '"doesn\'t"'),
        ("ein Mann und eine Frau im Auto", "English"),
        ("un homme avec une femme", "English"),
        ("кошка на диване", "English"),
        ("猫", "English"),
        ("a man opens the door", ""),
        ("la la land", ""),
        ("Los Angeles at night", ""),
        ("crème brûlée on a plate", ""),
    ],
)
def test_hints_about_wording(query, expected):
    found = hint(query, "embedded")
    assert expected in found
    assert bool(found) == bool(expected)


def test_an_encoder_of_many_languages_needs_no_english():
    assert hint("ein Mann und eine Frau", "xlm-roberta-base-ViT-B-32/laion5b") == ""
