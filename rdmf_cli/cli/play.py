"""rdmf play: show the best moment in a video player."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from rdmf_cli.cli import options, output_options, query_options, sampling_options

if TYPE_CHECKING:
    from rdmf_cli.moments.types import Answer, Moment


def play(
    words: Annotated[
        Optional[list[str]],  # noqa: UP045  (typer reads this at run time on Python 3.10)
        typer.Argument(metavar='VIDEO "SENTENCE"', help="A video, and a sentence."),
    ] = None,
    rank: Annotated[
        int, typer.Option("--rank", "-n", min=1, help="Rank of the moment to play; 1 is the best.")
    ] = 1,
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the command of the player; start nothing.")
    ] = False,
    example: query_options.Example = False,
    refine: options.Refine = False,
    clip_length: options.ClipLength = 2.0,
    encoder: options.EncoderName = "auto",
    head: options.HeadName = "auto",
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    sampling: sampling_options.Sampling = "exact",
    still: sampling_options.Still = 0.0,
    no_cache: options.NoCache = False,
    subtitles: query_options.Subtitles = "auto",
    quiet: output_options.Quiet = False,
) -> None:
    """Play the moment of VIDEO that SENTENCE describes, in mpv, vlc or ffplay.

    Without a player or a display, the command of the player is printed.
    """
    from rdmf_cli.cli.best_moments import Question
    from rdmf_cli.errors import errors_of

    question = Question.of(
        "play",
        words,
        example,
        subtitles,
        encoder=encoder,
        head=head,
        checkpoint=checkpoint,
        clip_length=clip_length,
        device=device,
        decoder=decoder,
        sampling=sampling,
        still=still,
        cache=not no_cache,
    )
    with errors_of(question.path):
        answer = question.answer(max(5, rank), refine)
    _start(question.path, _chosen(answer, rank), only_print)


def _chosen(answer: Answer, rank: int) -> Moment:
    from rdmf_cli.errors import NothingFoundError

    if rank > len(answer.moments):
        found = len(answer.moments)
        raise NothingFoundError(f"there is no moment {rank}: {found} were found", answer.video)
    return answer.moments[rank - 1]


def _start(path: Path, moment: Moment, only_print: bool) -> None:
    from rdmf_cli.children import child
    from rdmf_cli.cli.report import say
    from rdmf_cli.handover.players import PLAYERS, installed_players, play_command
    from rdmf_cli.text import clock

    say("note", f"{path}: {clock(moment.start)} – {clock(moment.end)}, score {moment.score:.2f}")
    players = installed_players()
    name = next(iter(players or PLAYERS))
    command = play_command(path, moment.start, moment.end, name, players.get(name, ""))
    if only_print or not players or not _has_display():
        print(shlex.join([name, *command[1:]]))
        return
    with child(command) as process:
        sys.exit(process.wait())


def _has_display() -> bool:
    """Return whether a window can be shown; SDL_VIDEODRIVER may name a driver without a display."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"))
