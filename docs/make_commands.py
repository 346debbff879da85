"""Make docs/commands.md from the command line itself: `python docs/make_commands.py`."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from typer.models import ArgumentInfo, OptionInfo

from rdmf_cli.cli.commands import COMMANDS, PANELS

PAGE = Path(__file__).with_name("commands.md")
HEAD = """# Commands

`python docs/make_commands.py` makes this page from the code; a test fails if the page is out of
date. `rdmf COMMAND --help` shows the same in the terminal.
"""
KINDS = {int: "NUMBER", float: "NUMBER", str: "TEXT", Path: "PATH"}


class Parameter(typing.NamedTuple):
    """An argument or an option of a command.

    info: the description for typer; kind: the type of the value, without None and lists
    """

    name: str
    info: ArgumentInfo | OptionInfo
    kind: Any
    default: Any

    @property
    def is_option(self) -> bool:
        return isinstance(self.info, OptionInfo)

    @property
    def usage(self) -> str:
        return self.info.metavar or self.name.upper()


def page() -> str:
    """Write the page: one heading per panel, then its commands, in the order of `rdmf --help`."""
    return "\n".join([HEAD, *(line for panel in PANELS for line in _panel(panel))])


def commands() -> Iterator[tuple[str, Callable[..., Any], str]]:
    """Yield all commands: name, function and panel."""
    for command in COMMANDS.values():
        for name, function in command.functions():
            yield f"rdmf {name}", function, command.panel


def _panel(panel: str) -> Iterator[str]:
    inside = [(name, function) for name, function, where in commands() if where == panel]
    if inside:
        yield f"## {panel}\n"
    for name, function in inside:
        yield from _command(name, function)


def _command(name: str, function: Callable[..., Any]) -> Iterator[str]:
    known = list(parameters(function))
    arguments = [p for p in known if not p.is_option]
    options = [p for p in known if p.is_option and not p.info.hidden]
    usage = " ".join([name, *(["[OPTIONS]"] if options else []), *(p.usage for p in arguments)])
    yield f"### {name}\n\n```\n{usage}\n```\n\n{_text(function)}\n"
    rows = [_row(f"`{p.usage}`", p) for p in arguments]
    rows += [_row(_option(p), p) for p in options]
    if rows:
        yield "\n".join(["| option | meaning | default |", "| --- | --- | --- |", *rows, ""])


def parameters(function: Callable[..., Any]) -> Iterator[Parameter]:
    """Read the arguments and options of a command from its function."""
    hints = typing.get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        # Python 3.10 puts a parameter whose default is None into Optional[Annotated[...]].
        for hint in (hints[name], *typing.get_args(hints[name])):
            if typing.get_origin(hint) is typing.Annotated:
                kind, info = typing.get_args(hint)[:2]
                yield Parameter(name, info, _bare(kind), parameter.default)
                break


def _bare(kind: Any) -> Any:
    """Return the type inside Optional[...] and list[...]."""
    while inner := [part for part in typing.get_args(kind) if part is not type(None)]:
        kind = inner[0]
    return kind


def _text(function: Callable[..., Any]) -> str:
    """Return the help of a command; paragraphs stay, line breaks do not."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _option(parameter: Parameter) -> str:
    first = parameter.info.default  # in Annotated, typer stores the first name as the default
    names = [*([first] if isinstance(first, str) else []), *(parameter.info.param_decls or ())]
    names = names or [f"--{parameter.name.replace('_', '-')}"]
    value = _value(parameter)
    return ", ".join(f"`{name}`" for name in names) + (f" {value}" if value else "")


def _value(parameter: Parameter) -> str:
    """Return what follows the option: its choices, its range, or the kind of its value."""
    info, kind = parameter.info, parameter.kind
    if kind is bool:
        return ""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " \\| ".join(f"`{choice.value}`" for choice in kind)
    if info.metavar:
        listed = re.fullmatch(r"\[([^]]*)\]", info.metavar)
        words = listed[1] if listed else info.metavar
        return " \\| ".join(f"`{word}`" for word in words.split("|"))
    word = KINDS[kind]
    if info.min is None:
        return word
    return f"{word} from {info.min:g}" + ("" if info.max is None else f" to {info.max:g}")


def _row(name: str, parameter: Parameter) -> str:
    meaning = " ".join((parameter.info.help or "").split()).replace("|", "\\|")
    return f"| {name} | {meaning} | {_default(parameter)} |"


def _default(parameter: Parameter) -> str:
    value = parameter.default
    if not parameter.is_option or value is None or value is False:
        return ""
    return f"`{value.value if isinstance(value, Enum) else value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
