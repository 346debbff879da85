"""`Searcher`: what answers queries on videos, with all that is loaded once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydantic import InstanceOf

from rdmf_cli.api.answers import Asked, answer_of
from rdmf_cli.api.arguments import (
    ClipLength,
    Count,
    Device,
    FilePath,
    Part,
    Share,
    Time,
    checked,
    checked_fields,
    mixtures_of,
    queries_of,
)
from rdmf_cli.channels.background import Background
from rdmf_cli.channels.explaining import WordShare, contrast, without_each, word_shares
from rdmf_cli.channels.query import (
    Backgrounds,
    Term,
    described,
    query_features,
    stored_backgrounds,
)
from rdmf_cli.channels.question import MOST_WORDS, FeatureSpace, Question
from rdmf_cli.channels.speech import Speech, speech_of
from rdmf_cli.channels.texts import text_features
from rdmf_cli.encoders import choose_encoder, load_encoder
from rdmf_cli.encoders.base import Encoder
from rdmf_cli.features import FeatureStore, VideoFeatures, normalise_rows
from rdmf_cli.features import extract as extract_features
from rdmf_cli.features.extraction import ClipProgress, Notify
from rdmf_cli.features.said import SpokenFeatures, spoken_features
from rdmf_cli.heads.base import Head
from rdmf_cli.heads.registry import load_head, load_training_free
from rdmf_cli.moments.reading import Reading
from rdmf_cli.moments.types import Answer

if TYPE_CHECKING:
    from rdmf_cli.api.fused import Fused
    from rdmf_cli.fusion import Fields
    from rdmf_cli.heads.training_free.head import TrainingFree


@checked_fields
@dataclass(eq=False)
class Searcher:
    """Answers queries on videos; its encoder and head are loaded once.

    >>> search = Searcher(clip_length=1.0)
    >>> search.ask("tour.mp4", ["a rocket", "old coins"], start="0:30")  # doctest: +SKIP

    Attributes:
        encoder: "auto", "embedded", or a model of open_clip: "ARCH/PRETRAINED", "hf-hub:NAME",
            a file.
        head: "auto", "learned" or "training-free"; auto takes the learned one where it ships.
        checkpoint: a head of your own: rates, an exported head, or the folder of a trained one.
        clip_length: seconds per clip.
        device: "auto", "cpu", "cuda", "cuda:1", "mps": where open_clip runs.
        decoder: "auto", "pyav", "ffmpeg" or "decord".
        cache: False: features are neither looked up in the cache nor kept there.
        subtitles: where to read what is said, which is searched, too: "auto" (a file of the same
            stem beside the video, else a track inside it), "none", or a subtitle file.
        transcribe: a model of faster-whisper (its folder, or the name of one that was fetched):
            what is said is transcribed where "auto" finds no subtitles. None: it is not.
        progress: is called with the clips done and the clips in all while a video is extracted.
        notify: is called with a line when an extraction that ended early is resumed.
        note: which encoder "auto" took, and how to get better answers; empty where it was named.

    Raises:
        UsageError: an argument is of a wrong type or value, or there is no such encoder or head.
        RdmfError: a model cannot be read, or the head cannot read this encoder's features.
    """

    _: KW_ONLY
    encoder: str = "auto"
    head: str = "auto"
    checkpoint: FilePath | None = None
    clip_length: ClipLength = 2.0
    device: Device = "auto"
    decoder: str = "auto"
    cache: bool = True
    subtitles: str = "auto"
    transcribe: str | None = None
    progress: ClipProgress | None = None
    notify: Notify | None = None

    def __post_init__(self) -> None:
        choice = choose_encoder(self.encoder)
        self.note = choice.line() if self.encoder == "auto" else ""
        self.clip_length = float(self.clip_length)
        self.store = FeatureStore() if self.cache else None
        self.loaded_encoder: Encoder = load_encoder(choice.name, self.device)
        self._checkpoint = None if self.checkpoint is None else Path(self.checkpoint)
        self.loaded_head: Head = load_head(self.head, self._checkpoint, self.store)
        self.loaded_head.require(_space(self.loaded_encoder))

    @cached_property
    def training_free(self) -> TrainingFree:
        """The head that `fuse` shows."""
        return load_training_free(self._checkpoint)

    @checked
    def extract(self, video: FilePath, *, start: Time = None, end: Time = None) -> VideoFeatures:
        """Take the features of a video from the cache, or decode and encode it.

        Args:
            video: the file.
            start: look from here: seconds, "m:ss" or "h:mm:ss"; clips that overlap the part count.
            end: look up to here.

        Returns:
            The rows (L, D), one per clip, and how they were made.

        Raises:
            RdmfError: the file cannot be read or holds no video; a FileNotFoundError, too, where
                there is no file.
        """
        return self._extract(video, Part.of(start, end))

    @checked
    def ask(
        self,
        video: FilePath,
        queries: Sequence[str | Sequence[InstanceOf[Term]]],
        *,
        top_k: Count = 5,
        min_score: Share = 0.0,
        start: Time = None,
        end: Time = None,
    ) -> list[Answer]:
        """Answer each query, in their order.

        Args:
            video: the file.
            queries: what to look for: words, or the parts of a mixture of words and pictures.
            top_k: moments at most, per query.
            min_score: leave out moments with a lower score, 0 to 1.
            start: search from here: seconds, "m:ss" or "h:mm:ss".
            end: search up to here.

        Raises:
            UsageError: a query is empty, or its parts cancel each other.
            RdmfError: as for `extract`.
        """
        mixtures, part = mixtures_of(queries), Part.of(start, end)
        features = self._extract(video, part)
        texts, took = self._texts(mixtures)
        known = self._about(features)
        spoken = self.spoken(Path(video))
        answers = []
        for terms, text in zip(mixtures, texts, strict=True):
            begun = time.perf_counter()
            speech = self._speech(spoken, terms, text, features.span)
            question = _question(text, known, speech)
            reading = self._read(question, top_k)
            timings = {"text": took, "fuse": time.perf_counter() - begun}
            asked = Asked(
                video,
                described(terms),
                *part,
                min_score=min_score,
                was_cut=text.cut,
                speech=speech,
                warnings=spoken.said.warnings,
            )
            answers.append(answer_of(asked, features, reading, self.loaded_head.name, timings))
        return answers

    @checked
    def fuse(self, video: FilePath, query: str, *, start: Time = None, end: Time = None) -> Fused:
        """Run the reaction-diffusion fusion of one query and one video, and keep its trace.

        Args:
            video: the file.
            query: what to look for, in words.
            start: look from here: seconds, "m:ss" or "h:mm:ss".
            end: look up to here.

        Raises:
            UsageError: the query is empty, or the checkpoint is of a learned head.
            RdmfError: as for `extract`.
        """
        from rdmf_cli.api.fused import Fused

        (query,), part = queries_of([query]), Part.of(start, end)
        head = self.training_free
        features = self._extract(video, part)
        (text,), took = self._texts([[Term(query)]])
        question = _question(text, self._about(features))
        reading = head.read(question, trace=True)
        asked = Asked(video, query, *part, was_cut=text.cut)
        return Fused(
            features=features,
            similarity=question.similarity,
            change=question.change,
            r=head.reaction(question.similarity),
            trace=_traced(reading),
            reading=reading,
            answer=answer_of(asked, features, reading, head.name, {"text": took}),
            head=head,
        )

    @checked
    def explain(
        self, video: FilePath, query: str, span: tuple[float, float]
    ) -> tuple[WordShare, ...]:
        """Tell which words of a query make a moment stand out from its video.

        >>> search.explain("tour.mp4", "the face of a cat", (19.0, 32.0))  # doctest: +SKIP

        Each word is left out in turn; its share is what the moment's contrast loses: by how much
        more its clips match the query than all clips do.

        Args:
            video: the file.
            query: what was looked for, in words.
            span: start and end of the moment, in seconds.

        Returns:
            The words, that of the largest share first; none where the query is one word, or where
            the moment does not stand out.

        Raises:
            UsageError: the query is empty.
            RdmfError: as for `extract`.
        """
        (query,) = queries_of([query])
        words = query.split()
        if len(words) < 2:
            return ()
        features = self._extract(video, Part(None, None))
        first, last = (int((time - features.offset) / features.clip_length + 0.5) for time in span)
        first = min(max(first, 0), len(features.rows) - 1)
        clips = slice(first, max(last, first + 1))
        rows = normalise_rows(features.rows)
        texts = self._sentences([query, *without_each(words)])
        whole, *without = (contrast(rows, text.row, clips) for text in texts)
        return word_shares(words, whole, without)

    def saliency(self, features: VideoFeatures, terms: Sequence[Term]) -> tuple[float, ...]:
        """Return the saliency of each clip of a video for a query.

        Args:
            features: the features of the video.
            terms: the query: words, or the parts of a mixture of words and pictures.
        """
        (text,), _ = self._texts([terms])
        reading = self.loaded_head.read(_question(text, self._about(features)), top_k=1)
        return tuple(map(float, reading.saliency))

    def spoken(self, video: Path) -> SpokenFeatures:
        """Read what is said in a video, and encode every line.

        Raises:
            RdmfError: the subtitle file that is named cannot be read.
        """
        return spoken_features(
            video, self.loaded_encoder, self.subtitles, self.store, self.transcribe
        )

    def _read(self, question: Question, top_k: int) -> Reading:
        reading = self.loaded_head.read(question, top_k=top_k, distinct=True)
        if question.speech is None:
            return reading
        from rdmf_cli.heads.speech import with_speech  # loaded where something is said

        return with_speech(reading, question, top_k)

    def _speech(
        self,
        spoken: SpokenFeatures,
        terms: Sequence[Term],
        text: _Text,
        part: tuple[float, float],
    ) -> Speech | None:
        """Match what is said with a query; None for a query with a picture, which has no words."""
        if not _is_plain(terms):
            return None
        return speech_of(spoken, terms[0].text, text.row, self.backgrounds.sentences(), part)

    def _extract(self, video: FilePath, part: Part) -> VideoFeatures:
        return extract_features(
            Path(video),
            self.loaded_encoder,
            clip_length=self.clip_length,
            decoder=self.decoder,
            start=part.start,
            end=part.end,
            store=self.store,
            progress=self.progress,
            notify=self.notify,
        )

    def _texts(self, queries: Sequence[Sequence[Term]]) -> tuple[list[_Text], float]:
        """Encode every query, plain sentences together, and tell the seconds that took."""
        begun = time.perf_counter()
        plain = iter(self._sentences([terms[0].text for terms in queries if _is_plain(terms)]))
        found = [next(plain) if _is_plain(terms) else self._mixed(terms) for terms in queries]
        return found, time.perf_counter() - begun

    def _sentences(self, sentences: list[str]) -> Iterator[_Text]:
        if not sentences:
            return
        texts = text_features(self.loaded_encoder, sentences, self.store)
        words = (normalise_rows(states[:MOST_WORDS]) for states in texts.words)
        yield from map(_Text, normalise_rows(texts.rows), words, texts.cut)

    def _mixed(self, terms: Sequence[Term]) -> _Text:
        query = query_features(terms, self.loaded_encoder, self.backgrounds)
        return _Text(query.sentence, query.words, query.cut, query.background)

    def _about(self, features: VideoFeatures) -> dict[str, Any]:
        """Collect what every question on a video has in common."""
        rows = normalise_rows(features.rows)
        return {
            "rows": rows,
            "matching": slice(0, rows.shape[1]),
            "clip_length": features.clip_length,
            "duration": max(features.picture_end - features.offset, features.clip_length / 2),
            "background": Background.in_video(rows, self.backgrounds.sentences()),
        }

    @cached_property
    def backgrounds(self) -> Backgrounds:
        """What queries are compared with; kept in the cache."""
        return stored_backgrounds(self.loaded_encoder, self.store)


def _space(encoder: Encoder) -> FeatureSpace:
    """Tell what a head is asked to read with this encoder."""
    return FeatureSpace(encoder.name, encoder.size, None, encoder.size, (0, encoder.size))


def _question(text: _Text, known: dict[str, Any], speech: Speech | None = None) -> Question:
    if text.background is not None:
        known = {**known, "background": Background.in_video(known["rows"], text.background)}
    return Question(sentence=text.row, words=text.words, speech=speech, **known)


def _is_plain(terms: Sequence[Term]) -> bool:
    return len(terms) == 1 and terms[0].picture is None and terms[0].weight > 0


class _Text(NamedTuple):
    row: np.ndarray  # (D,), unit length
    words: np.ndarray  # (T, W), unit rows
    cut: bool  # its end was not read
    background: np.ndarray | None = None  # (B, D), unit rows; None: the background sentences


def _traced(reading: Reading) -> Fields:
    if reading.trace is None:
        raise ValueError("this reading was made without its trace")
    return reading.trace
