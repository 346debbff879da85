"""The interfaces of an encoder and of a family of encoders.

This module imports neither numpy nor torch.
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
"""Called with the name of a file, the bytes received, and the bytes in total (None: unknown)."""


@dataclass(frozen=True)
class TextFeatures:
    """The features of N texts, not normalised.

    Attributes:
        rows: One row per text, float32 (N, D), in the same space as the features of images.
        words: The word states of each text, with start and end tokens: N arrays float32 (T_n, W).
        cut: For each text, whether the encoder cut off its end because the text was too long.
    """

    rows: np.ndarray
    words: tuple[np.ndarray, ...]
    cut: tuple[bool, ...]


@runtime_checkable
class Encoder(Protocol):
    """An image tower and a text tower with a joint space of `size` dimensions.

    Attributes:
        name: The name for `--encoder`: "embedded", "ViT-B-32/openai".
        size: D, the width of the features.
        fingerprint: A hash of weights and preprocessing; part of the cache key.
        batch: The best number of images per call of `encode_images`.
    """

    name: str
    size: int
    fingerprint: str
    batch: int

    def prepare(self, frame: np.ndarray) -> np.ndarray:
        """Prepare a frame for the image tower.

        The function runs in the decoding thread, so that only small arrays wait in the queue.

        Args:
            frame: RGB, uint8 (H, W, 3).

        Returns:
            An array of any dtype; its shape is the same for all frames.
        """
        ...

    def encode_images(self, images: np.ndarray) -> np.ndarray:
        """Encode prepared frames.

        Args:
            images: N prepared frames, stacked.

        Returns:
            Features float32 (N, D), not normalised.
        """
        ...

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Encode texts of any length and script; a text that is too long loses its end."""
        ...


@dataclass(frozen=True)
class Lack:
    """The reason why an encoder cannot be used on this machine yet.

    Attributes:
        reason: A clause: "open_clip is not installed".
        commands: The commands that make the encoder usable, in order.
    """

    reason: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """An encoder as shown by `rdmf weights list`.

    Attributes:
        name: The name for `--encoder`.
        path: Path of its weights; None: the weights are not on this machine, or are part of rdmf.
        source: "shipped" (part of rdmf), "fetched" or "cache" (of another program); "": not on this
            machine.
    """

    name: str
    path: Path | None
    source: str

    @property
    def is_here(self) -> bool:
        """Whether the encoder's weights are on this machine."""
        return bool(self.source)


class EncoderFamily(Protocol):
    """A group of encoders that share one way of naming, fetching and loading.

    Each family has its own folder, `encoders/NAME/`. Its `family.py` imports neither numpy nor
    torch; only `load` may need these packages. An encoder imports its libraries when it gets the
    first frame or text.
    """

    def claims(self, name: str) -> bool:
        """Return whether a name that a user typed belongs to this family.

        If several families claim a name, the first one in the registry gets the name. A family may
        claim the name of an encoder that is not on this machine, so that the family's error
        explains what to do. A family must not claim every name.
        """
        ...

    def lacks(self, name: str) -> Lack | None:
        """Return the reason why a claimed encoder cannot be used yet; None: it can be used."""
        ...

    def load(self, name: str, device: str, precision: str) -> Encoder:
        """Make a claimed encoder, without any download.

        Args:
            name: The name that the user typed.
            device: "auto", "cpu", "cuda", "cuda:1" or "mps". If the encoders of a family run on
                one device only, the family ignores this argument.
            precision: "float32" or "bfloat16".

        Raises:
            UsageError: The family has no such encoder, device or precision.
            MissingExtra: An optional part of the installation is missing.
            RdmfError: The weights are not on this machine, or are damaged.
        """
        ...

    def fetch(self, name: str, progress: FileProgress, unverified: bool) -> Fetched:
        """Download the weights of a claimed encoder and add them to the index.

        Args:
            name: The name that the user typed.
            progress: A function that is called during the download.
            unverified: Accept files if the server states neither hash nor length.

        Raises:
            UsageError: The family has no weights to fetch under this name.
            RdmfError: The download failed; the next call resumes the download.
        """
        ...

    def listed(self) -> Iterable[Listed]:
        """Return all encoders of this family, on this machine or not."""
        ...

    def names(self) -> Iterable[str]:
        """Return the names to suggest for a mistyped name."""
        ...


def unknown_encoder(name: str, known: Sequence[str]) -> UsageError:
    """Return the error for an unknown name, with the most similar known names."""
    near = nearest(name, known)
    see = "`rdmf weights list --all` lists all names"
    return UsageError(
        "no such encoder, file or folder",
        name,
        f"did you mean {' or '.join(near)}? {see}" if near else see,
    )
