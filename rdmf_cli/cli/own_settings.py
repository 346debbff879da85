"""The user's settings, as options of a command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from rdmf_cli.settings import (
    COMMON,
    OTHER_VARIABLES,
    config_file,
    read_config_file,
    set_variables,
    variable_of,
)

ASKED: Final = frozenset(("query", "queries", "image", "like", "add", "subtract", "example"))
"""Options that say what is searched for: the user types them for each search, so that no setting
changes how the typed words are read."""

NO_DEFAULT: Final = ASKED | {"help", "version", "config"}
"""Options that no setting stands for; `config` is the file of one training."""

OWN_MEANING: Final = frozenset((("train", "head"),))
"""Options that mean something else in this command: only the command's own table sets them."""


class Setting(NamedTuple):
    """A value that the user set, and where: "RDMF_TOP_K", or "PATH: [query] top-k"."""

    where: str
    value: Any

    def texts(self) -> list[str]:
        """Return the value as the user would type it: one text, or several of a list.

        Raises:
            UsageError: The value is a table.
        """
        from rdmf_cli.errors import UsageError

        values = self.value if isinstance(self.value, list) else [self.value]
        if any(isinstance(value, dict | list) for value in values):
            raise UsageError("takes a value, not a table", self.where)
        return [str(value).lower() if isinstance(value, bool) else str(value) for value in values]


class Settings(NamedTuple):
    """Hold the settings of this user.

    Attributes:
        path: The path of config.toml, for messages.
        tables: The values of config.toml by table and name.
        variables: The environment variables of rdmf.
    """

    path: str
    tables: Mapping[str, Mapping[str, Any]]
    variables: Mapping[str, str]

    @classmethod
    def of_user(cls) -> Settings:
        """Read config.toml and the environment."""
        path = config_file()
        mine = {k: v for k, v in set_variables().items() if k not in OTHER_VARIABLES}
        return cls(str(path), read_config_file(path), mine)

    def of_command(self, words: Sequence[str], command: Any) -> Iterator[tuple[Any, Setting]]:
        """Find the settings of a command; a later setting in the list overrides an earlier one.

        Args:
            words: The name of the command: ("query",) or ("weights", "fetch").
            command: The command, as click knows it.

        Yields:
            The option, as click knows it, and its setting.
        """
        options = options_of(command)
        shared = {name: o for name, o in options.items() if (words[-1], name) not in OWN_MEANING}
        yield from self._of_table((COMMON,), shared)
        yield from self._of_table(words, options)
        for name, option in shared.items():
            if value := self.variables.get(variable_of(name)):
                values = value.splitlines() if option.multiple else value
                yield option, Setting(variable_of(name), values)

    def _of_table(
        self, words: Sequence[str], options: Mapping[str, Any]
    ) -> Iterator[tuple[Any, Setting]]:
        for key, value in self.table(words).items():
            if option := options.get(key_name(key)):
                yield option, Setting(f"{self.path}: [{'.'.join(words)}] {key}", value)

    def table(self, words: Sequence[str]) -> Mapping[str, Any]:
        """Return a table of config.toml: ("weights", "fetch") is [weights.fetch]."""
        table: Any = self.tables
        for word in words:
            table = table.get(word, {}) if isinstance(table, Mapping) else {}
        return table if isinstance(table, Mapping) else {}


def options_of(command: Any) -> dict[str, Any]:
    """Return the options of a command that have settings, by long name: "top-k"."""
    return {
        word[2:]: option
        for option in command.params
        if option.param_type_name == "option"
        for word in option.opts
        if word.startswith("--") and word[2:] not in NO_DEFAULT
    }


def key_name(key: str) -> str:
    """Return the name of the option of a key in config.toml: both top-k and top_k are allowed."""
    return key.replace("_", "-")
