"""The network of the learned head: channels → fusion → pattern → slots → spans and scores.

The network has two halves, `fuse` and `decode`. Between them, `slots.pattern_slots` chooses the
slots in numpy. Neither half branches on data, so each can be exported. Importing this module
imports torch.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from rdmf_cli.errors import RdmfError
from rdmf_cli.heads.learned.config import SCALES, ModelConfig
from rdmf_cli.heads.learned.fusions import FUSIONS
from rdmf_cli.heads.learned.slots import pattern_slots
from rdmf_cli.heads.learned.torch.batch import Batch
from rdmf_cli.heads.learned.torch.blocks import MASKED, Context, FusionBlock, by_clip_length
from rdmf_cli.heads.learned.torch.decoder import Decoded, SlotDecoder
from rdmf_cli.heads.learned.torch.fusions import ReactingPattern
from rdmf_cli.heads.learned.torch.metric import Metric, Metrics
from rdmf_cli.heads.learned.torch.pooling import last_clip

MOST_LOGIT = 6.0  # bound of the logits of those curves that the decoder reads
GOLDEN = 0.6180339887498949  # golden ratio: it spreads any number of anchors evenly


class BatchOutputs(NamedTuple):
    """The outputs of `fuse` for B queries on B videos of up to L clips.

    Attributes:
        features: (B, L, W) features for the decoder.
        pattern: (B, 4, L) log-odds that a clip belongs to a moment, per entry of `config.SCALES`.
        saliency: (B, L) logits. They can be compared only within one video.
        presence: (B,) log-odds that the query is shown at all.
        curves: (B, L, R) further numbers per clip that the decoder reads.
        clip_length: (B,) lengths of the clips in seconds.
        metric: full head: clips and queries in the learned space; universal head: None.
    """

    features: Tensor
    pattern: Tensor
    saliency: Tensor
    presence: Tensor
    curves: Tensor
    clip_length: Tensor
    metric: Metrics | None = None


class Network(nn.Module):
    """The network of a learned head, as its configuration describes it.

    >>> fused = network.fuse(batch)
    >>> slots, slot_mask = choose_slots(network, fused, batch.mask)
    >>> spans, scores = network.decode(fused, batch.mask, slots, slot_mask)

    Raises:
        RdmfError: the rates depend on the query, but the head is universal.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        _check_query(config)
        self.config = config
        W = config.width
        inputs = len(config.channels)
        if config.full:
            assert config.video_width is not None
            self.metric = Metric(config)
            self.clips = nn.Linear(config.video_width, config.projection)
            self.query = nn.Linear(self.metric.text_width, config.projection)
            inputs += 3 * config.projection + 1
        self.input_dropout = nn.Dropout(config.input_dropout)
        self.embed = nn.Sequential(
            nn.Linear(inputs, W), nn.GELU(), nn.Dropout(config.dropout), nn.Linear(W, W)
        )
        fusion = FUSIONS[config.fusion].load()
        self.words: nn.Linear | None = None
        if config.full and fusion.reads_words:
            assert config.words_width is not None
            self.words = nn.Linear(config.words_width, W)
        self.blocks = nn.ModuleList(
            FusionBlock(fusion(config), W, config.dropout) for _ in range(config.blocks)
        )
        self.norm = nn.LayerNorm(W)
        curves = len(SCALES) + 1  # SCALES, and saliency
        self.curves = None if config.pattern == "reaction" else nn.Linear(W, curves)
        self.present = nn.Linear(2 * W + 2, 1)
        self.decoder = SlotDecoder(config, curves=len(SCALES) + 2 + config.full)
        self.reacting = None if config.pattern == "linear" else ReactingPattern(config, curves)
        if config.slots == "random":
            self.centre = nn.Parameter(_logit(torch.arange(1, config.anchors + 1) * GOLDEN % 1))
            self.extent = nn.Parameter(_logit(torch.logspace(-1.3, -0.1, config.anchors)))

    def fuse(self, batch: Batch) -> BatchOutputs:
        """Fuse clips and query, and read the curves from the result.

        Args:
            batch: B queries on B videos of up to L clips.

        Returns:
            Features (B, L, W), pattern (B, 4, L), saliency (B, L), presence (B,) and more.
        """
        metric = self.metric(batch, self.input_dropout) if self.config.full else None
        inputs, query = self._inputs(batch, metric)
        x = self.embed(inputs)
        words = None if self.words is None else self.words(batch.words)
        stretch = self._stretch(batch.clip_length)
        context = Context(batch.mask, batch.edges, words, batch.word_mask, stretch, query)
        for block in self.blocks:
            x = block(x, context)
        features = self.norm(x)
        logits = self._curves(features, context)
        return BatchOutputs(
            features,
            logits[..., :-1].transpose(1, 2),
            logits[..., -1],
            self.presence(features, batch.mask, batch.evidence),
            self._seen(batch, metric, logits),
            batch.clip_length,
            metric,
        )

    def _curves(self, features: Tensor, context: Context) -> Tensor:
        """Return (B, L, 5): log-odds of the four scales, and the saliency."""
        parts = [] if self.curves is None else [self.curves(features)]
        if self.reacting is not None:
            parts.append(by_clip_length(self.reacting, features, context))
        logits: Tensor = parts[0].float()
        return logits if len(parts) == 1 else logits + parts[1].float()

    def _stretch(self, clip_length: Tensor) -> Tensor | None:
        """Return `ModelConfig.stretch` per video, (B,); None if the configuration fixes it at 1."""
        if self.config.time == "clips":
            return None
        return self.config.clip_length / clip_length

    def _inputs(self, batch: Batch, metric: Metrics | None) -> tuple[Tensor, Tensor | None]:
        """Return the inputs of the clips, (B, L, …), and the projected query, (B, P).

        The inputs are the channels. For a full head they are also the projected features of clips
        and query, and their similarity under the learned metric. A universal head has no projected
        query.
        """
        if metric is None:
            return batch.channels, None
        assert batch.video is not None
        clips = self.clips(self.input_dropout(batch.video))
        query = self.query(self.input_dropout(self.metric.text(batch)))
        each, match = query[:, None].expand_as(clips), metric.match[..., None]
        return torch.cat([batch.channels, match, clips, each, clips * each * 4], -1), query

    def _seen(self, batch: Batch, metric: Metrics | None, logits: Tensor) -> Tensor:
        """Return (B, L, R): learned match, standardised similarity, then the curves' logits.

        No gradient flows from the decoder to the curves.
        """
        learned = [] if metric is None else [metric.match[..., None]]
        known = logits.detach().clamp(-MOST_LOGIT, MOST_LOGIT) / 2
        return torch.cat([*learned, batch.channels[..., :1], known], -1)

    def presence(self, features: Tensor, mask: Tensor, evidence: Tensor) -> Tensor:
        """Compute the log-odds that the query is shown. The gradient does not reach the features.

        Args:
            features: (B, L, W) features of the clips.
            mask: (B, L) True at real clips.
            evidence: (B, 2); see `channels.inputs.Match`.

        Returns:
            (B,).
        """
        features = features.detach().float()
        real = mask[..., None].to(features.dtype)
        mean = (features * real).sum(1) / real.sum(1).clamp_min(1.0)
        highest = (features - (1.0 - real) * MASKED).amax(1)
        log_odds: Tensor = self.present(torch.cat([mean, highest, evidence], -1))[..., 0].float()
        return log_odds

    def anchors(self, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return random slots: learned spans, scaled to the length of each video.

        Args:
            mask: (B, L) True at real clips.

        Returns:
            Spans (B, K, 2) in clips, and a mask (B, K) that is True everywhere.
        """
        end = last_clip(mask)[:, None]
        centre, half = torch.sigmoid(self.centre) * end, torch.sigmoid(self.extent) * end / 2
        spans = torch.stack([(centre - half).clamp_min(0.0), torch.minimum(centre + half, end)], -1)
        return spans, torch.ones_like(centre, dtype=torch.bool)

    def decode(
        self, fused: BatchOutputs, mask: Tensor, slots: Tensor, slot_mask: Tensor
    ) -> Decoded:
        """Decode slots into moments.

        Args:
            fused: outputs of `fuse`.
            mask: (B, L) True at real clips.
            slots: (B, K, 2) [start, end] in clips.
            slot_mask: (B, K) True at real slots.

        Returns:
            Spans (B, K, 2) in clips and scores (B, K).
        """
        decoded: Decoded = self.decoder(
            fused.features, fused.curves, fused.clip_length, mask, slots, slot_mask
        )
        return decoded

    def forward(self, batch: Batch) -> BatchOutputs:
        """Run `fuse`."""
        return self.fuse(batch)


def choose_slots(network: Network, fused: BatchOutputs, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Choose the slots: from the pattern, or the learned random slots.

    Args:
        network: the network.
        fused: outputs of `Network.fuse`.
        mask: (B, L) True at real clips.

    Returns:
        Slots (B, K, 2) [start, end] in clips, and a mask (B, K), True at real slots.
    """
    config = network.config
    if config.slots == "random":
        return network.anchors(mask)
    pattern = torch.sigmoid(fused.pattern.detach().float()).cpu().numpy()
    found = pattern_slots(pattern, mask.cpu().numpy(), config.levels, config.most_slots)
    spans, real = (torch.from_numpy(part).to(mask.device) for part in found)
    return spans, real


def _check_query(config: ModelConfig) -> None:
    """Raise RdmfError if the rates depend on a query that the head does not read."""
    if config.rates == "query" and not config.full:
        what = 'rates are "query", but a universal head does not read the query'
        raise RdmfError(what, todo='train a full head, or leave rates at "shared"')


def _logit(share: Tensor) -> Tensor:
    return torch.log(share) - torch.log1p(-share)
