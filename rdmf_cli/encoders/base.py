"""What every encoder, and every family of encoders, is to the rest of rdmf.

Importing this imports neither numpy nor torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from rdmf_cli.encoders.index import Fetched
from rdmf_cli.errors import UsageError
from rdmf_cli.registry import nearest

if TYPE_CHECKING:
    import numpy as np

FileProgress = Callable[[str, int, "int | None"], None]
"""Called with a file's name, the bytes that are here, and the bytes there will be."""


@dataclass(frozen=True)
class TextFeatures:
    """What an encoder says of N texts; nothing is normalised.

    rows:  float32 (N, D), in the space of the image rows
    words: N arrays float32 (T_n, W): the word states, start and end tokens kept
    cut:   N times whether the end of the text was not read, as the tower's context is too short
    """

    rows: np.ndarray
    words: tuple[np.ndarray, ...]
    cut: tuple[bool, ...]


@runtime_checkable
class Encoder(Protocol):
    """An image tower and a text tower that share one space of `size` dimensions.

    name:        what the user types after --encoder: "embedded", "ViT-B-32/openai"
    size:        D, the width of image rows and text rows
    fingerprint: changes whenever the weights or the preprocessing do; part of the cache key
    batch:       how many images `encode_images` likes to get at once
    """

    name: str
    size: int
    fingerprint: str
    batch: int

    def prepare(self, frame: np.ndarray) -> np.ndarray:
        """One frame, uint8 RGB (H, W, 3), as the image tower wants it (any dtype, fixed shape).

        Called in the decoding thread, so that only small arrays wait in the queue.
        """
        ...

    def encode_images(self, images: np.ndarray) -> np.ndarray:
        """N prepared frames, stacked, to float32 rows (N, D), not normalised."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """N texts of any length and script; what is past the tower's context is cut."""
        ...


@dataclass(frozen=True)
class Lack:
    """What keeps an encoder from being used on this machine now.

    Attributes:
        reason: A clause: "open_clip is not installed".
        commands: What to run, in order, to have the encoder.
    """

    reason: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """One encoder as `rdmf weights list` shows it.

    Attributes:
        name: What the user types after `--encoder`.
        path: Where its weights are; None where they would have to be fetched, or ship with rdmf.
        source: "shipped", "fetched" or "cache" (another program's); "" where not here.
    """

    name: str
    path: Path | None
    source: str

    @property
    def is_here(self) -> bool:
        """Whether it can be used without fetching anything."""
        return bool(self.source)


class EncoderFamily(Protocol):
    """Encoders that are named, fetched and loaded in one way.

    A family lies in a folder of its own, `encoders/NAME/`. Its `family.py` imports neither numpy
    nor torch: the methods below, `load` aside, answer without them, and `load` returns an encoder
    that imports what it runs on when the first frame or text comes.
    """

    def claims(self, name: str) -> bool:
        """Tell whether a name that a user typed stands for an encoder of this family.

        The first family of the registry that claims a name gets it. A family may claim what it can
        only explain ("its weights are not on this machine"), and must not claim every name.
        """
        ...

    def lacks(self, name: str) -> Lack | None:
        """Say what keeps a claimed encoder from being used now; None: it is ready."""
        ...

    def load(self, name: str, device: str, precision: str) -> Encoder:
        """Make a claimed encoder. Nothing is downloaded.

        Args:
            name: What the user typed.
            device: "auto", "cpu", "cuda", "cuda:1", "mps"; families that know one device pass it
                over.
            precision: "float32" or "bfloat16".

        Raises:
            UsageError: The name, the device or the precision is none of this family's.
            MissingExtra: An optional part of the installation is needed.
            RdmfError: Its weights have to be fetched first, or are spoilt.
        """
        ...

    def fetch(self, name: str, progress: FileProgress, unverified: bool) -> Fetched:
        """Bring a claimed encoder's weights to this machine and remember them.

        Args:
            name: What the user typed.
            progress: Called while bytes come.
            unverified: Take also files of which the server tells neither hash nor length.

        Raises:
            UsageError: There is nothing to fetch under this name.
            RdmfError: The transfer fails; what came is kept, and the next call continues it.
        """
        ...

    def listed(self) -> Iterable[Listed]:
        """List the encoders of this family, those on this machine and those to be fetched."""
        ...

    def names(self) -> Iterable[str]:
        """List what a mistyped name may have meant."""
        ...


def unknown_encoder(name: str, known: Sequence[str]) -> UsageError:
    """Say that no encoder has this name, with the nearest that there are."""
    near = nearest(name, known)
    see = "`rdmf weights list --all` names them all"
    return UsageError(
        "no encoder of this name, and no such file or folder",
        name,
        f"did you mean {' or '.join(near)}? {see}" if near else see,
    )
