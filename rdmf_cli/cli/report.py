"""Print errors, warnings and notes on stderr, and end commands."""

from __future__ import annotations

import os
import select
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import typer

from rdmf_cli.cli.quiet import is_quiet
from rdmf_cli.cli.settings_in_use import with_origin
from rdmf_cli.errors import ExitCode, RdmfError, as_rdmf_error
from rdmf_cli.interrupts import interrupted_code, was_interrupted

# Errors of usage from click, which typer prints; newer versions of typer contain their own click.
_ClickException: type[Exception] = typer.BadParameter.__mro__[2]


def debugging() -> bool:
    """Return whether RDMF_DEBUG asks for tracebacks."""
    return os.environ.get("RDMF_DEBUG", "") not in ("", "0")


def say(kind: str, text: str) -> None:
    """Print one line on stderr: "warning: …". The line is not wrapped, so that grep can find it.

    Control characters are escaped. If stderr is closed or full, nothing is printed and no error is
    raised: the answer matters more.
    """
    from rdmf_cli.text import one_line

    if is_quiet() and kind not in ("error", "interrupted"):
        return
    with suppress(OSError, ValueError):
        if sys.stderr is not None:  # with file=None, print would write to stdout
            print(f"{kind}: {one_line(text)}", file=sys.stderr, flush=True)


def report(error: RdmfError, as_json: bool = False) -> None:
    """Print an error on stderr and, for a program that reads JSON Lines, on stdout."""
    if debugging():
        traceback.print_exception(error)
    error = with_origin(error)
    say("error", str(error))
    if as_json:
        _write_error(error)


def _write_error(error: RdmfError) -> None:
    from rdmf_cli.outputs.json_lines import JsonWriter

    with suppress(OSError, ValueError):  # stdout may be the cause of the error
        if sys.stdout is not None:
            JsonWriter(sys.stdout).write_error(error)


def _message(error: Exception) -> str:
    """Return click's message on a wrong option or argument, in one line."""
    say_it = getattr(error, "format_message", None)
    return " ".join(str(say_it() if say_it else error).split()) or type(error).__name__


@contextmanager
def errors_reported(as_json: Callable[[], bool]) -> Iterator[None]:
    """Turn exceptions into a message and an exit code; with RDMF_DEBUG=1, show their tracebacks.

    Args:
        as_json: A function that returns whether errors are also printed on stdout, as JSON.
    """
    if debugging():
        yield
        return
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except _ClickException as error:  # typer prints the error on stderr
        if as_json():
            _write_error(RdmfError(_message(error), todo="see --help"))
        raise
    except RdmfError as error:
        report(error, as_json())
        sys.exit(error.exit_code)
    except KeyboardInterrupt as stop:
        _end_interrupted(str(stop))
    except BrokenPipeError as error:
        if not _reader_has_gone():
            what = f"a program that rdmf started ended early ({error})"
            report(RdmfError(what, todo="try again"), as_json())
            raise SystemExit(ExitCode.FAILED) from None
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.ANSWERED)
    except Exception as error:
        if was_interrupted(error):
            _end_interrupted()
        report(as_rdmf_error(error), as_json())
        sys.exit(ExitCode.FAILED)


def _reader_has_gone() -> bool:
    """Return whether stdout is a pipe that no program reads any more: `rdmf query ... | head`.

    If stdout still has a reader, the broken pipe belongs to a program that rdmf started, which is a
    failure.
    """
    try:
        sys.stdout.flush()
        waiting = select.poll()
        waiting.register(sys.stdout.fileno(), select.POLLOUT)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in waiting.poll(0))
    except BrokenPipeError:
        return True
    except (OSError, ValueError, AttributeError):  # stdout is closed, or the system has no `poll`
        return False


def _end_interrupted(saved: str = "") -> NoReturn:
    say("interrupted", saved or "no incomplete file is left")
    sys.exit(interrupted_code())


def say_warnings(path: Path, warnings: Iterable[str]) -> None:
    """Print each warning on a file once."""
    for warning in dict.fromkeys(warnings):
        say("warning", f"{path}: {warning}")


def end_command(failed: int, total: int) -> None:
    """End the command: exit 0 if all inputs were answered, 3 if only some were, 1 if none was."""
    if failed:
        sys.exit(ExitCode.FAILED if failed == total else ExitCode.SOME_INPUTS_FAILED)
