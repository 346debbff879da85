"""`Searcher`: answer queries on videos; encoder and head are loaded once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydantic import InstanceOf

from rdmf_cli.api.answers import Asked, answer_of
from rdmf_cli.api.arguments import (
    WHOLE,
    ClipLength,
    Count,
    Device,
    FilePath,
    Levels,
    Part,
    Share,
    Time,
    checked,
    checked_fields,
    mixtures_of,
    queries_of,
)
from rdmf_cli.api.records import Answer
from rdmf_cli.channels.background import Background
from rdmf_cli.channels.explaining import WordShare, contrast, without_each, word_shares
from rdmf_cli.channels.memo import VideoMemo
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
from rdmf_cli.features import FeatureStore, Selection, VideoFeatures, normalise_rows
from rdmf_cli.features import extract as extract_features
from rdmf_cli.features.extraction import ClipProgress, Notify
from rdmf_cli.features.said import SpokenFeatures, spoken_features
from rdmf_cli.heads.base import Head
from rdmf_cli.heads.registry import load_head, load_training_free
from rdmf_cli.moments.reading import Reading
from rdmf_cli.video.recording import NameTime, recording_start

if TYPE_CHECKING:
    from rdmf_cli.api.fused import Fused
    from rdmf_cli.fusion import Fields
    from rdmf_cli.heads.training_free.head import TrainingFree


@checked_fields
@dataclass(eq=False)
class Searcher:
    """Answer queries on videos; load the encoder and the head once.

    >>> search = Searcher(clip_length=1.0)
    >>> search.ask("tour.mp4", ["a rocket", "old coins"], start="0:30")  # doctest: +SKIP

    Attributes:
        encoder: "auto", "embedded", or a model of open_clip: "ARCH/PRETRAINED", "hf-hub:NAME",
            a file.
        head: "auto", "learned" or "training-free"; auto takes the learned head if this release
            contains a learned head.
        checkpoint: a head of your own: a file of rates, an exported head, or a trained head's
            folder.
        clip_length: seconds per clip.
        device: "auto", "cpu", "cuda", "cuda:1", "mps": the device of open_clip.
        decoder: "auto", "pyav", "ffmpeg" or "decord".
        sampling: "exact", or "keyframes": each clip has the key frame nearest to its exact frame.
            Much less is decoded; a warning states how far the frames are away.
        still: for a fixed camera: a frame shares the features of the last encoded frame if each
            part differs by at most this number of levels (of 255). 0: every frame is encoded.
        cache: False: features are neither read from the cache nor written to the cache.
        subtitles: where to read what is said, which rdmf also searches: "auto" (a file of the same
            stem beside the video, else a track inside the video), "none", or a subtitle file.
        transcribe: a model of faster-whisper (its folder, or the name of a model that was fetched).
            If "auto" finds no subtitles, the model transcribes what is said. None: no
            transcription.
        name_time: how the names of files tell when a recording began: directives of
            `datetime.strptime`, such as "%Y-%m-%d_%H-%M". If a name does not tell it, the metadata
            of the file does. None: only the metadata.
        progress: a function that is called while a video is extracted, with the clips done and the
            clips in all.
        notify: a function that is called with a line when rdmf resumes an extraction that ended
            early.
        note: which encoder "auto" took, and how to get better answers; empty if an encoder was
            named.

    Raises:
        UsageError: an argument has a wrong type or value, or there is no such encoder or head.
        RdmfError: a model cannot be read, or the head cannot read this encoder's features.
    """

    _: KW_ONLY
    encoder: str = "auto"
    head: str = "auto"
    checkpoint: FilePath | None = None
    clip_length: ClipLength = 2.0
    device: Device = "auto"
    decoder: str = "auto"
    sampling: str = "exact"
    still: Levels = 0.0
    cache: bool = True
    subtitles: str = "auto"
    transcribe: str | None = None
    name_time: str | None = None
    progress: ClipProgress | None = None
    notify: Notify | None = None

    def __post_init__(self) -> None:
        self._by_name = None if self.name_time is None else NameTime(self.name_time)
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
        """The training-free head, which `fuse` shows."""
        return load_training_free(self._checkpoint)

    @checked
    def extract(self, video: FilePath, *, start: Time = None, end: Time = None) -> VideoFeatures:
        """Take the features of a video from the cache, or decode and encode the video.

        Args:
            video: the file.
            start: use the video from this time: seconds, "m:ss" or "h:mm:ss". A clip is used if it
                overlaps the part.
            end: use the video up to this time.

        Returns:
            The features (L, D), one row per clip, and how they were made.

        Raises:
            RdmfError: the file cannot be read or holds no video. If there is no file, the error is
                also a FileNotFoundError.
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
        """Answer each query, in the order of `queries`.

        Args:
            video: the file.
            queries: what to look for: words, or the parts of a mixture of words and pictures.
            top_k: the largest number of moments per query.
            min_score: leave out moments with a lower score, 0 to 1.
            start: search from this time: seconds, "m:ss" or "h:mm:ss".
            end: search up to this time.

        Raises:
            UsageError: a query is empty, or the parts of a query cancel each other.
            RdmfError: the same as in `extract`.
        """
        mixtures, part = mixtures_of(queries), Part.of(start, end)
        features = self._extract(video, part)
        texts, took = self._texts(mixtures)
        known = self._about(features)
        spoken = self.spoken(Path(video))
        recorded = self.recorded(Path(video), features.recorded)
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
                recorded=recorded,
            )
            answers.append(answer_of(asked, features, reading, self.loaded_head.name, timings))
        return answers

    @checked
    def fuse(self, video: FilePath, query: str, *, start: Time = None, end: Time = None) -> Fused:
        """Run the reaction-diffusion fusion of one query and one video, and keep its trace.

        Args:
            video: the file.
            query: what to look for, in words.
            start: use the video from this time: seconds, "m:ss" or "h:mm:ss".
            end: use the video up to this time.

        Raises:
            UsageError: the query is empty, or the checkpoint belongs to a learned head.
            RdmfError: the same as in `extract`.
        """
        from rdmf_cli.api.fused import Fused

        (query,), part = queries_of([query]), Part.of(start, end)
        head = self.training_free
        features = self._extract(video, part)
        (text,), took = self._texts([[Term(query)]])
        question = _question(text, self._about(features))
        reading = head.read(question, trace=True)
        recorded = self.recorded(Path(video), features.recorded)
        asked = Asked(video, query, *part, was_cut=text.cut, recorded=recorded)
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
        """Find which words of a query make a moment stand out from its video.

        >>> search.explain("tour.mp4", "the face of a cat", (19.0, 32.0))  # doctest: +SKIP

        The contrast of a moment is the mean similarity of its clips to the query minus the mean
        similarity of all clips of the video to the query. Each word is left out in turn; the share
        of a word is the share of the contrast that is lost without this word.

        Args:
            video: the file.
            query: what was looked for, in words.
            span: start and end of the moment, in seconds.

        Returns:
            The words, the word with the largest share first. Empty if the query is one word, or if
            the moment does not stand out.

        Raises:
            UsageError: the query is empty.
            RdmfError: the same as in `extract`.
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
            RdmfError: the named subtitle file cannot be read.
        """
        return spoken_features(
            video, self.loaded_encoder, self.subtitles, self.store, self.transcribe
        )

    def recorded(self, video: Path, stated: str | None) -> datetime | None:
        """Return when the recording of a video began; None: unknown.

        Args:
            video: the file.
            stated: `recorded` of its features.
        """
        return recording_start(video, stated, self._by_name)

    def _read(self, question: Question, top_k: int) -> Reading:
        reading = self.loaded_head.read(question, top_k=top_k, distinct=True)
        if question.speech is None:
            return reading
        from rdmf_cli.heads.speech import with_speech  # loaded only if something is said

        return with_speech(reading, question, top_k)

    def _speech(
        self,
        spoken: SpokenFeatures,
        terms: Sequence[Term],
        text: _Text,
        part: tuple[float, float],
    ) -> Speech | None:
        """Match what is said with a query; None if the query has a picture, without words."""
        if not _is_plain(terms):
            return None
        return speech_of(spoken, terms[0].text, text.row, self.backgrounds.sentences(), part)

    def selection(self, part: Part = WHOLE) -> Selection:
        """Return the choice of clips and frames of a part of a video."""
        return Selection(self.clip_length, self.decoder, *part, self.sampling, self.still)

    def _extract(self, video: FilePath, part: Part) -> VideoFeatures:
        return extract_features(
            Path(video),
            self.loaded_encoder,
            self.selection(part),
            store=self.store,
            progress=self.progress,
            notify=self.notify,
        )

    def _texts(self, queries: Sequence[Sequence[Term]]) -> tuple[list[_Text], float]:
        """Encode every query (plain sentences in one batch); measure the seconds of this work."""
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
        """Collect the arguments that all questions on a video share."""
        rows = normalise_rows(features.rows)
        return {
            "rows": rows,
            "matching": slice(0, rows.shape[1]),
            "clip_length": features.clip_length,
            "duration": max(features.picture_end - features.offset, features.clip_length / 2),
            "background": Background.in_video(rows, self.backgrounds.sentences()),
            "memo": VideoMemo(),
        }

    @cached_property
    def backgrounds(self) -> Backgrounds:
        """The sentences that queries are compared with; kept in the cache."""
        return stored_backgrounds(self.loaded_encoder, self.store)


def _space(encoder: Encoder) -> FeatureSpace:
    """Return the feature space that a head must read with this encoder."""
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
    cut: bool  # the encoder left the end of the query unread
    background: np.ndarray | None = None  # (B, D), unit rows; None: the background sentences


def _traced(reading: Reading) -> Fields:
    if reading.trace is None:
        raise ValueError("this reading was made without its trace")
    return reading.trace
