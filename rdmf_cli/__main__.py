"""The entry point of `rdmf` and `python -m rdmf_cli`."""

from __future__ import annotations

import os

from rdmf_cli.interrupts import interrupted_code, leave, remember_interrupts


def main() -> None:
    """Run the command line; exit with 130 after Ctrl-C and 143 after SIGTERM."""
    if os.environ.get("COLUMNS", "").strip() in ("0", ""):  # some terminals: "width unknown"
        os.environ.pop("COLUMNS", None)
    # pydantic would look for plugins among all installed packages, which takes 50 ms.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    remember_interrupts()
    try:
        from rdmf_cli.cli.app import app

        app(prog_name="rdmf")
    except KeyboardInterrupt:
        leave(interrupted_code())
    except SystemExit as end:
        if _stopped_reading(end):
            leave(0)
        if end.code != interrupted_code():
            raise
        leave(interrupted_code())


def _stopped_reading(end: SystemExit) -> bool:
    """Return whether the command ended because its reader has gone: `rdmf --help | head -1`.

    rich and click, which print the help, then end with 1. `from None` marks an exit of rdmf.
    """
    return isinstance(end.__context__, BrokenPipeError) and not end.__suppress_context__


if __name__ == "__main__":
    main()
