"""The verbs of the command line as a Python API: query, extract, fuse.

`Searcher` holds what is loaded once (encoder, head, cache); the functions make one and ask it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rdmf_cli.channels.background import BACKGROUND, Background
from rdmf_cli.channels.question import MOST_WORDS, FeatureSpace, Question
from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.features import FeatureStore, VideoFeatures, normalise_rows
from rdmf_cli.features import extract as extract_features
from rdmf_cli.fusion import Fields
from rdmf_cli.heads.registry import load_head, load_training_free
from rdmf_cli.heads.training_free.head import TrainingFree
from rdmf_cli.moments.reading import Reading
from rdmf_cli.moments.types import Answer, Features, Moment
from rdmf_cli.text import valid_text

if TYPE_CHECKING:
    from rdmf_cli.encoders.base import Encoder
    from rdmf_cli.features.extraction import Notify, Progress

VideoPath = str | PathLike[str]

DEVICES = r"auto|cpu|mps|cuda(:\d+)?"


@dataclass(frozen=True)
class Fused:
    """The fusion of one video and one query, with all that led to it.

    similarity: (L,) cosine of each clip and the query
    change:     (L − 1,) visual change between neighbouring clips
    r:          (C, L) the reaction rates that the query produced
    trace:      u and v over pseudo-time, (steps + 1, C, L) each
    reading:    the pattern u, v (C, L) and what was read from it
    answer:     the same as `Searcher.ask` gives
    """

    features: VideoFeatures
    similarity: np.ndarray
    change: np.ndarray
    r: np.ndarray
    trace: Fields
    reading: Reading
    answer: Answer

    def level_set(self, channel: int, height: float) -> list[tuple[float, float]]:
        """The spans in seconds where v of a channel is at least `height`."""
        above = np.diff(self.reading.v[channel] >= height, prepend=False, append=False)
        edges = self.features.offset + np.flatnonzero(above) * self.features.clip_length
        return [(float(a), float(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


class Searcher:
    """Answers queries on videos. Loads its encoder when it is first needed, and once.

    encoder:     "auto", "embedded", or open_clip's: "ARCH/PRETRAINED", "hf-hub:NAME", a file
    head:        "auto", "learned", "training-free"; auto takes the learned one where it ships
    checkpoint:  a head of one's own: rates, an exported head, or the folder of a trained one
    clip_length: seconds
    device:      "auto", "cpu", "cuda", "mps"
    decoder:     "auto", "pyav", "ffmpeg", "decord"
    cache:       False: features are neither looked up nor kept

    `note` says in a line which encoder "auto" took, and how to get better answers. `notify`, where
    it is set, is called with a line when an extraction that ended early is gone on with.
    """

    def __init__(
        self,
        *,
        encoder: str = "auto",
        head: str = "auto",
        checkpoint: VideoPath | None = None,
        clip_length: float = 2.0,
        device: str = "auto",
        decoder: str = "auto",
        cache: bool = True,
    ):
        from rdmf_cli.encoders import choose_encoder, load_encoder

        if not re.fullmatch(DEVICES, device):
            raise UsageError("no such device", device, "take auto, cpu, cuda, cuda:1 or mps")
        choice = choose_encoder(encoder)
        self.note = choice.line() if encoder == "auto" else ""
        self.clip_length = float(clip_length)
        self.decoder = decoder
        self.notify: Notify | None = None
        self.store = FeatureStore() if cache else None
        self.encoder: Encoder = load_encoder(choice.name, device)
        self._checkpoint = None if checkpoint is None else Path(checkpoint)
        self.head = load_head(head, self._checkpoint)
        self.head.require(_space(self.encoder))

    @cached_property
    def training_free(self) -> TrainingFree:
        """The head that `fuse` shows."""
        return load_training_free(self._checkpoint)

    def extract(
        self,
        video: VideoPath,
        *,
        start: float | None = None,
        end: float | None = None,
        progress: Progress | None = None,
    ) -> VideoFeatures:
        """One row a clip, from the cache or from the video; `start` and `end` in seconds."""
        return extract_features(
            Path(video),
            self.encoder,
            clip_length=self.clip_length,
            decoder=self.decoder,
            start=start,
            end=end,
            store=self.store,
            progress=progress,
            notify=self.notify,
        )

    def ask(
        self,
        video: VideoPath,
        queries: Sequence[str],
        *,
        top_k: int = 5,
        min_score: float = 0.0,
        start: float | None = None,
        end: float | None = None,
        progress: Progress | None = None,
    ) -> list[Answer]:
        """One answer a query, in the order of the queries."""
        queries = _checked(queries)
        features = self.extract(video, start=start, end=end, progress=progress)
        texts, took = self._texts(queries)
        known = self._about(features)
        answers = []
        for query, text in zip(queries, texts, strict=True):
            begun = time.perf_counter()
            reading = self.head.read(_question(text, known), top_k=top_k, distinct=True)
            timings = {"text": took, "fuse": time.perf_counter() - begun}
            answer = _answer(str(video), query, features, reading, self.head.name, min_score)
            answer = _within(answer, start, end)
            answers.append(_completed(answer, features, text.cut, timings))
        return answers

    def fuse(
        self,
        video: VideoPath,
        query: str,
        *,
        start: float | None = None,
        end: float | None = None,
        progress: Progress | None = None,
    ) -> Fused:
        """The emergent pattern of one query on one video, with its trace over pseudo-time."""
        (query,) = _checked([query])
        head = self.training_free
        features = self.extract(video, start=start, end=end, progress=progress)
        (text,), took = self._texts([query])
        question = _question(text, self._about(features))
        reading = head.read(question, trace=True)
        answer = _answer(str(video), query, features, reading, head.name, 0.0)
        return Fused(
            features=features,
            similarity=question.similarity,
            change=question.change,
            r=head.reaction(question.similarity),
            trace=_traced(reading),
            reading=reading,
            answer=_completed(answer, features, text.cut, {"text": took}),
        )

    def _texts(self, queries: Sequence[str]) -> tuple[list[_Text], float]:
        """Every query as the encoder reads it, and the seconds that took."""
        begun = time.perf_counter()
        texts = self.encoder.encode_texts(list(queries))
        words = (normalise_rows(states[:MOST_WORDS]) for states in texts.words)
        read = zip(normalise_rows(texts.rows), words, texts.cut, strict=True)
        found = [_Text(*text) for text in read]
        return found, time.perf_counter() - begun

    def _about(self, features: VideoFeatures) -> dict[str, Any]:
        """What every question on a video has in common."""
        rows = normalise_rows(features.rows)
        return {
            "rows": rows,
            "matching": slice(0, rows.shape[1]),
            "clip_length": features.clip_length,
            "duration": max(features.picture_end - features.offset, features.clip_length / 2),
            "background": Background.in_video(rows, self._background),
        }

    @cached_property
    def _background(self) -> np.ndarray:
        """Unit rows (B, D) of sentences that stand for anything; kept in the cache."""
        key = {"background": list(BACKGROUND), "encoder_fingerprint": self.encoder.fingerprint}
        if self.store and (found := self.store.get(key)):
            return normalise_rows(found[0])
        rows = self.encoder.encode_texts(BACKGROUND).rows
        if self.store:
            # A cache that cannot be written is said where the features are kept.
            with suppress(RdmfError):
                self.store.put(key, rows, {"video": "(background sentences)"})
        return normalise_rows(rows)


def _checked(queries: Sequence[str]) -> list[str]:
    if isinstance(queries, str):
        raise UsageError("one text is given for a list of queries", todo=f"write [{queries!r}]")
    queries = [" ".join(valid_text(query).split()) for query in queries]
    if not all(queries):
        raise UsageError("the query is empty", todo="say in words what to look for")
    return queries


def _within(answer: Answer, start: float | None, end: float | None) -> Answer:
    """The answer with its moments cut to the part that was asked for: clips may reach past it."""
    low, high = start or 0.0, answer.duration if end is None else min(end, answer.duration)
    cut = [
        moment.model_copy(update={"start": max(moment.start, low), "end": min(moment.end, high)})
        for moment in answer.moments
    ]
    kept = [moment for moment in cut if moment.end > moment.start]
    ranked = [m.model_copy(update={"rank": rank}) for rank, m in enumerate(kept, 1)]
    return answer.model_copy(update={"moments": tuple(ranked)})


def _completed(
    answer: Answer, features: VideoFeatures, was_cut: bool, timings: dict[str, float]
) -> Answer:
    """The answer with its warnings and its seconds by stage."""
    warnings = features.warnings + ((CUT_QUERY,) if was_cut else ())
    timings = {**features.timings, **timings}
    return answer.model_copy(update={"warnings": warnings, "timings": timings})


def _space(encoder: Encoder) -> FeatureSpace:
    """What a head is asked to read with this encoder."""
    return FeatureSpace(encoder.name, encoder.size, None, encoder.size, (0, encoder.size))


def _question(text: _Text, known: dict[str, Any]) -> Question:
    return Question(sentence=text.row, words=text.words, **known)


class _Text(NamedTuple):
    row: np.ndarray  # (D,), unit length
    words: np.ndarray  # (T, W), unit rows
    cut: bool  # its end was not read


def _traced(reading: Reading) -> Fields:
    if reading.trace is None:
        raise ValueError("this reading was made without its trace")
    return reading.trace


CUT_QUERY = "the query is longer than the encoder reads; its end was not considered"


def _answer(
    video: str,
    query: str,
    features: VideoFeatures,
    reading: Reading,
    head: str,
    min_score: float,
) -> Answer:
    offset, end = features.offset, max(features.picture_end, features.offset)
    found = zip(reading.spans, reading.scores, reading.raw_scores, strict=True)
    moments = [
        Moment(
            rank=rank,
            start=min(offset + float(span[0]), end),
            end=min(offset + float(span[1]), end),
            score=float(score),
            raw_score=float(raw),
        )
        for rank, (span, score, raw) in enumerate(found, 1)
        if score >= min_score
    ]
    return Answer(
        video=valid_text(video),
        query=valid_text(query),
        duration=features.duration,
        offset=offset,
        clip_length=features.clip_length,
        head=head,
        presence=float(reading.presence),
        moments=tuple(moments),
        saliency=tuple(map(float, reading.saliency)),
        saliency_raw=tuple(map(float, reading.saliency_raw)),
        features=Features(
            encoder=features.encoder,
            decoder=features.decoder,
            clips=len(features.rows),
            cached=features.cached,
            frames_decoded=features.frames_decoded,
            frames_failed=features.frames_failed,
        ),
    )


def query(
    video: VideoPath,
    sentence: str,
    *,
    top_k: int = 5,
    min_score: float = 0.0,
    start: float | None = None,
    end: float | None = None,
    **options: Any,
) -> Answer:
    """The moments of a video that a sentence describes; `options` are those of `Searcher`.

    >>> answer = query("examples/tour.mp4", "the face of a cat", encoder="embedded")
    >>> [(m.start, m.end, m.score) for m in answer.moments]
    """
    (answer,) = Searcher(**options).ask(
        video, [sentence], top_k=top_k, min_score=min_score, start=start, end=end
    )
    return answer


def extract(video: VideoPath, **options: Any) -> VideoFeatures:
    """The features of a video, one row a clip; `options` are those of `Searcher`."""
    return Searcher(**options).extract(video)


def fuse(video: VideoPath, sentence: str, **options: Any) -> Fused:
    """The reaction-diffusion pattern of a sentence in a video; `options` as for `Searcher`."""
    return Searcher(**options).fuse(video, sentence)
