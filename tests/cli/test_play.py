"""rdmf play: a real player starts at the moment, or its command is printed."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from rdmf_cli.handover.players import PLAYERS, play_command

NOWHERE = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "SDL_VIDEODRIVER": ""}


def test_the_command_is_printed_where_there_is_no_display(run, video):
    done = run("play", video, "a red square", **NOWHERE)
    assert done.returncode == 0
    words = shlex.split(done.stdout)
    assert words[0] in PLAYERS
    assert any(str(video) in word for word in words)
    assert "score" in done.stderr


def test_without_a_player_the_command_of_the_first_is_printed(run, video, tmp_path):
    done = run("play", video, "a red square", DISPLAY=":0", PATH=str(tmp_path))
    assert (done.returncode, shlex.split(done.stdout)[0]) == (0, "mpv")


@pytest.mark.parametrize("player", PLAYERS)
def test_odd_names_are_one_argument_and_no_option(player, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = play_command("-x 'a' $(b)\n.mp4", 1.5, 2.25, player)
    assert command[0] == player
    assert not any(word.startswith("-x") for word in command)
    assert str(tmp_path) in command[-1]
    assert any("1.500" in word for word in command)


def test_a_rank_that_is_not_there_ends_with_4(run, video):
    assert run("play", video, "a red square", "--rank", 99).returncode == 4
    assert run("play", video, "a square", "a dog").returncode == 2


def test_names_with_quotes_are_printed_for_a_shell(run, video):
    odd = Path(shutil.copy(video, video.with_name("a 'b' $c.mp4")))
    done = run("play", odd, "a red square", "--print")
    assert any(word.endswith(("a 'b' $c.mp4", ".mp4")) for word in shlex.split(done.stdout))
