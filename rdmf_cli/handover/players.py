"""The command lines that open a video at a moment in a player."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path

from rdmf_cli.children import find_executable

Arguments = Callable[[Path, float, float], list[str]]


def _mpv(video: Path, start: float, end: float) -> list[str]:
    return [f"--start={start:.3f}", f"--end={end:.3f}", "--keep-open=yes", "--", str(video)]


def _vlc(video: Path, start: float, end: float) -> list[str]:
    return [f"--start-time={start:.3f}", f"--stop-time={end:.3f}", video.as_uri()]


def _ffplay(video: Path, start: float, end: float) -> list[str]:
    length = f"{end - start:.3f}"
    return ["-v", "error", "-autoexit", "-ss", f"{start:.3f}", "-t", length, "-i", str(video)]


PLAYERS: dict[str, Arguments] = {"mpv": _mpv, "vlc": _vlc, "ffplay": _ffplay}
"""The arguments of each player, the preferred one first."""


def installed_players() -> dict[str, str]:
    """Return the players of this machine with their paths, the preferred one first."""
    found = {name: find_executable(name) for name in PLAYERS}
    return {name: path for name, path in found.items() if path}


def play_command(
    video: str | PathLike[str], start: float, end: float, player: str, program: str = ""
) -> list[str]:
    """Return the command that plays a moment; each part is one argument, no shell is needed.

    Args:
        video: The video; its path is made absolute, so that no file name looks like an option.
        start: Start in seconds.
        end: End in seconds.
        player: A key of `PLAYERS`.
        program: Path of the player; "": use the name of the player.
    """
    return [program or player, *PLAYERS[player](Path(video).absolute(), start, end)]
