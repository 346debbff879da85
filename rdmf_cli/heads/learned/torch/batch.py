"""Batches: several inputs, padded to one length. Importing this module imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rdmf_cli.channels.inputs import Inputs


class Batch(NamedTuple):
    """B queries on B videos of up to L clips; padding is 0, and False in the masks.

    Attributes:
        channels: (B, L, C) similarity channels.
        mask: (B, L) True at real clips.
        edges: (B, L - 1) edge weights between neighbouring clips.
        evidence: (B, 2); see `channels.inputs.Match`.
        clip_length: (B,) lengths of the clips in seconds.
        video: (B, L, D) features of the clips, for a full head; else None.
        sentence: (B, S) features of the queries, for a full head if clips and sentences lie in one
            space; else None.
        words: (B, T, W) features of the queries' words, for a full head; else None.
        word_mask: (B, T) True at real words; None without words.
    """

    channels: Tensor
    mask: Tensor
    edges: Tensor
    evidence: Tensor
    clip_length: Tensor
    video: Tensor | None = None
    sentence: Tensor | None = None
    words: Tensor | None = None
    word_mask: Tensor | None = None

    def to(self, device: torch.device | str) -> Batch:
        """Copy the batch to a device."""
        here = {name: x.to(device) for name, x in self._asdict().items() if x is not None}
        return Batch(**here)


def collate(inputs: Sequence[Inputs]) -> Batch:
    """Pad the inputs to one length and stack them, one per row."""
    clips = torch.tensor([len(one) for one in inputs])
    video = _optional([one.video for one in inputs])
    words = _optional([one.words for one in inputs])
    return Batch(
        channels=padded([one.channels for one in inputs]),
        mask=torch.arange(int(clips.max())) < clips[:, None],
        edges=padded([one.edges for one in inputs]),
        evidence=padded([one.evidence for one in inputs]),
        clip_length=torch.tensor([one.clip_length for one in inputs]),
        video=None if video is None else padded(video),
        sentence=_stacked([one.sentence for one in inputs]),
        words=None if words is None else padded(words),
        word_mask=None if words is None else _real(words),
    )


def padded(arrays: Sequence[np.ndarray], fill: float = 0.0) -> Tensor:
    """Pad arrays to one length and stack them.

    Args:
        arrays: B arrays (n, …); n may differ from array to array.
        fill: value of the padding.

    Returns:
        (B, N, …) with N the largest n.
    """
    longest = max(len(array) for array in arrays)
    out = np.full((len(arrays), longest, *arrays[0].shape[1:]), fill, arrays[0].dtype)
    for row, array in zip(out, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(out)


def _optional(arrays: Sequence[np.ndarray | None]) -> list[np.ndarray] | None:
    """Return all arrays, or None if an array is missing: a universal head reads none of them."""
    given = [array for array in arrays if array is not None]
    return given if len(given) == len(arrays) else None


def _stacked(arrays: Sequence[np.ndarray | None]) -> Tensor | None:
    given = _optional(arrays)
    return None if given is None else torch.from_numpy(np.stack(given))


def _real(rows: Sequence[np.ndarray]) -> Tensor:
    counts = torch.tensor([len(array) for array in rows])
    return torch.arange(max(int(counts.max()), 1)) < counts[:, None]
