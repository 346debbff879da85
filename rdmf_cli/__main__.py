"""`rdmf` and `python -m rdmf_cli`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    if os.environ.get("COLUMNS", "").strip() in ("0", ""):  # what some terminals say for "unknown"
        os.environ.pop("COLUMNS", None)
    try:
        from rdmf_cli.cli.app import app

        app(prog_name="rdmf")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
