"""The task of `rdmf train`: a head, annotated samples, losses, and held-out scores."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rdmf_cli.channels.background import Background
from rdmf_cli.channels.inputs import Inputs, Match, inputs_of, match_of
from rdmf_cli.channels.question import FeatureSpace
from rdmf_cli.datasets import Sample, Samples, Text, hold_out
from rdmf_cli.datasets.array_cache import ArrayCache
from rdmf_cli.datasets.split import video_of
from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.evaluation import evaluate
from rdmf_cli.evaluation.predict import predict
from rdmf_cli.heads.learned.config import HeadKind, ModelConfig, require_space
from rdmf_cli.heads.learned.torch.batch import Batch, collate
from rdmf_cli.heads.learned.torch.checkpoint import save
from rdmf_cli.heads.learned.torch.network import Network
from rdmf_cli.heads.learned.torch.regimes import learned_rates
from rdmf_cli.heads.learned.torch.torch_head import TorchHead
from rdmf_cli.training.clips import Clips, some_clips
from rdmf_cli.training.footage import Grain, numpy_generator, other_footage
from rdmf_cli.training.hyperparameters import Hyperparameters
from rdmf_cli.training.importance import TOGETHER, importances, spread
from rdmf_cli.training.losses import losses
from rdmf_cli.training.options import TrainingOptions
from rdmf_cli.training.seeds import of_sample, seed_of
from rdmf_cli.training.targets import Target, Targets, collate_targets, target_of

Rows = npt.NDArray[np.float32]


METRICS = {
    "MR-full-R1@0.5": "R1@0.5",
    "MR-full-R1@0.7": "R1@0.7",
    "MR-full-mAP": "mAP",
    "HL-min-VeryGood-Hit1": "HIT@1",
    "HL-mAP": "HL-mAP",
}
"""The metrics to show during training, by their names in "brief" of an evaluation."""

NOT_OF_CURVES = ("score", "rank", "iou", "ends", "contrast", "presence")
"""The losses that importances leave out."""

GOAL = ("R1@0.5", "mAP")
"""The monitored metric is the mean of these metrics; if there are none, the mean of all metrics."""


class TrainingBatch(NamedTuple):
    """Hold samples with their targets, and negatives: samples with queries of other videos."""

    shown: Batch
    targets: Targets
    unrelated: Batch | None


class RetrievalTask:
    """Train a head on samples, and score the head on held-out samples.

    Args:
        samples: annotated samples.
        config: a ModelConfig, or some of its fields; fields that depend on the features are added.
        options: how to train.
        held_out: samples to score on; None: the share `options.hold_out` of the videos is taken
            from `samples`.
        hyper: weights of the losses, and probabilities of augmentation.
        background: (N, S) features of the background sentences, unit length, in the space of the
            clips; with these features, presence means the same in every video.

    Raises:
        RdmfError: the head is universal, and the features have no joint space.
    """

    def __init__(
        self,
        samples: Samples,
        config: ModelConfig | Mapping[str, Any],
        options: TrainingOptions,
        *,
        held_out: Samples | None = None,
        hyper: Hyperparameters | None = None,
        background: Rows | None = None,
    ):
        if not isinstance(config, ModelConfig):
            config = config_for(samples, **config)
        require_space(config, samples.space, samples.first_file)
        _check_space(config, samples)
        self.config, self.hyper = config, hyper or Hyperparameters()
        self.samples, self.held_out = _parts(samples, held_out, options)
        self.background = background
        self._first = _first_weights(config, options.seed)
        self.model: nn.Module = deepcopy(self._first)
        self._videos = np.array([video_of(a.vid) for a in self.samples.annotations])
        self._queries = np.array([a.query for a in self.samples.annotations])
        self._cache = ArrayCache()
        self._targets: dict[int, Target] = {}

    def __len__(self) -> int:
        return len(self.samples)

    def start_from(self, init: Network) -> None:
        """Start from the weights of a network, in place of random weights.

        Raises:
            UsageError: the weights do not fit the configuration.
        """
        _check_same_shapes(self._first, init)
        for network in (self._first, self.model):
            network.load_state_dict(init.state_dict())

    def batch(self, indices: Sequence[int], generator: torch.Generator) -> TrainingBatch:
        """Collate and augment samples; see `Task.batch`."""
        grain = Grain(self.hyper, numpy_generator(generator))
        drawn = [self._draw(index, of_sample(generator, index), grain) for index in indices]
        unrelated = [self._unrelated(one) for one in drawn if one.negative is not None]
        return TrainingBatch(
            collate([self._inputs(one) for one in drawn]),
            collate_targets([self._target(one) for one in drawn]),
            collate(unrelated) if unrelated else None,
        )

    def _draw(self, index: int, generator: torch.Generator, grain: Grain) -> _Draw:
        """Draw the augmentation of this sample in this batch."""
        rng = numpy_generator(generator)
        changed = other_footage(
            self.samples[index], self.hyper, grain, rng, lambda rng: self._stranger(index, rng)
        )
        target = self._plain_target(index) if changed is None else target_of(changed)
        chances = torch.rand(6, generator=generator).tolist()
        plain, backwards, known, mismatched, which, whose = chances
        others = self._texts(index).number - 1
        none = np.zeros(0, np.int_)
        negatives = self._negatives(index) if mismatched < self.hyper.mismatched else none
        return _Draw(
            index,
            text=0 if plain < self.hyper.plain_query or not others else 1 + int(which * others),
            backwards=backwards < self.hyper.backwards,
            with_background=known >= self.hyper.no_background,
            changed=changed,
            target=target,
            clips=some_clips(target, self.hyper, generator),
            negative=int(negatives[int(whose * len(negatives))]) if len(negatives) else None,
        )

    def _negatives(self, index: int) -> npt.NDArray[np.int_]:
        """Return the samples of other videos that have another query."""
        other_video = self._videos != self._videos[index]
        return np.flatnonzero(other_video & (self._queries != self._queries[index]))

    def _stranger(self, index: int, rng: np.random.Generator) -> Rows:
        """Draw another video, (N, R, D); the same video if there is no other video."""
        others = np.flatnonzero(self._videos != self._videos[index])
        return self.samples[int(rng.choice(others)) if len(others) else index].rows

    def _texts(self, index: int) -> _Texts:
        """Return the query, then its paraphrases."""
        return self._cache.get(("texts", index), lambda: _Texts.of([*self._read_texts(index)]))

    def _read_texts(self, index: int) -> Iterator[Text]:
        sample = self.samples[index]
        yield Text(sample.sentence, sample.words)
        yield from self.samples.paraphrases(sample.annotation)

    def _inputs(self, draw: _Draw) -> Inputs:
        sample = self._sample(draw)
        match = self._match(draw, sample)
        if not draw.with_background:
            match = match._replace(evidence=np.zeros_like(match.evidence))
        return inputs_of(sample, self.config, match)

    def _match(self, draw: _Draw, sample: Sample) -> Match:
        """Return the match; without a crop it is cached per sample, text and direction."""
        if draw.clips is not None or draw.changed is not None:
            return self._computed(sample)
        key = draw.index, draw.text, draw.backwards
        return self._cache.get(key, lambda: self._computed(sample))

    def _computed(self, sample: Sample) -> Match:
        return match_of(self._with_background(sample), self.config)

    def _unrelated(self, draw: _Draw) -> Inputs:
        assert draw.negative is not None
        sample = _asking(self._sample(draw), self._texts(draw.negative).text(0))
        if draw.with_background:
            sample = self._with_background(sample)
        return inputs_of(sample, self.config)

    def _with_background(self, sample: Sample) -> Sample:
        if self.background is None or not sample.has_similarity:
            return sample
        rows = sample.video[:, sample.matching]
        return replace(sample, background=Background.in_video(rows, self.background))

    def _sample(self, draw: _Draw) -> Sample:
        shown = self.samples[draw.index] if draw.changed is None else draw.changed
        sample = _asking(shown, self._texts(draw.index).text(draw.text))
        if draw.clips is not None:
            sample = replace(sample, rows=sample.rows[draw.clips])
        return _backwards(sample) if draw.backwards else sample

    def _plain_target(self, index: int) -> Target:
        if index not in self._targets:
            self._targets[index] = target_of(self.samples[index])
        return self._targets[index]

    def _target(self, draw: _Draw) -> Target:
        target = draw.target if draw.clips is None else draw.target.kept(draw.clips)
        return target.reversed() if draw.backwards else target

    def losses(self, batch: TrainingBatch) -> Mapping[str, Tensor]:
        """Compute the losses of a batch, scalars by name; see `Task.losses`."""
        device = next(self.model.parameters()).device
        unrelated = None if batch.unrelated is None else batch.unrelated.to(device)
        shown, targets = batch.shown.to(device), batch.targets.to(device)
        return losses(self._network(self.model), shown, targets, self.hyper, unrelated)

    def score(self, model: nn.Module) -> Mapping[str, float]:
        """Score a model on the held-out samples; see `Task.score`."""
        if not len(self.held_out):
            return {}
        head = TorchHead(self._network(model))
        made = predict(self.held_out, self.held_out.dataset, head)
        brief = evaluate(made, self.held_out.annotations, self.held_out.dataset)["brief"]
        scores = {short: brief[name] for name, short in METRICS.items() if name in brief}
        goal = [scores[name] for name in GOAL if name in scores] or list(scores.values())
        return {"goal": math.fsum(goal) / len(goal), **scores}

    def report(self, model: nn.Module) -> dict[str, Any]:
        """Report configuration, learned rates and importances of a model; see `Task.report`."""
        network = self._network(model)
        return {
            "config": self.config.model_dump(mode="json"),
            "rates": learned_rates(network, since=self._first),
            "importance": self._importance(network),
        }

    def _importance(self, network: Network) -> dict[str, Any]:
        """Measure which parts of a network matter for the curves: foreground and saliency.

        The losses of spans depend on the number of slots, which falls without a part, and the loss
        of presence needs negatives.
        """
        samples = self.held_out if len(self.held_out) else self.samples
        device = next(network.parameters()).device
        hyper = self.hyper.model_copy(update=dict.fromkeys(NOT_OF_CURVES, 0.0))
        chosen = [self._with_background(samples[place]) for place in spread(len(samples))]
        shown = [
            (
                collate([inputs_of(one, self.config) for one in some]).to(device),
                collate_targets([target_of(one) for one in some]).to(device),
            )
            for some in (chosen[i : i + TOGETHER] for i in range(0, len(chosen), TOGETHER))
        ]

        def loss(batch: Batch, targets: Targets) -> float:
            return float(losses(network, batch, targets, hyper)["total"])

        whole, found = importances(network.eval(), shown, loss)
        parts = [{**one.part._asdict(), "rise": one.rise, "error": one.error} for one in found]
        held = bool(len(self.held_out))
        return {"loss": whole, "samples": len(chosen), "held_out": held, "parts": parts}

    def save(self, folder: Path, about: Mapping[str, Any]) -> Path:
        """Write the present model as a folder for `heads.learned.torch.checkpoint.load`."""
        return save(folder, self._network(self.model), about, own=True)

    def _network(self, model: nn.Module) -> Network:
        assert isinstance(model, Network)
        return model


def config_for(samples: Samples, *, head: HeadKind = "full", **choices: Any) -> ModelConfig:
    """Make a configuration that fits the features of samples and holds the caller's choices.

    Args:
        samples: the samples; they give encoder, clip length and widths.
        head: "universal" or "full".
        **choices: further fields of `ModelConfig`.
    """
    known: dict[str, Any] = {
        "encoder": samples.encoder_name,
        "clip_length": samples.dataset.clip_length,
        **(_widths(samples.space) if head == "full" else {}),
    }
    return ModelConfig(head=head, **{**known, **choices})


def _widths(space: FeatureSpace) -> dict[str, Any]:
    """Return the facts about the features that a full head needs, by the names of `ModelConfig`."""
    return {
        "video_width": space.video,
        "words_width": space.words,
        "sentence_width": space.sentence,
        "matching": space.matching,
    }


def _first_weights(config: ModelConfig, seed: int) -> Network:
    """Make a network with initial weights that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(seed))
        return Network(config)


def _check_same_shapes(network: Network, init: Network) -> None:
    own, given = (
        {name: tuple(x.shape) for name, x in one.state_dict().items()} for one in (network, init)
    )
    if own == given:
        return
    now, then = (one.config.model_dump(mode="json") for one in (network, init))
    differing = [
        f"{name} {then[name]} (now {now[name]})" for name in now if now[name] != then[name]
    ]
    what = f"these weights are of another model: {', '.join(differing)}"
    raise UsageError(what, "--init", "choose the same model, or leave --init out")


def _check_space(config: ModelConfig, samples: Samples) -> None:
    """Raise RdmfError if a universal head would have no similarity to read."""
    if not config.full and samples[0].matching is None:
        what = "a universal head reads the similarity of clips and sentence, which share no space"
        widths = _columns(samples[0])
        todo = "train a full head (--head full)"
        raise RdmfError(f"{what} in these features ({widths})", samples[0].path, todo)


def _columns(sample: Sample) -> str:
    parts = {name: part.stop - part.start for name, part in sample.streams.items()}
    streams = ", ".join(f"{name} {width}" for name, width in parts.items())
    own = "no sentence" if sample.sentence is None else f"sentence {len(sample.sentence)}"
    return f"columns: {streams}; {own}"


class _Texts(NamedTuple):
    """Hold several texts: sentences (N, S) if any, words (T, W) of all texts, their ends (N,)."""

    sentences: Rows | None
    words: Rows
    ends: npt.NDArray[np.int_]

    @classmethod
    def of(cls, texts: Sequence[Text]) -> _Texts:
        sentences = [text.sentence for text in texts if text.sentence is not None]
        words = [text.words for text in texts]
        return cls(
            np.stack(sentences) if sentences else None,
            np.concatenate(words),
            np.cumsum([len(rows) for rows in words]),
        )

    @property
    def number(self) -> int:
        return len(self.ends)

    def text(self, place: int) -> Text:
        start = self.ends[place - 1] if place else 0
        sentence = None if self.sentences is None else self.sentences[place]
        return Text(sentence, self.words[start : self.ends[place]])


@dataclass(frozen=True)
class _Draw:
    """Hold the augmentation of one sample in one batch.

    Attributes:
        index: the index of the sample.
        text: 0: the query itself; from 1: one of its paraphrases.
        backwards: the video is reversed.
        with_background: the head reads the evidence.
        changed: the sample in a changed video; None: the original sample.
        target: the target of the shown video, before clips are left out and the video is reversed.
        clips: indices (n,) of the clips that are shown; None: all clips.
        negative: the sample with the query that makes a negative with this video; None: no
            negative.
    """

    index: int
    text: int
    backwards: bool
    with_background: bool
    changed: Sample | None
    target: Target
    clips: Clips | None
    negative: int | None


def _parts(
    samples: Samples, held_out: Samples | None, options: TrainingOptions
) -> tuple[Samples, Samples]:
    """Return the samples to train on and the held-out samples; with one video, the same samples."""
    if held_out is not None:
        return samples, held_out
    if not options.hold_out:
        return samples, samples.part([])
    train, held = hold_out(samples.annotations, options.hold_out, options.seed)
    return samples.part(train), samples.part(held or train)


def _asking(sample: Sample, text: Text) -> Sample:
    return replace(sample, sentence=text.sentence, words=text.words)


def _backwards(sample: Sample) -> Sample:
    return replace(sample, rows=np.ascontiguousarray(sample.rows[::-1]))
