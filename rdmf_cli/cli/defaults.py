"""Defaults of options from the user's settings: config.toml and RDMF_<OPTION>.

click takes them from the `default_map` of a context. The environment variables of click itself
(`auto_envvar_prefix`) are not used: they are named after the command and the Python parameter
(RDMF_QUERY_AS_JSON), and click splits a list at spaces, but a sentence contains spaces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rdmf_cli.cli import settings_in_use
from rdmf_cli.cli.own_settings import Setting, Settings, options_of
from rdmf_cli.settings import set_variables, variable_of

FORMAT, OUTPUT, JSON = "format", "output", "json"
"""In a command that has --format, a typed --format or --output also decides on --json."""


def default_map(settings: Settings, words: Sequence[str], command: Any, context: Any) -> Any:
    """Return the defaults of a command, or of all commands of a group, as click reads them.

    Args:
        settings: The user's settings.
        words: The name of the command.
        command: The command, as click knows it.
        context: A context of click, to check values.

    Raises:
        UsageError: An option cannot have this value; the message names the file and the key.
    """
    if inside := getattr(command, "commands", None):
        return {
            name: default_map(settings, (*words, name), one, context)
            for name, one in inside.items()
        }
    return {
        option.name: checked_value(option, setting, context)
        for option, setting in settings.of_command(words, command)
    }


def checked_value(option: Any, setting: Setting, context: Any) -> str | list[str]:
    """Return the value as the user would type it, after a check."""
    from rdmf_cli.errors import RdmfError, UsageError

    texts = setting.texts()
    if "" in texts:
        raise UsageError("is empty", setting.where, "give a value, or remove it")
    if not option.multiple and len(texts) != 1:
        raise UsageError("takes one value, not a list", setting.where)
    value = texts if option.multiple else texts[0]
    where = f"{setting.where} = {', '.join(texts)}"
    try:
        option.process_value(context, value)
    except RdmfError as error:
        raise UsageError(error.what, where, error.todo) from error
    except Exception as error:
        message = getattr(error, "message", None)  # of click's BadParameter
        if message is None:
            raise
        raise UsageError(str(message).rstrip("."), where) from error
    return value


def take(context: Any, root: Any, name: str | None, command: Any, words: Sequence[str]) -> None:
    """Give the user's settings to the command that runs next, and warn of unknown settings.

    Args:
        context: The context of `rdmf` itself.
        root: The command `rdmf`.
        name: The name of the command that the user typed.
        command: The command.
        words: The arguments of the command.
    """
    if name in (None, "doctor") or context.resilient_parsing or {"--help", "-h"} & {*words}:
        return  # these work, too, if the settings are wrong; rdmf doctor reports what is wrong
    settings_in_use.remember(())
    settings = Settings.of_user()
    if not settings.tables and not settings.variables:
        return
    found = default_map(settings, (name,), command, context)
    settings_in_use.remember(settings_in_use.of_command(settings, (name,), command, words))
    if _form_is_chosen(command, words, settings.variables):
        found.pop(options_of(command)[JSON].name, None)
    context.default_map = {name: found}
    if "--quiet" not in words and found.get("quiet") != "true":
        _warn(settings, root)


def _form_is_chosen(command: Any, words: Sequence[str], variables: Mapping[str, str]) -> bool:
    """Return whether something stronger than a setting of --json decides on the format."""
    if hasattr(command, "commands") or FORMAT not in options_of(command):
        return False
    if any(word.startswith(("--format", "--output", "-o")) for word in words):
        return True
    chosen = variable_of(FORMAT) in variables or variable_of(OUTPUT) in variables
    return chosen and variable_of(JSON) not in variables


def _warn(settings: Settings, root: Any) -> None:
    from rdmf_cli.cli.report import say
    from rdmf_cli.cli.unknown_settings import unknown

    for line in unknown(settings, root):
        say("warning", line)


def json_by_default(context: Any) -> bool:
    """Return whether a setting asks for JSON, in the context of `rdmf` itself."""
    (found,) = (context.default_map or {"": {}}).values()
    return bool(found.get("as_json") == "true")


def from_file(context: Any, name: str) -> bool:
    """Return whether a parameter has its value from config.toml.

    Args:
        context: The context of the command.
        name: The name of the parameter.
    """
    if getattr(context.get_parameter_source(name), "name", "") != "DEFAULT_MAP":
        return False
    variables = set_variables()
    own = [word for word, option in options_of(context.command).items() if option.name == name]
    return not any(variable_of(word) in variables for word in own)
