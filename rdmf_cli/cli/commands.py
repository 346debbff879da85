"""The commands of `rdmf`, in the order of `rdmf --help`.

The module of a command is imported only when the command is run, or when help or a completion
lists all commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import typer

from rdmf_cli.registry import loaded

PANELS = FIND, LIBRARY, RESEARCH, UPKEEP = ("Find", "Library", "Research", "Upkeep")
"""Panels in which `rdmf --help` lists the commands."""

HERE = "rdmf_cli.cli"


@dataclass(frozen=True)
class Command:
    """A command of the root, or a group of commands.

    Attributes:
        name: What the user types after `rdmf`.
        panel: The panel in which help lists the command.
        home: Module and name of its function, or of its `typer.Typer` if it is a group.
    """

    name: str
    panel: str
    home: str

    def functions(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Yield the name and the function of the command, or of each command of the group."""
        found = loaded(self.home)
        if not isinstance(found, typer.Typer):
            yield self.name, found
            return
        for inner in found.registered_commands:
            assert inner.callback is not None
            yield f"{self.name} {inner.name or inner.callback.__name__}", inner.callback

    def load(self) -> Any:
        """Import the command, and make typer's object of it."""
        found = loaded(self.home)
        if isinstance(found, typer.Typer):
            made: Any = typer.main.get_group(found)
            made.name, made.rich_help_panel = self.name, self.panel
            return made
        alone = typer.Typer(add_completion=False)
        alone.command(self.name, rich_help_panel=self.panel)(found)
        return typer.main.get_command(alone)


COMMANDS = {
    command.name: command
    for command in (
        Command("query", FIND, f"{HERE}.query:query"),
        Command("search", FIND, f"{HERE}.search:search"),
        Command("show", FIND, f"{HERE}.show:show"),
        Command("play", FIND, f"{HERE}.play:play"),
        Command("serve", FIND, f"{HERE}.serve:serve"),
        Command("mcp", FIND, f"{HERE}.mcp:mcp"),
        Command("cut", FIND, f"{HERE}.cut:cut"),
        Command("index", LIBRARY, f"{HERE}.index:index"),
        Command("train", RESEARCH, f"{HERE}.train:train"),
        Command("export", RESEARCH, f"{HERE}.export:export"),
        Command("eval", RESEARCH, f"{HERE}.eval:eval_"),
        Command("compare", RESEARCH, f"{HERE}.compare:compare"),
        Command("analyze", RESEARCH, f"{HERE}.analyze:analyze"),
        Command("fuse", RESEARCH, f"{HERE}.fuse:fuse"),
        Command("data", RESEARCH, f"{HERE}.data:app"),
        Command("extract", UPKEEP, f"{HERE}.extract:extract"),
        Command("doctor", UPKEEP, f"{HERE}.doctor:doctor"),
        Command("cache", UPKEEP, f"{HERE}.cache:app"),
        Command("weights", UPKEEP, f"{HERE}.weights:app"),
    )
}


def refuse_empty(words: Sequence[str]) -> None:
    """Refuse an empty argument or value of an option: as a path, it would be the current folder.

    Args:
        words: What the user typed after the name of the command.

    Raises:
        UsageError: A word is empty, or ends with the "=" of its option.
    """
    from rdmf_cli.errors import UsageError

    for before, word in pairwise(("", *words)):
        option, equals, value = word.partition("=")
        if not word:
            name = before if before.startswith("-") and before != "--" else "an argument"
            raise UsageError("is empty", name, "give a value")
        if word.startswith("--") and equals and not value:
            raise UsageError("is empty", option, "give a value")


class LoadedCommands(MutableMapping[str, Any]):
    """The commands of typer by name; each is made when it is first needed."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = COMMANDS[name].load()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._made or name in COMMANDS

    def __iter__(self) -> Iterator[str]:
        return iter({**COMMANDS, **self._made})

    def __len__(self) -> int:
        return len({**COMMANDS, **self._made})

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"the command {name} cannot be removed")
