"""The functions of rdmf index: they check its options, do the work, and print the result."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from rdmf_cli.text import counted, one_line

if TYPE_CHECKING:
    from rdmf_cli.api import Searcher
    from rdmf_cli.api.indexing import Workers
    from rdmf_cli.library.catalogue import Root
    from rdmf_cli.library.indexing import Refreshed
    from rdmf_cli.library.library import Library


def check_options(
    tasks: Mapping[str, bool],
    has_paths: bool,
    queries: Sequence[str] | None,
    command: str | None,
    cooldown: float,
) -> None:
    """Raise UsageError if options do not fit together.

    Args:
        tasks: Whether each of --status, --prune, --watch and --ray was typed, by its name.
        has_paths: Whether paths were typed.
        queries: The values of --query.
        command: The value of --exec.
        cooldown: The value of --cooldown, in seconds.
    """
    from rdmf_cli.errors import UsageError

    both = [name for name, is_given in tasks.items() if is_given]
    if len(both) > 1:
        raise UsageError("cannot be given together", " and ".join(both[:2]), "give one of them")
    if (tasks["--status"] or tasks["--prune"]) and has_paths:
        todo = "leave the paths out"
        raise UsageError("takes no path, because it concerns the whole library", both[0], todo)
    needs = (
        ("--query", queries, "--watch", tasks["--watch"]),
        ("--exec", command, "--query", queries),
    )
    for name, is_given, other, is_other in (*needs, ("--cooldown", cooldown, "--exec", command)):
        if is_given and not is_other:
            raise UsageError(f"needs {other}", name, f"add {other}, or leave {name} out")


def roots_of(
    paths: Sequence[str], files_from: str | None, null: bool, exclude: Sequence[str]
) -> list[Root]:
    """Make the list of files and folders to index from the arguments that the user typed."""
    from rdmf_cli.cli.listed import names_from
    from rdmf_cli.library.indexing import absolute_root

    names = [*paths, *(() if files_from is None else names_from(files_from, null))]
    return [absolute_root(name, exclude) for name in names]


def refresh(
    library: Library, searcher: Searcher, roots: Sequence[Root], workers: Workers, as_json: bool
) -> Refreshed:
    """Bring the library up to date, with a progress bar, and report failures."""
    from rdmf_cli.api.indexing import refresh_library
    from rdmf_cli.cli.report import report, say_warnings
    from rdmf_cli.cli.work_bar import work_progress

    with work_progress() as show:
        done = refresh_library(
            searcher, library, roots, workers, show=show, on_warning=say_warnings
        )
    for error in done.failed:
        report(error, as_json)
    if done.missing:
        gone = counted(len(done.missing), "video")
        note(
            f"{gone} of the library cannot be found any more; rdmf index --prune removes them from "
            f"the library"
        )
    return done


def show_status(library: Library, as_json: bool, done: Refreshed | None = None) -> None:
    """Print the number of videos in each state, and the work that was done."""
    from rdmf_cli.library.status import status_of

    status = status_of(library)
    if as_json:
        from rdmf_cli.outputs.json_lines import JsonWriter

        JsonWriter(sys.stdout).write(status)
        return
    hours = f"{status.duration / 3600:.1f} hours"
    typer.echo(
        f"{one_line(status.library)}: {counted(status.indexed, 'video')}, {hours}, ", nl=False
    )
    typer.echo(f"{status.clips:,} clips of {status.clip_length or 0:g} s, {status.encoder}")
    if done is not None:
        typer.echo(f"new or changed: {len(done.indexed)}, as before: {len(done.unchanged)}")
        return
    for problem in status.problems:
        why = f" ({problem.reason})" if problem.reason else ""
        typer.echo(f"{problem.state}: {one_line(problem.video)}{one_line(why)}")


def prune_library(library: Library) -> None:
    """Remove missing and failed videos from the library, and print how many were removed."""
    videos, entries = library.prune()
    features = counted(entries, "entry", "entries")
    typer.echo(f"{counted(videos, 'video')} and {features} of features removed from the library")


def end(done: Refreshed) -> None:
    """End the command with the exit code for the videos that failed."""
    from rdmf_cli.cli.report import end_command

    end_command(len(done.failed), len(done.failed) + len(done.indexed) + len(done.unchanged))


def note(line: str) -> None:
    """Print a note on stderr."""
    from rdmf_cli.cli.report import say

    say("note", line)
