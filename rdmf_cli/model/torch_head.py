"""A trained network that answers, by torch: scoring in training, evaluation of a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from rdmf_cli.datasets import Sample
from rdmf_cli.model.batch import collate
from rdmf_cli.model.inputs import Inputs, inputs_of
from rdmf_cli.model.network import Network, choose_slots
from rdmf_cli.model.reading import reading
from rdmf_cli.moments import Reading


class TorchHead:
    """Finds the moments of samples; an `evaluation.predict.Head`.

    network:    in evaluation mode
    background: (N, S) unit rows of sentences that say nothing of any video; None: presence is
                judged without them
    """

    def __init__(self, network: Network, background: npt.NDArray[np.float32] | None = None):
        self.network = network
        self.background = background

    def answer(self, sample: Sample, top_k: int) -> Reading:
        inputs = inputs_of(sample, self.network.config, self.background)
        return self.answers([inputs], [sample.duration], top_k)[0]

    @torch.no_grad()
    def answers(
        self, inputs: Sequence[Inputs], durations: Sequence[float | None], top_k: int
    ) -> list[Reading]:
        """Several at once, one reading each; durations in seconds."""
        device = next(self.network.parameters()).device
        batch = collate(inputs).to(device)
        fused = self.network.fuse(batch)
        slots, slot_mask = choose_slots(self.network, fused, batch.mask)
        decoded = self.network.decode(fused, batch.mask, slots, slot_mask)
        told = (fused.pattern, fused.saliency, fused.presence, decoded.spans, decoded.scores)
        rows = zip(*(x.float().cpu().numpy() for x in (*told, slot_mask)), strict=True)
        return [
            reading(
                pattern[:, : len(one)],
                saliency[: len(one)],
                presence,
                spans[real > 0],
                scores[real > 0],
                one.clip_length,
                duration,
                top_k,
                self.network.config,
            )
            for one, duration, (pattern, saliency, presence, spans, scores, real) in zip(
                inputs, durations, rows, strict=True
            )
        ]
