"""The full head's own similarity: how the features of one encoder are best compared."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdmf_cli.channels.channels import MOST_DEVIATIONS
from rdmf_cli.channels.similarity import LEAST_DEVIATION
from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.heads.learned.torch.batch import Batch

FIRST_TEMPERATURE = 3.0  # of the logarithm


class Metrics(NamedTuple):
    """clips: (B, L, S) unit rows; query: (B, S) unit; match: (B, L) standardised cosine."""

    clips: Tensor
    query: Tensor
    match: Tensor


class Metric(nn.Module):
    """Clips and query moved in their joint space, by little where that is right already.

    Where no stream shares a space with a sentence, the mean word is first mapped to the width of
    a clip, and the space is learned from nothing.

    temperature: log of what cosines are multiplied by in the contrastive loss
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        assert config.video_width is not None
        assert config.words_width is not None
        self.matching = config.matching
        if self.matching is None:
            width, self.text_width = config.video_width, config.words_width
            self.to_clips: nn.Linear | None = nn.Linear(config.words_width, width)
        else:
            width = self.text_width = self.matching[1] - self.matching[0]
            self.to_clips = None
        self.move_clip = _mover(config.video_width, config, width)
        self.move_query = _mover(self.text_width, config, width)
        self.temperature = nn.Parameter(torch.tensor(FIRST_TEMPERATURE))

    def text(self, batch: Batch) -> Tensor:
        """(B, T): the sentence, or the mean word where it shares no space with the clips."""
        if self.matching is not None:
            assert batch.sentence is not None
            return batch.sentence
        assert batch.words is not None
        assert batch.word_mask is not None
        real = batch.word_mask[..., None].to(batch.words.dtype)
        return (batch.words * real).sum(1) / real.sum(1).clamp_min(1.0)

    def forward(self, batch: Batch, dropout: nn.Module) -> Metrics:
        assert batch.video is not None
        video, text = batch.video, self.text(batch)
        own = video if self.matching is None else video[..., slice(*self.matching)]
        query = text if self.to_clips is None else self.to_clips(text)
        clips = functional.normalize((own + self.move_clip(dropout(video))).float(), dim=-1)
        query = functional.normalize((query + self.move_query(dropout(text))).float(), dim=-1)
        match = (clips * query[:, None]).sum(-1)  # no matrix product: it would be in bfloat16
        return Metrics(clips, query, standardise(match, batch.mask))


def standardise(match: Tensor, mask: Tensor) -> Tensor:
    """(B, L): in deviations from the mean over the real clips, within ±MOST_DEVIATIONS."""
    real = mask.to(match.dtype)
    clips = real.sum(1, keepdim=True).clamp_min(1.0)
    centred = match - (match * real).sum(1, keepdim=True) / clips
    variance = (centred * real).square().sum(1, keepdim=True) / clips
    deviation = variance.clamp_min(1e-12).sqrt()
    return (centred / (deviation + LEAST_DEVIATION)).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)


def _mover(width: int, config: ModelConfig, out: int) -> nn.Sequential:
    """Starts by moving nothing."""
    last = nn.Linear(config.metric, out)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(
        nn.Linear(width, config.metric), nn.GELU(), nn.Dropout(config.input_dropout), last
    )
