"""Show progress on stderr if stderr is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from rdmf_cli.cli.quiet import is_quiet
from rdmf_cli.interrupts import check_interrupted
from rdmf_cli.text import short_name


@contextmanager
def feature_progress(shown: bool = True) -> Iterator[Callable[[int, int, str], None] | None]:
    """Show a bar while features are read, if stderr is a terminal.

    The bar appears at the first call and disappears when all features are read: another display may
    follow.
    """
    from rdmf_cli.outputs.terminal import stderr_console

    console = stderr_console(is_quiet())
    if not (shown and console.is_terminal):
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("features"), BarColumn(bar_width=None), MofNCompleteColumn())
    bar = Progress(*columns, TextColumn("videos"), console=console, transient=True)
    task = bar.add_task("", total=None)

    def update(done: int, total: int, vid: str) -> None:
        bar.update(task, completed=done, total=total)
        if done == total:
            bar.stop()
        else:
            bar.start()

    try:
        yield update
    finally:
        bar.stop()


@contextmanager
def extraction_progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with rate and remaining time, if stderr is a terminal.

    rich is imported with the first clip: an answer from the cache does not wait for this import.
    """
    with ExitStack() as opened:
        shown: list[Callable[[int, int], None]] = []

        def update(done: int, total: int) -> None:
            check_interrupted()
            if not shown:
                shown.append(opened.enter_context(_extraction_bar(name)))
            shown[0](done, total)

        yield update


@contextmanager
def _extraction_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    from rdmf_cli.outputs.terminal import stderr_console

    if sys.stderr is None or not (console := stderr_console(is_quiet())).is_terminal:
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.completed:.0f}/{task.total:.0f} clips"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(short_name(name), total=None, rate="", visible=False)

        def update(done: int, total: int) -> None:
            speed = progress.tasks[0].speed
            rate = f"{speed:.0f} clips/s" if speed else ""
            progress.update(task, completed=done, total=total, rate=rate, visible=True)

        yield update
