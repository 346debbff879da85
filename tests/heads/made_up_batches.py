"""Small networks and random inputs for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from rdmf_cli.channels.inputs import Inputs
from rdmf_cli.channels.question import Question
from rdmf_cli.features.files import normalise_rows
from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.heads.learned.torch.network import Network

SMALL = {
    "width": 16,
    "fusion_channels": 8,
    "steps": 3,
    "dilations": (1, 2),
    "projection": 4,
    "metric": 6,
    "slot_width": 16,
    "slot_features": 4,
    "anchors": 6,
    "levels": 4,
}
VIDEO, SENTENCE, WORDS = 10, 6, 5
FULL = {
    "head": "full",
    "video_width": VIDEO,
    "sentence_width": SENTENCE,
    "words_width": WORDS,
    "matching": (4, 10),
}
WORDS_ONLY = {**FULL, "sentence_width": None, "matching": None}
HEADS = {"universal": {}, "full": FULL, "words-only": WORDS_ONLY}


def small(head: str = "universal", **changes: Any) -> ModelConfig:
    return ModelConfig(**{**SMALL, **HEADS[head], **changes})


def network(config: ModelConfig, seed: int = 0) -> Network:
    """Make a network without zero weights, so that every part has an effect."""
    torch.manual_seed(seed)
    made = Network(config)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim == 2 and not parameter.any():
                parameter.normal_(std=0.3)
    return made.eval()


def inputs(config: ModelConfig, clips: int, seed: int = 0, clip_length: float = 2.0) -> Inputs:
    rng = np.random.default_rng(seed)
    words = 3 + seed % 4

    def rows(*shape: int) -> np.ndarray:
        return normalise_rows(rng.normal(size=shape))

    return Inputs(
        channels=rng.normal(size=(clips, len(config.channels))).astype(np.float32),
        edges=rng.uniform(size=clips - 1).astype(np.float32),
        evidence=rng.normal(size=2).astype(np.float32),
        clip_length=clip_length,
        video=rows(clips, VIDEO) if config.full else None,
        sentence=rows(SENTENCE) if config.matching else None,
        words=rows(words, WORDS) if config.full else None,
    )


def question(config: ModelConfig, clips: int, seed: int = 0) -> Question:
    """Make a question that a head with this configuration can answer."""
    rng = np.random.default_rng(seed)
    matching = config.matching or (None if config.full else (0, SENTENCE))
    return Question(
        rows=normalise_rows(rng.normal(size=(clips, VIDEO))).astype(np.float32),
        sentence=normalise_rows(rng.normal(size=SENTENCE)).astype(np.float32),
        matching=None if matching is None else slice(*matching),
        words=normalise_rows(rng.normal(size=(4, WORDS))).astype(np.float32),
        clip_length=2.0,
        duration=2.0 * clips,
    )
