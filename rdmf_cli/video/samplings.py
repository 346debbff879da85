"""The rules that choose the frame of each clip."""

from __future__ import annotations

from dataclasses import dataclass

from rdmf_cli.registry import Registry


@dataclass(frozen=True)
class Sampling:
    """A rule that chooses the frame of each clip.

    Attributes:
        name: The name that a user types.
        about: A description for help texts, without a full stop.
    """

    name: str
    about: str


EXACT, KEYFRAMES = "exact", "keyframes"

SAMPLINGS: Registry[Sampling] = Registry(
    "sampling",
    Sampling(EXACT, "the last frame before the middle of the clip, as in published features"),
    Sampling(KEYFRAMES, "the key frame nearest to that frame; much less to decode"),
)
