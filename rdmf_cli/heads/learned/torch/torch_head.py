"""Trained networks that run in torch and answer many questions at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rdmf_cli.channels.inputs import inputs_of
from rdmf_cli.channels.question import Question
from rdmf_cli.heads.learned.head import ConfiguredHead, LearnedHead
from rdmf_cli.heads.learned.reading import Outputs, reading
from rdmf_cli.heads.learned.torch.batch import collate
from rdmf_cli.heads.learned.torch.export import TorchGraphs
from rdmf_cli.heads.learned.torch.network import Network, choose_slots
from rdmf_cli.heads.learned.windows import read_window
from rdmf_cli.moments.reading import Reading

TOGETHER = 32
"""Number of questions per batch. Larger batches are not faster, and they need more memory."""


class TorchHead(ConfiguredHead):
    """Finds moments with a network in torch, in evaluation mode."""

    def __init__(self, network: Network):
        super().__init__(network.config)
        self.network = network

    def read(self, question: Question, *, top_k: int = 10, distinct: bool = False) -> Reading:
        """Answer one question; see `Head.read`."""
        readings: list[Reading] = self.read_many([question], top_k=top_k, distinct=distinct)
        return readings[0]

    @torch.no_grad()
    def read_many(
        self, questions: Sequence[Question], *, top_k: int = 10, distinct: bool = False
    ) -> list[Reading]:
        """Answer several questions in one batch, padded to the longest video."""
        device = next(self.network.parameters()).device
        batch = collate([inputs_of(question, self.config) for question in questions]).to(device)
        fused = self.network.fuse(batch)
        slots, slot_mask = choose_slots(self.network, fused, batch.mask)
        decoded = self.network.decode(fused, batch.mask, slots, slot_mask)
        outputs = (fused.pattern, fused.saliency, fused.presence, decoded.spans, decoded.scores)
        rows = zip(*(x.float().cpu().numpy() for x in (*outputs, slot_mask)), strict=True)
        readings = [
            reading(
                Outputs(
                    pattern[:, : len(question)],
                    saliency[: len(question)],
                    presence,
                    spans[real > 0],
                    scores[real > 0],
                ),
                self.config,
                clip_length=question.clip_length,
                duration=question.duration,
                top_k=top_k,
                overlap=self._overlap(distinct),
            )
            for question, (pattern, saliency, presence, spans, scores, real) in zip(
                questions, rows, strict=True
            )
        ]
        return [self._with_presence(*pair) for pair in zip(readings, questions, strict=True)]


class TrainedHead(LearnedHead):
    """A trained head that is not exported yet, for videos of any length.

    Several questions on videos that fit in one window are answered in batches, with the videos of
    similar length together. Longer videos are read window by window, like with an exported head.
    """

    def __init__(self, network: Network):
        super().__init__(TorchGraphs(network))
        self._in_batches = TorchHead(network)

    def read_many(
        self, questions: Sequence[Question], *, top_k: int = 10, distinct: bool = False
    ) -> list[Reading]:
        """Answer several questions; the readings have the order of the questions."""
        order = sorted(range(len(questions)), key=lambda i: len(questions[i]))
        short = [i for i in order if self._fits(questions[i])]
        long = [i for i in order if not self._fits(questions[i])]
        readings = [
            reading
            for start in range(0, len(short), TOGETHER)
            for reading in self._in_batches.read_many(
                [questions[i] for i in short[start : start + TOGETHER]],
                top_k=top_k,
                distinct=distinct,
            )
        ]
        readings += super().read_many([questions[i] for i in long], top_k=top_k, distinct=distinct)
        by_place = dict(zip([*short, *long], readings, strict=True))
        return [by_place[i] for i in range(len(questions))]

    def _fits(self, question: Question) -> bool:
        """Return whether the video of a question fits in one window."""
        return len(question) <= read_window(self.config, question.clip_length)
