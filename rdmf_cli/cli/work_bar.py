"""Show one progress bar for many videos on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rdmf_cli.cli.quiet import is_quiet
from rdmf_cli.interrupts import check_interrupted
from rdmf_cli.outputs import work_bar

if TYPE_CHECKING:
    from rdmf_cli.library.work import ShowWork


@contextmanager
def work_progress() -> Iterator[ShowWork]:
    """Show one bar on stderr if it is a terminal: videos done, clips per second, time left."""
    if sys.stderr is None:
        yield lambda work: check_interrupted()
        return
    from rdmf_cli.outputs.terminal import stderr_console

    with work_bar.work_progress(stderr_console(is_quiet())) as show:
        yield show
