"""The embedded encoder by its name; it is always here."""

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
    """One encoder, shipped with rdmf; it runs on the CPU, in float32."""

    def claims(self, name: str) -> bool:
        """Tell whether it is "embedded"."""
        return name == EMBEDDED

    def lacks(self, name: str) -> None:
        """Nothing: it ships with rdmf."""

    def load(self, name: str, device: str, precision: str) -> Encoder:
        """Make it; device and precision change nothing."""
        from rdmf_cli.encoders.embedded.encoder import EmbeddedEncoder

        return EmbeddedEncoder()

    def fetch(self, name: str, progress: FileProgress, unverified: bool) -> Fetched:
        """Raise UsageError: there is nothing to fetch."""
        raise UsageError("comes with rdmf, there is nothing to fetch", name, "name another encoder")

    def listed(self) -> Iterable[Listed]:
        """List the one."""
        return [Listed(EMBEDDED, None, "shipped")]

    def names(self) -> Iterable[str]:
        """Name the one."""
        return [EMBEDDED]


FAMILY = EmbeddedFamily()
