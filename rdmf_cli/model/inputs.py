"""What a head reads of one query on one video, as numpy: the same in training and in answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rdmf_cli.datasets.sample import Sample
from rdmf_cli.errors import RdmfError
from rdmf_cli.model.channels import channels, evidence
from rdmf_cli.model.config import ModelConfig
from rdmf_cli.moments import Background
from rdmf_cli.moments.field import edge_weights

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Inputs:
    """The query-side and video-side numbers of L clips.

    channels:    (L, C) similarity channels; 0 where clips and sentence share no space
    edges:       (L - 1,) weights of diffusion between neighbouring clips
    evidence:    (2,) how far the best match stands out from unrelated sentences, if known
    clip_length: seconds
    video, sentence, words: unit rows (L, D), (S,), (T, W), for a full head; else None
    """

    channels: Array
    edges: Array
    evidence: Array
    clip_length: float
    video: Array | None = None
    sentence: Array | None = None
    words: Array | None = None

    def __len__(self) -> int:
        return len(self.channels)


def inputs_of(
    sample: Sample, config: ModelConfig, background: npt.NDArray[np.float32] | None = None
) -> Inputs:
    """The inputs of a sample.

    background: (N, S) unit rows of sentences that have nothing to do with any video
    Raises RdmfError for a universal head where clips and sentence share no space.
    """
    matched = _channels(sample, config)
    return Inputs(
        channels=matched,
        edges=edges_of(sample, config),
        evidence=_evidence(sample, background),
        clip_length=sample.clip_length,
        video=sample.video if config.full else None,
        sentence=sample.sentence if config.full and config.matching else None,
        words=sample.words if config.full else None,
    )


def _channels(sample: Sample, config: ModelConfig) -> Array:
    if sample.matching is not None and sample.sentence is not None:
        return channels(sample.video[:, sample.matching], sample.sentence)
    if not config.full:
        _ = sample.similarity  # says what is missing
    return np.zeros((len(sample.video), len(config.channels)), np.float32)


def edges_of(sample: Sample, config: ModelConfig) -> Array:
    """(L - 1,) low where the picture changes."""
    real = np.ones(len(sample.video), dtype=bool)
    return edge_weights(sample.change, real, config.cut).astype(np.float32)


def _evidence(sample: Sample, background: npt.NDArray[np.float32] | None) -> Array:
    if background is None or sample.matching is None or sample.sentence is None:
        return np.zeros(2, np.float32)
    rows = sample.video[:, sample.matching]
    if background.shape[-1] != rows.shape[-1]:
        what = f"background sentences are {background.shape[-1]} wide, clips {rows.shape[-1]}"
        raise RdmfError(what, todo="encode them with the encoder of the features")
    unrelated = Background.of(rows @ background.T)
    return np.asarray(evidence(sample.similarity, unrelated), np.float32)
