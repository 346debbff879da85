"""Training targets: the values that the outputs for a batch should have. Imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rdmf_cli.datasets import Annotation, Sample
from rdmf_cli.datasets.annotations import MAX_RATING
from rdmf_cli.heads.learned.config import LONG, SCALES, SHORT
from rdmf_cli.heads.learned.torch.batch import padded

Array = npt.NDArray[np.float32]

LEAST_WINDOW = 0.25  # clips: shortest window; a moment without length gets this length
NOWHERE = -9.0  # clips: start of the windows that pad a batch
NOT_RELEVANT = -9.0  # rating of a clip outside all windows; the lowest real rating is 0


@dataclass(frozen=True, eq=False)
class Target:
    """Hold the target of one sample of L clips.

    Attributes:
        windows: (G, 2) [start, end] in clips; no rows if the query is absent, or if moments were
            not annotated.
        foreground: (L, 4) 1 if the clip belongs to a moment, at each of `config.SCALES`.
        saliency: (L,) mean annotator rating of each clip, 0 to 4; NOT_RELEVANT outside of moments.
        absent: the video does not show the query.
        windowed: moments were annotated (also if the query is absent).
    """

    windows: Array
    foreground: Array
    saliency: Array
    absent: bool
    windowed: bool

    def __len__(self) -> int:
        return len(self.saliency)

    def reversed(self) -> Target:
        """Return the target of the reversed video."""
        return replace(
            self,
            windows=np.ascontiguousarray(len(self) - self.windows[:, ::-1]),
            foreground=self.foreground[::-1],
            saliency=self.saliency[::-1],
        )

    def kept(self, clips: npt.NDArray[np.int_]) -> Target:
        """Return the target of the video with only some of its clips.

        A window shrinks by the clips that it loses; a window without clips disappears.

        Args:
            clips: (n,) indices, ascending.
        """
        before = np.searchsorted(clips, np.arange(len(self) + 1)).astype(np.float32)
        clip = np.minimum(self.windows.astype(int), len(self) - 1)
        share = self.windows - clip
        windows = before[clip] + share * (before[clip + 1] - before[clip])
        left = windows[:, 1] - windows[:, 0] >= LEAST_WINDOW
        return replace(
            self,
            windows=windows[left],
            foreground=self.foreground[clips],
            saliency=self.saliency[clips],
        )


def target_of(sample: Sample) -> Target:
    """Convert the annotation of a sample to a target."""
    clips, annotation = len(sample.video), sample.annotation
    windows = _in_clips(annotation, sample.clip_length, clips)
    foreground = _foreground(windows, sample.clip_length, clips)
    return Target(
        windows,
        foreground,
        _saliency(sample, foreground[:, 0]),
        absent=annotation.absent,
        windowed=annotation.windows is not None,
    )


def _in_clips(annotation: Annotation, clip_length: float, clips: int) -> Array:
    """Return the windows (G, 2) within the features, each with a length above 0."""
    if annotation.windows is None:
        return np.zeros((0, 2), np.float32)
    spans = annotation.windows.reshape(-1, 2) / clip_length
    spans = spans[spans[:, 0] < clips]
    centre = spans.mean(axis=1)
    half = np.maximum(spans[:, 1] - spans[:, 0], LEAST_WINDOW) / 2
    wide = np.stack([centre - half, centre + half], axis=1)
    targets: Array = np.clip(wide, 0, clips).astype(np.float32)
    return targets


def _foreground(windows: Array, clip_length: float, clips: int) -> Array:
    inside = np.zeros((clips, len(SCALES)), np.float32)
    for start, end in windows:
        seconds = (end - start) * clip_length
        scale = 1 if seconds <= SHORT else 2 if seconds <= LONG else 3
        first, last = round(float(start)), round(float(end))
        if first == last:  # too short to hold the middle of a clip
            first = min(int((start + end) / 2), clips - 1)
            last = first + 1
        inside[first:last, [0, scale]] = 1.0
    return inside


def _saliency(sample: Sample, foreground: Array) -> Array:
    """Return ratings if there are ratings, else labels if there are labels, else the moments."""
    if (labels := sample.labels) is not None:
        return _stretched(labels.mean(axis=1))
    ratings = np.zeros(len(foreground), np.float32)
    annotation = sample.annotation
    if annotation.clip_ids is not None and annotation.ratings is not None:
        here = annotation.clip_ids < len(ratings)
        ratings[annotation.clip_ids[here]] = annotation.ratings[here].mean(axis=1)
    return np.where((foreground > 0) | (ratings > 0), ratings, NOT_RELEVANT).astype(np.float32)


def _stretched(labels: npt.NDArray[np.float64]) -> Array:
    """Scale labels to ratings: 0 to 4 within the video."""
    low, high = labels.min(), labels.max()
    ratings: Array = (MAX_RATING * (labels - low) / max(high - low, 1e-6)).astype(np.float32)
    return ratings


class Targets(NamedTuple):
    """Hold the targets of a batch, padded.

    Attributes:
        windows: (B, G, 2) in clips; NOWHERE in place of missing windows.
        window_mask: (B, G) True at real windows.
        foreground: (B, 4, L).
        saliency: (B, L).
        absent: bool (B,).
        windowed: bool (B,).
    """

    windows: Tensor
    window_mask: Tensor
    foreground: Tensor
    saliency: Tensor
    absent: Tensor
    windowed: Tensor

    @property
    def spanned(self) -> Tensor:
        """(B,): True for samples with a window to find."""
        return self.window_mask.any(1)

    def to(self, device: torch.device | str) -> Targets:
        """Copy the targets to a device."""
        return Targets(*(x.to(device) for x in self))


def collate_targets(targets: Sequence[Target]) -> Targets:
    """Pad and stack the targets, one per row."""
    counts = torch.tensor([len(target.windows) for target in targets])
    most = max(int(counts.max()), 1)
    windows = [_filled_up(target.windows, most) for target in targets]
    return Targets(
        windows=torch.from_numpy(np.stack(windows)),
        window_mask=torch.arange(most) < counts[:, None],
        foreground=padded([target.foreground for target in targets]).mT.contiguous(),
        saliency=padded([target.saliency for target in targets]),
        absent=torch.tensor([target.absent for target in targets]),
        windowed=torch.tensor([target.windowed for target in targets]),
    )


def _filled_up(windows: Array, most: int) -> Array:
    filler = np.tile([[NOWHERE, NOWHERE + LEAST_WINDOW]], (most - len(windows), 1))
    return np.concatenate([windows, filler.astype(np.float32)])
