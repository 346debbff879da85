"""`rdmf` and `python -m rdmf_cli`."""

from __future__ import annotations

import sys


def main() -> None:
    try:
        from rdmf_cli.cli.app import app

        app(prog_name="rdmf")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
