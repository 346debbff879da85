"""Registries: one list per choice that a user can make.

Options of the command line, help texts, messages, documents and tests are made from these lists.
The code of an entry is imported only when the entry is used, so `rdmf --help` stays fast.

>>> from rdmf_cli.outputs.formats import FORMATS
>>> list(FORMATS)[:2]
['table', 'json']
>>> FORMATS["json"].load()              # the class, imported now
<class 'rdmf_cli.outputs.json_lines.JsonWriter'>
>>> FORMATS.find("docx")                # doctest: +ELLIPSIS
Traceback (most recent call last):
rdmf_cli.errors.UsageError: docx: no such output format; choose one of: table, json, ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar, cast

from rdmf_cli.errors import UsageError

Part = TypeVar("Part")


class Choice(Protocol):
    """The interface of the entries of a registry."""

    @property
    def name(self) -> str:
        """The name that a user types for this choice."""

    @property
    def about(self) -> str:
        """A description for help texts, without a full stop."""


@dataclass(frozen=True)
class Entry(Generic[Part]):
    """Describe a choice; the code of the choice is imported on first use.

    Attributes:
        name: The name that a user types.
        about: A description for help texts, without a full stop.
        home: Module and name of the code: "rdmf_cli.outputs.table:TableWriter".
    """

    name: str
    about: str
    home: str

    def load(self) -> Part:
        """Import the code of this choice."""
        return cast(Part, loaded(self.home))


def loaded(home: str) -> Any:
    """Import the object that a "module:name" names."""
    module, _, attribute = home.partition(":")
    return getattr(import_module(module), attribute)


ChoiceT = TypeVar("ChoiceT", bound=Choice)


class Registry(Mapping[str, ChoiceT]):
    """Hold the choices of one kind by name, in the order of help texts.

    Args:
        kind: The kind, as a singular noun: "output format".
        *choices: The entries. The default need not be the first choice.
    """

    def __init__(self, kind: str, *choices: ChoiceT):
        self.kind = kind
        self._choices = {choice.name: choice for choice in choices}
        if len(self._choices) < len(choices):
            raise ValueError(f"two entries for one {kind}: {[c.name for c in choices]}")

    def __getitem__(self, name: str) -> ChoiceT:
        return self._choices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._choices)

    def __len__(self) -> int:
        return len(self._choices)

    def find(self, name: str) -> ChoiceT:
        """Look up a name that a user typed.

        Raises:
            UsageError: No entry has this name; the message lists the names of all entries.
        """
        if name not in self._choices:
            raise self.unknown(name)
        return self._choices[name]

    def unknown(self, name: str, *also: str) -> UsageError:
        """Return the error for an unknown name; its message lists the nearest and all names.

        Args:
            name: What the user typed.
            *also: Further valid names without an entry, such as "auto".
        """
        names = (*also, *self)
        near = nearest(name, names)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        return UsageError(f"no such {self.kind}", name, f"{meant}choose one of: {', '.join(names)}")

    def names(self) -> str:
        """List the names: "table, json, csv"."""
        return ", ".join(self)

    def described(self) -> str:
        """Return names and descriptions for a help text: "json: one line per answer; csv: …"."""
        return "; ".join(f"{choice.name}: {choice.about}" for choice in self.values())


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names nearest to a mistyped name: the nearest first, three at most.

    >>> nearest("vit-b-32/opnai", ["embedded", "ViT-B-32/openai"])
    ['ViT-B-32/openai']
    """
    lowered = {text.lower(): text for text in known}
    return [lowered[text] for text in get_close_matches(name.lower(), lowered, n=3, cutoff=0.6)]
