"""The full head's own similarity: a learned metric between the features of one encoder."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdmf_cli.channels.channels import MOST_DEVIATIONS
from rdmf_cli.channels.similarity import LEAST_DEVIATION
from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.heads.learned.torch.batch import Batch

FIRST_TEMPERATURE = 3.0  # initial value of the temperature's logarithm


class Metrics(NamedTuple):
    """Clips and queries in the learned space.

    Attributes:
        clips: (B, L, S) of unit length.
        query: (B, S) of unit length.
        match: (B, L) cosine of each clip and the query, standardised over the video.
    """

    clips: Tensor
    query: Tensor
    match: Tensor


class Metric(nn.Module):
    """Moves the features of clips and query within their common space.

    At the start of training the moves are zero.

    If no video stream lies in the space of the sentences, the mean word is first mapped to the
    width of a clip, and the common space is learned from scratch.

    Attributes:
        temperature: logarithm of the factor by which the contrastive loss multiplies the cosines.
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
        """Return (B, S): the sentence, or the mean word if `matching` is None."""
        if self.matching is not None:
            assert batch.sentence is not None
            return batch.sentence
        assert batch.words is not None
        assert batch.word_mask is not None
        real = batch.word_mask[..., None].to(batch.words.dtype)
        return (batch.words * real).sum(1) / real.sum(1).clamp_min(1.0)

    def forward(self, batch: Batch, dropout: nn.Module) -> Metrics:
        """Move the features of clips and query, and compare them.

        Args:
            batch: B queries on B videos, with `video` (B, L, D).
            dropout: module that is applied to the inputs.

        Returns:
            Clips (B, L, S), queries (B, S) and their match (B, L).
        """
        assert batch.video is not None
        video, text = batch.video, self.text(batch)
        own = video if self.matching is None else video[..., slice(*self.matching)]
        query = text if self.to_clips is None else self.to_clips(text)
        clips = functional.normalize((own + self.move_clip(dropout(video))).float(), dim=-1)
        query = functional.normalize((query + self.move_query(dropout(text))).float(), dim=-1)
        match = (clips * query[:, None]).sum(-1)  # a matrix product would run in bfloat16
        return Metrics(clips, query, standardise(match, batch.mask))


def standardise(match: Tensor, mask: Tensor) -> Tensor:
    """Standardise a match over the real clips.

    Args:
        match: (B, L) cosine of each clip and the query.
        mask: (B, L) True at real clips.

    Returns:
        (B, L) standard deviations from the mean, clipped to ±MOST_DEVIATIONS.
    """
    real = mask.to(match.dtype)
    clips = real.sum(1, keepdim=True).clamp_min(1.0)
    centred = match - (match * real).sum(1, keepdim=True) / clips
    variance = (centred * real).square().sum(1, keepdim=True) / clips
    deviation = variance.clamp_min(1e-12).sqrt()
    return (centred / (deviation + LEAST_DEVIATION)).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)


def _mover(width: int, config: ModelConfig, out: int) -> nn.Sequential:
    """Build an MLP whose output starts at zero."""
    last = nn.Linear(config.metric, out)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(
        nn.Linear(width, config.metric), nn.GELU(), nn.Dropout(config.input_dropout), last
    )
