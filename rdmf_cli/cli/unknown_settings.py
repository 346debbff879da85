"""Settings that do not belong to any option."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from rdmf_cli.cli.own_settings import ASKED, Settings, key_name, options_of
from rdmf_cli.settings import COMMON, FOR_PROGRAMS, OTHER_VARIABLES, variable_of


def commands_of(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """List a command, or the commands in a group, with their names."""
    inside = getattr(command, "commands", None)
    if inside is None:
        yield words, command
        return
    for name, one in inside.items():
        yield from commands_of(one, (*words, name))


def unknown(settings: Settings, root: Any) -> Iterator[str]:
    """Describe each setting that does not belong to any option, with the nearest known name.

    Args:
        settings: The user's settings.
        root: The command `rdmf`, as click knows it.
    """
    commands = dict(commands_of(root))
    every = {name: option for one in commands.values() for name, option in options_of(one).items()}
    known = {*map(variable_of, every), *OTHER_VARIABLES}
    for variable in settings.variables:
        if variable not in known and not variable.startswith(FOR_PROGRAMS):
            yield f"{variable}: {_no_such('option or variable', variable, known)}"
    yield from _unknown_keys(settings, (COMMON,), every)
    for words, command in commands.items():
        yield from _unknown_keys(settings, words, options_of(command))
    yield from _unknown_tables(settings, {(COMMON,), *commands})


def _unknown_keys(
    settings: Settings, words: tuple[str, ...], options: Mapping[str, Any]
) -> Iterator[str]:
    for key in settings.table(words):
        if key_name(key) not in options:
            where = f"{settings.path}: [{'.'.join(words)}] {key}"
            yield f"{where}: {_no_such('option', key_name(key), options)}"


def _unknown_tables(settings: Settings, known: set[tuple[str, ...]]) -> Iterator[str]:
    groups = {words[:1]: True for words in known if len(words) > 1}
    names = [".".join(words) for words in known]
    for name, table in settings.tables.items():
        inside = [(name, one) for one in table] if (name,) in groups else [(name,)]
        for words in inside:
            if words not in known:
                text = ".".join(words)
                yield f"{settings.path}: [{text}]: {_no_such('command', text, names)}"


def _no_such(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, with the nearest known name."""
    typed = {form: option for option in ASKED for form in (option, variable_of(option))}
    if name in typed:
        return f"there is no such setting; type --{typed[name]} on the command line"
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"there is no such {kind}" + (f"; did you mean {close[0]}?" if close else "")
