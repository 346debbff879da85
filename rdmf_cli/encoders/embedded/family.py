"""The family of the embedded encoder, which can always be used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rdmf_cli.encoders.base import FileProgress, Listed
from rdmf_cli.encoders.index import Fetched
from rdmf_cli.errors import UsageError

if TYPE_CHECKING:
    from rdmf_cli.encoders.base import Encoder

EMBEDDED = "embedded"


class EmbeddedFamily:
    """The family of the one encoder that is part of rdmf; it runs on the CPU in float32."""

    def claims(self, name: str) -> bool:
        """Return whether the name is "embedded"."""
        return name == EMBEDDED

    def lacks(self, name: str) -> None:
        """Return None: the encoder is part of rdmf."""

    def load(self, name: str, device: str, precision: str) -> Encoder:
        """Make the encoder; device and precision are ignored."""
        from rdmf_cli.encoders.embedded.encoder import EmbeddedEncoder

        return EmbeddedEncoder()

    def fetch(self, name: str, progress: FileProgress, unverified: bool) -> Fetched:
        """Raise UsageError: there is nothing to fetch."""
        raise UsageError("is part of rdmf and need not be fetched", name, "name another encoder")

    def listed(self) -> Iterable[Listed]:
        """Return the embedded encoder."""
        return [Listed(EMBEDDED, None, "shipped")]

    def names(self) -> Iterable[str]:
        """Return the name of the embedded encoder."""
        return [EMBEDDED]


FAMILY = EmbeddedFamily()
