"""One progress bar for many videos, in a terminal or in a notebook."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import tostring

from rdmf_cli.interrupts import check_interrupted
from rdmf_cli.text import short_name

if TYPE_CHECKING:
    from rich.console import Console

    from rdmf_cli.library.work import ShowWork, Work

LEAST_SECONDS = 0.1  # between two updates of the bar in a notebook


@contextmanager
def work_progress(console: Console | None = None) -> Iterator[ShowWork]:
    """Show a bar for many videos: videos done, clips per second, time left.

    Args:
        console: Where to show the bar; if it is neither a terminal nor a notebook, nothing is
            shown. None: the notebook, or else stderr.
    """
    from rdmf_cli.outputs.terminal import stderr_console

    console = console or stderr_console()
    if console.is_jupyter:
        yield _notebook_bar()
    elif not console.is_terminal:
        yield lambda work: check_interrupted()
    else:
        with _terminal_bar(console) as update:
            yield update


@contextmanager
def _terminal_bar(console: Console) -> Iterator[ShowWork]:
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
            progress.update(
                task,
                description=short_name(work.name),
                completed=work.share,
                rate=_rate(work, time.monotonic() - begun),
                done=work.done,
                videos=work.videos,
            )

        yield update


def _notebook_bar() -> ShowWork:
    """Show a bar below the cell; rich can do this only if ipywidgets is installed."""
    from IPython.display import display

    begun = time.monotonic()
    shown: list[Any] = []
    last = 0.0

    def update(work: Work) -> None:
        nonlocal last
        check_interrupted()
        now = time.monotonic()
        if now - last < LEAST_SECONDS and work.done < work.videos:
            return
        last = now
        bundle = _bundle(work, now - begun)
        if shown:
            shown[0].update(bundle, raw=True)
        else:
            shown.append(display(bundle, raw=True, display_id=True))

    return update


def _bundle(work: Work, seconds: float) -> dict[str, str]:
    """Return the bar in the forms that a notebook can show."""
    from rdmf_cli.outputs.page import element

    facts = [f"{work.done}/{work.videos} videos", _rate(work, seconds)]
    if work.done < work.videos:
        facts.append(short_name(work.name))
    text = "  ".join(filter(None, facts))
    label = f"{work.done} of {work.videos} videos"
    bar = element("progress", value=f"{work.share:.3f}", max=1, aria_label=label)
    html = element("div", bar, element("span", text, style="margin-left:.8em"))
    return {"text/plain": text, "text/html": tostring(html, encoding="unicode", method="html")}


def _rate(work: Work, seconds: float) -> str:
    return f"{work.encoded / seconds:.0f} clips/s" if work.encoded and seconds > 1 else ""
