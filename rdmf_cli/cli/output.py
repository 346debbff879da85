"""Write to stdout: results as one line of JSON, or as tables for people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rdmf_cli.moments.types import Record

Result = TypeVar("Result", bound="Record")


def print_result(result: Result, as_json: bool, shown: Callable[[Result], RenderableType]) -> None:
    """Write a result to stdout: as JSON, or as the table that `shown` makes for people."""
    if as_json:
        print_json([result])
    else:
        print_rich(shown(result))


def print_json(results: Iterable[Record]) -> None:
    """Write one line of JSON per result."""
    write = json_writer()
    for result in results:
        write(result)


def json_writer() -> Callable[[Record], None]:
    """Return a function that writes a result as a line of JSON."""
    from rdmf_cli.outputs.json_lines import JsonWriter

    return JsonWriter(sys.stdout).write


def print_rich(*parts: RenderableType) -> None:
    """Write tables and text for people; plain text if stdout is not a terminal."""
    from rdmf_cli.outputs.terminal import PipeConsole

    console = PipeConsole(file=sys.stdout, highlight=False)
    for part in parts:
        console.print(part)
