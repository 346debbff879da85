"""`rdmf` and `python -m rdmf_cli`."""

from __future__ import annotations

import os

from rdmf_cli.errors import ExitCode
from rdmf_cli.interrupts import leave, remember_interrupts


def main() -> None:
    if os.environ.get("COLUMNS", "").strip() in ("0", ""):  # what some terminals say for "unknown"
        os.environ.pop("COLUMNS", None)
    remember_interrupts()
    try:
        from rdmf_cli.cli.app import app

        app(prog_name="rdmf")
    except KeyboardInterrupt:
        leave(ExitCode.INTERRUPTED)
    except SystemExit as end:
        if end.code != ExitCode.INTERRUPTED:
            raise
        leave(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    main()
