"""`rdmf` and `python -m rdmf_cli`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from rdmf_cli.errors import ExitCode
from rdmf_cli.interrupts import remember_interrupts


def main() -> None:
    if os.environ.get("COLUMNS", "").strip() in ("0", ""):  # what some terminals say for "unknown"
        os.environ.pop("COLUMNS", None)
    remember_interrupts()
    try:
        from rdmf_cli.cli.app import app

        app(prog_name="rdmf")
    except KeyboardInterrupt:
        _leave()
    except SystemExit as end:
        if end.code != ExitCode.INTERRUPTED:
            raise
        _leave()


def _leave() -> None:
    """At once: on its way out python sometimes ended by the signal, after all had been said."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    main()
