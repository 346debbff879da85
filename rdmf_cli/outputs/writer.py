"""What every output format is: a stream, and answers written to it one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TextIO

from rdmf_cli.moments.types import Answer


class Writer(ABC):
    """Writes answers to a text stream; each answer is complete when `write` returns."""

    def __init__(self, stream: TextIO):
        self.stream = stream

    @abstractmethod
    def write(self, answer: Answer) -> None:
        """Write one answer."""
