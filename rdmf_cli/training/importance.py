"""Which parts of a head matter: the held-out loss when one part is replaced by its mean.

A part that is replaced by its mean over the sample no longer tells clips or videos apart; how much
the loss rises is what the head loses without the part. Parts that carry the same information share
their importance, so a low number does not prove that a part is useless. Importing this module
imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rdmf_cli.fusion.reaction import Fields
from rdmf_cli.heads.learned.torch.batch import Batch
from rdmf_cli.heads.learned.torch.fusions import ReactionDiffusionFusion
from rdmf_cli.heads.learned.torch.network import Network
from rdmf_cli.training.targets import Targets

SAMPLES = 64
"""The largest number of samples that are used, spread evenly over the held-out samples."""

TOGETHER = 8
"""Samples per batch. The standard error is that of the batches."""

FEATURES = ("video", "sentence", "words")
"""Features that a full head reads besides the channels, by their names in `Batch`."""

Loss = Callable[[Batch, Targets], float]
Shown = Sequence[tuple[Batch, Targets]]


class Part(NamedTuple):
    """A part of a head that can be replaced by its mean.

    Attributes:
        kind: "input" or "fusion".
        name: name of the input, or of the group of channels ("1 ±4": block 1, clips 4 apart).
    """

    kind: str
    name: str


@dataclass(frozen=True)
class Importance:
    """How much the loss of a sample rises without one part.

    Attributes:
        part: the part.
        rise: mean rise of the loss.
        error: standard error of `rise` over the batches; None: there is one batch.
    """

    part: Part
    rise: float
    error: float | None


def spread(samples: int, most: int = SAMPLES) -> list[int]:
    """Choose at most `most` of `samples` samples, spread evenly.

    >>> spread(10, 4)
    [0, 2, 5, 7]
    """
    return [place * samples // min(samples, most) for place in range(min(samples, most))]


@torch.no_grad()
def importances(network: Network, shown: Shown, loss: Loss) -> tuple[float, list[Importance]]:
    """Measure the importance of every part of a network, in evaluation mode.

    Args:
        network: the network.
        shown: batches of samples with their targets, at least one.
        loss: a function that computes the loss of a batch with the network.

    Returns:
        The mean loss of the whole network, and the importance of each part, the highest first.
    """
    whole = [loss(*one) for one in shown]
    means = _Means(network, [batch for batch, _ in shown])
    found = []
    for part in means.parts:
        with means.without(part) as change:
            rises = [
                loss(change(batch), targets) - before
                for (batch, targets), before in zip(shown, whole, strict=True)
            ]
        error = stdev(rises) / len(rises) ** 0.5 if len(rises) > 1 else None
        found.append(Importance(part, fmean(rises), error))
    return fmean(whole), sorted(found, key=lambda one: -one.rise)


class _Means:
    """The means of all parts over a sample, and the replacement of a part by its mean."""

    def __init__(self, network: Network, batches: Sequence[Batch]):
        self._network = network
        self._channels = network.config.channels
        real = torch.cat([batch.channels[batch.mask] for batch in batches])
        self._mean_channels = real.mean(0)
        read = FEATURES if network.config.full else ()
        self._features = {
            name: _mean_of([*batches], name)
            for name in read
            if getattr(batches[0], name) is not None
        }
        self._groups = dict(_groups(network))
        self._fields = {number: _fields(network, number, batches) for number, _ in _blocks(network)}

    @property
    def parts(self) -> list[Part]:
        inputs = [*self._channels, *self._features]
        return [Part("input", name) for name in inputs] + [
            Part("fusion", name) for name in self._groups
        ]

    @contextmanager
    def without(self, part: Part) -> Iterator[Callable[[Batch], Batch]]:
        """Replace a part; yield a function that does so for an input of a batch."""
        fused = part.kind == "fusion"
        with self._replaced(part.name) if fused else nullcontext():
            yield (lambda batch: batch) if fused else (lambda batch: self._changed(batch, part))

    def _changed(self, batch: Batch, part: Part) -> Batch:
        if part.name in self._features:
            mean = self._features[part.name]
            return batch._replace(**{part.name: mean.expand_as(getattr(batch, part.name))})
        column = self._channels.index(part.name)
        channels = batch.channels.clone()
        channels[..., column] = self._mean_channels[column]
        return batch._replace(channels=channels * batch.mask[..., None])

    @contextmanager
    def _replaced(self, group: str) -> Iterator[None]:
        number, channels = self._groups[group]
        means = self._fields[number]

        def replace(_: Any, __: Any, fields: Fields) -> Fields:
            return Fields(*(_put(x, channels, m) for x, m in zip(fields, means, strict=True)))

        handle = _evolve(self._network, number).register_forward_hook(replace)
        try:
            yield
        finally:
            handle.remove()


def _put(field: Tensor, channels: slice, means: Tensor) -> Tensor:
    """Put the means (C,) of some channels in place of a field (B, C, L)."""
    field = field.clone()
    field[:, channels] = means[channels, None]
    return field


def _mean_of(batches: Sequence[Batch], name: str) -> Tensor:
    """Return the mean of a feature over the sample: over clips, queries or words."""
    masks = {"video": "mask", "words": "word_mask"}
    rows = []
    for batch in batches:
        feature = getattr(batch, name)
        rows.append(feature[getattr(batch, masks[name])] if name in masks else feature)
    return torch.cat(rows).mean(0)


def _blocks(network: Network) -> Iterator[tuple[int, ReactionDiffusionFusion]]:
    for number, block in enumerate(network.blocks, start=1):
        if isinstance(block.fusion, ReactionDiffusionFusion):
            yield number, block.fusion


def _evolve(network: Network, number: int) -> Any:
    return dict(_blocks(network))[number].evolve


def _groups(network: Network) -> Iterator[tuple[str, tuple[int, slice]]]:
    """Yield the channels of each block and dilation, named as in `regimes.learned_rates`."""
    for number, fusion in _blocks(network):
        for channels, dilation in fusion.evolve.groups:
            yield f"{number} ±{dilation}", (number, channels)


def _fields(network: Network, number: int, batches: Sequence[Batch]) -> tuple[Tensor, ...]:
    """Return the means (C,) of u and v of one block over the real clips of the sample."""
    sums: list[Tensor] = []  # (2, C) per batch; the fields are 0 at masked clips

    def add(_: Any, __: Any, fields: Fields) -> None:
        sums.append(torch.stack([field.sum((0, 2)) for field in fields]))

    handle = _evolve(network, number).register_forward_hook(add)
    try:
        for batch in batches:
            network.fuse(batch)
    finally:
        handle.remove()
    clips = sum(int(batch.mask.sum()) for batch in batches)
    return tuple(torch.stack(sums).sum(0) / clips)
