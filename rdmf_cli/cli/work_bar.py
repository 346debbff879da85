"""Show one progress bar for many videos."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rdmf_cli.cli.progress import short_name, stderr_console
from rdmf_cli.interrupts import check_interrupted
from rdmf_cli.library.work import Work


@contextmanager
def work_progress() -> Iterator[Callable[[Work], None]]:
    """Show one bar on stderr for many videos: videos done, clips per second, time left."""
    console = stderr_console()
    if sys.stderr is None or not console.is_terminal:
        yield lambda work: check_interrupted()
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[done]}/{task.fields[videos]} videos"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0, rate="", done=0, videos=0)
        begun = time.monotonic()

        def update(work: Work) -> None:
            check_interrupted()
            seconds = time.monotonic() - begun
            rate = f"{work.encoded / seconds:.0f} clips/s" if work.encoded and seconds > 1 else ""
            progress.update(
                task,
                description=short_name(work.name),
                completed=work.share,
                rate=rate,
                done=work.done,
                videos=work.videos,
            )

        yield update
