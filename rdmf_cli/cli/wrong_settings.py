"""All faults of the user's settings, for `rdmf doctor`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rdmf_cli.cli.own_settings import Setting, Settings
from rdmf_cli.errors import RdmfError


def faults(root: Any, context: Any) -> Iterator[str]:
    """Describe each setting that is unknown, or that its option cannot have as a value.

    Args:
        root: The command `rdmf`, as click knows it.
        context: A context of click, to check values.

    Raises:
        RdmfError: config.toml cannot be read.
    """
    from rdmf_cli.cli.unknown_settings import commands_of, unknown

    settings = Settings.of_user()
    if not settings.tables and not settings.variables:
        return
    wrong: dict[str, None] = {}
    for words, command in commands_of(root):
        for option, setting in settings.of_command(words, command):
            wrong.update(dict.fromkeys(_wrong(option, setting, context)))
    yield from wrong
    yield from unknown(settings, root)


def _wrong(option: Any, setting: Setting, context: Any) -> Iterator[str]:
    from rdmf_cli.cli.defaults import checked_value

    try:
        value = checked_value(option, setting, context)
        if check := LATER.get(option.name):
            check(str(value))
    except RdmfError as error:
        told = str(error)
        yield told if told.startswith(setting.where) else f"{setting.where}: {told}"


def _encoder(name: str) -> None:
    from rdmf_cli.encoders.registry import AUTO, family_of

    if name != AUTO:
        family_of(name)


def _device(name: str) -> None:
    from rdmf_cli.api.arguments import check_device

    check_device(name)


def _start(time: str) -> None:
    from rdmf_cli.api.arguments import seconds

    seconds(time, "--start")


def _end(time: str) -> None:
    from rdmf_cli.api.arguments import seconds

    seconds(time, "--end")


def _checkpoint(name: str) -> None:
    from rdmf_cli.errors import MissingFileError

    if not Path(name).exists():
        raise MissingFileError("there is no such file or folder", name)


LATER: Final[Mapping[str, Callable[[str], None]]] = {
    "encoder": _encoder,
    "device": _device,
    "start": _start,
    "end": _end,
    "checkpoint": _checkpoint,
}
"""Checks of values that a command checks only after it has read its options."""
