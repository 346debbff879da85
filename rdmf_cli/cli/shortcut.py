"""`rdmf VIDEO "…"`: the user need not type the command `query`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rdmf_cli.cli.video_names import STDIN, is_video

QUERY = "query"
ROOT_OPTIONS = ("--version", "--help", "-h", "--install-completion", "--show-completion")


def with_query(arguments: Sequence[str], commands: Collection[str]) -> list[str]:
    """Put `query` before arguments that name a video and do not begin with a command.

    A mistyped command stays an error, because `query` is put only before a video, an option or a
    sentence.

    Args:
        arguments: The words that the user typed after `rdmf`.
        commands: The names of the commands.
    """
    first = arguments[0] if arguments else "--help"
    if first in commands or first in ROOT_OPTIONS:
        return list(arguments)
    if _is_video(first) or (_may_precede(first) and _names_a_video(arguments)):
        return [QUERY, *arguments]
    return list(arguments)


def _is_video(word: str) -> bool:
    return word == STDIN or is_video(word)


def _may_precede(word: str) -> bool:
    return word.startswith("-") or " " in word.strip()


def _names_a_video(arguments: Sequence[str]) -> bool:
    return "--example" in arguments or any(map(_is_video, arguments))
