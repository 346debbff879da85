"""Heads with random weights, and videos for them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from rdmf_cli.channels.question import Question
from rdmf_cli.datasets import Annotation, Sample
from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.heads.learned.torch.network import Network

WIDTH = 16  # width of the common space of clips and sentence
OTHER = 8  # columns of a second stream
WORDS = 12

FULL = {
    "head": "full",
    "video_width": OTHER + WIDTH,
    "sentence_width": WIDTH,
    "words_width": WORDS,
    "matching": (OTHER, OTHER + WIDTH),
}


def random_network(**config) -> Network:
    """Make a network whose slots move and whose scores differ, unlike those of a new network."""
    torch.manual_seed(3)
    network = Network(ModelConfig(**config)).eval()
    for layer in (network.decoder.out[-1], network.curves, network.present):
        nn.init.normal_(layer.weight, std=0.3)
    return network


def unit(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def video(clips: int, seed: int = 0, width: int = WIDTH) -> tuple[np.ndarray, np.ndarray]:
    """Make shots of seven clips, and a sentence that some shots show."""
    rng = np.random.default_rng(seed)
    shots = rng.normal(size=(clips // 7 + 1, width)).repeat(7, axis=0)[:clips]
    sentence = shots[clips // 2] + 0.5 * rng.normal(size=width)
    return unit(shots + 0.3 * rng.normal(size=shots.shape)), unit(sentence)


def sample(clips: int, seed: int = 0, clip_length: float = 2.0) -> Sample:
    """Add a second stream, and words, to the video."""
    rng = np.random.default_rng(seed)
    rows, sentence = video(clips, seed)
    return Sample(
        annotation=Annotation(1, "what is shown", "v", clips * clip_length),
        rows=np.concatenate([unit(rng.normal(size=(clips, OTHER))), rows], axis=1),
        matching=slice(OTHER, OTHER + WIDTH),
        sentence=sentence,
        words=unit(rng.normal(size=(5, WORDS))),
        clip_length=clip_length,
        duration=clips * clip_length,
    )


def asked(rows: np.ndarray, sentence: np.ndarray, **known: object) -> Question:
    """Make the question for rows and a sentence of one space, with clips of two seconds."""
    known = {"words": unit(np.ones((1, WORDS))), "clip_length": 2.0, **known}
    return Question(rows=rows, sentence=sentence, matching=slice(0, rows.shape[-1]), **known)
