"""Extraction of features from a video, one row per clip: decoding and encoding run in parallel.

One thread decodes frames and prepares them for the encoder; the caller's thread encodes batches.
The queue between the two threads holds a few batches, so memory does not grow with the length of
the video. A frame that stands for several clips is encoded once. Every few seconds the finished
batches are written to the cache. After an interruption the same command continues after the last
batch in the cache.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from rdmf_cli.encoders.base import Encoder
from rdmf_cli.errors import RdmfError
from rdmf_cli.features.fingerprint import content_fingerprint
from rdmf_cli.features.partial import (
    EXACT,
    FAILED,
    Anchor,
    Clip,
    Extent,
    PartialFeatures,
    digest_of,
)
from rdmf_cli.features.sections import Section, SectionFeatures, joined_parts, sections_of
from rdmf_cli.features.still import StillFrames
from rdmf_cli.features.store import FeatureStore
from rdmf_cli.files import unreadable
from rdmf_cli.video import ClipGrid
from rdmf_cli.video.formats import is_list
from rdmf_cli.video.info import checked_file
from rdmf_cli.video.samplings import EXACT as EXACT_FRAMES

if TYPE_CHECKING:
    from rdmf_cli.video.clips import ClipReader, Frame
    from rdmf_cli.video.decoders.base import Scan

# Part of the cache key. Raise the number if a change of the rule changes features or times.
FRAME_RULE = "last-before-middle/2"
QUEUED_BATCHES = 3
LEAVE_SECONDS = 2.0
KEEP_SECONDS = 20.0  # an interruption loses at most the work of this time

ClipProgress = Callable[[int, int], None]  # arguments: number of clips done, number of all clips
Notify = Callable[[str], None]  # argument: a line of text for the user
Frames = Generator[tuple[int, "Frame"], None, None]


@dataclass(frozen=True)
class VideoFeatures:
    """The features of a video or of a part of a video, and facts about their extraction.

    All times are seconds, as a player shows time.

    Attributes:
        rows: Features as the encoder returns them, one row per clip: float16 (L, D), not
            normalised.
        duration: Length of the whole file.
        clip_length: Length of a clip.
        offset: Start of the first clip.
        encoder: Name of the encoder.
        decoder: Name of the decoder.
        cached: Whether the features come from the cache, so that nothing was decoded or encoded.
        frames_decoded: Number of frames that were decoded for these features.
        frames_failed: Number of clips whose frame could not be decoded; each of these clips uses a
            neighbouring frame.
        warnings: Unusual facts about the file, one sentence each.
        timings: Seconds spent on each part of the work, by name.
        begins: The time at which the first picture is shown.
        pictures: Seconds from the start of the first picture to the end of the last picture; None:
            to the end of the file.
        recorded: When the recording began, by the file's metadata, in ISO 8601; "": unknown. None:
            an earlier release of rdmf extracted the features and did not look.
    """

    rows: np.ndarray
    duration: float
    clip_length: float
    offset: float
    encoder: str
    decoder: str
    cached: bool = False
    frames_decoded: int = 0
    frames_failed: int = 0
    warnings: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)
    begins: float = 0.0
    pictures: float | None = None
    recorded: str | None = None

    @property
    def span(self) -> tuple[float, float]:
        """Start of the first clip and end of the last clip, in seconds, as a player shows time."""
        return self.offset, self.offset + len(self.rows) * self.clip_length

    @property
    def picture_end(self) -> float:
        """The time at which the last picture ends, in seconds as a player shows it."""
        return self.duration if self.pictures is None else self.begins + self.pictures


class Selection(NamedTuple):
    """The clips of a video to encode, and the decoder that reads them.

    Attributes:
        clip_length: Length of a clip in seconds.
        decoder: A key of `DECODERS`, or "auto".
        start: Start of the part, in seconds, as a player shows time; None: from the beginning.
        end: End of the part, in seconds, as a player shows time; None: to the end.
        sampling: A key of `SAMPLINGS`: which frame a clip has.
        still: A frame that differs from the last encoded frame by at most this number of levels is
            not encoded; see `still.StillFrames`. 0: every frame is encoded.
    """

    clip_length: float = 2.0
    decoder: str = "auto"
    start: float | None = None
    end: float | None = None
    sampling: str = EXACT_FRAMES
    still: float = 0.0


ALL_CLIPS: Final = Selection()


def extract(
    path: Path,
    encoder: Encoder,
    clips: Selection = ALL_CLIPS,
    *,
    store: FeatureStore | None = None,
    progress: ClipProgress | None = None,
    notify: Notify | None = None,
) -> VideoFeatures:
    """Extract the features of a video or of a part of a video, or take them from the cache.

    Args:
        path: The video file.
        encoder: The encoder for the frames.
        clips: The clips to encode.
        store: The cache, in which the function looks first and in which it writes the features,
            also unfinished features. None: no cache.
        progress: A function that is called with the number of clips done and the number of all
            clips.
        notify: A function that is called with a line of text when an interrupted extraction is
            resumed.

    Raises:
        RdmfError: The file cannot be read, holds no video, or none of its frames can be decoded.
        UsageError: The clip length or the part is impossible, or there is no such decoder.
    """
    path = checked_file(path)
    request = _Request(path, encoder, clips)
    if store is None or is_list(path):  # a list's hash does not cover its files
        return _make(request, _Keeper(None, {}, ""), progress, notify)[0]
    key = feature_key(path, encoder, clips)
    if found := _find(store, key, path):
        return found
    with store.lock(key):
        if found := _find(store, key, path):  # made by another process meanwhile
            return found
        keeper = _Keeper(store, key, str(path.resolve()))
        features, made = _make(request, keeper, progress, notify)
        return keeper.finish(features, made)


class _Request(NamedTuple):
    path: Path
    encoder: Encoder
    selection: Selection


def stored_features(store: FeatureStore, key: dict[str, Any]) -> VideoFeatures | None:
    """Return the features that a store keeps under a key; None if the store has none."""
    entry = store.get(key)
    return None if entry is None else _as_cached(*entry)


def feature_key(path: Path, encoder: Encoder, clips: Selection) -> dict[str, Any]:
    """Return the key under which `extract` keeps the features of a video in a store.

    Raises:
        RdmfError: The file cannot be read.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise unreadable(path, error) from error
    key = {
        "content": content_fingerprint(path, size),
        "bytes": size,
        "clip_length": clips.clip_length,
        "frame_rule": FRAME_RULE,
        "decoder": clips.decoder,
        "encoder": encoder.name,
        "encoder_fingerprint": encoder.fingerprint,
        "start": clips.start,
        "end": clips.end,
    }
    if clips.sampling != EXACT_FRAMES:  # a key without these parts stays as it was
        key["sampling"] = clips.sampling
    if clips.still:
        key["still"] = clips.still
    return key


def _find(store: FeatureStore, key: dict[str, Any], path: Path) -> VideoFeatures | None:
    """Return the cached features of the key, or a part of the whole video's cached features."""
    if entry := store.get(key):
        return _as_cached(*entry)
    if key["start"] is None and key["end"] is None:
        return None
    entry = store.get({**key, "start": None, "end": None})
    return None if entry is None else _part(_as_cached(*entry), key["start"], key["end"], path)


def _as_cached(rows: np.ndarray, about: dict[str, Any]) -> VideoFeatures:
    return VideoFeatures(
        rows=rows,
        duration=about["duration"],
        clip_length=about["clip_length"],
        offset=about["offset"],
        encoder=about["encoder"],
        decoder=about["decoder"],
        cached=True,
        frames_failed=about["frames_failed"],
        warnings=tuple(about["warnings"]),
        begins=about["begins"],
        pictures=about["pictures"],
        recorded=about.get("recorded"),
    )


def _part(
    whole: VideoFeatures, start: float | None, end: float | None, path: Path
) -> VideoFeatures:
    length = whole.duration if whole.pictures is None else whole.pictures
    grid = ClipGrid(length, whole.clip_length)
    grid = grid.part(start, end, path, whole.begins)
    part = grid.indices
    offset = whole.begins + grid.span(part.start)[0]
    return replace(whole, rows=whole.rows[part.start : part.stop], offset=offset)


NOT_CACHED = "the features could not be cached in"
"""The beginning of the warning about features that could not be written to the cache."""


class _Keeper:
    """Writes unfinished features to the cache, and finds the features of an interrupted extraction.

    Without a store the keeper writes and finds nothing.
    """

    def __init__(self, store: FeatureStore | None, key: dict[str, Any], video: str):
        self._store, self._key, self._video = store, key, video
        self._kept, self._count = Extent(0, 0, 0), 0
        self._when = time.monotonic()
        self._outgrown: dict[str, Any] | None = None

    def begun(self, path: Path, wanted: np.ndarray, batch: int) -> PartialFeatures:
        """Find features that an interrupted extraction left, of frames at the wanted times.

        If the file has grown, features of an earlier state of the file are found, too. If nothing
        is found, the result has no features.

        Args:
            path: The video file.
            wanted: Time at which the frame of each clip is shown, int64 (L,), in ticks.
            batch: Number of frames per batch of the encoder.
        """
        if self._store is None:
            return PartialFeatures(batch)
        made = PartialFeatures.of(self._store.parts(self._key), batch).fitting(wanted)
        if made.rows:
            return made
        for key in self._store.earlier(self._key, self._video):
            if key["content"] != content_fingerprint(path, key["bytes"]):
                continue
            entry = self._store.load(key)
            parts = [entry] if entry and "pts" in entry[0] else self._store.parts(key)
            made = PartialFeatures.of(parts, batch)
            # The last batch is left out: the file ended there, maybe in the middle of a picture.
            made = made.cut(max(0, made.whole_batches() - 1)).fitting(wanted)
            if made.rows:
                self._outgrown = key
                return made
        return PartialFeatures(batch)

    def start(self, made: PartialFeatures) -> None:
        """Begin to write; features that were already `made` are written at once, as one part."""
        if self._store is None:
            return
        self._kept, self._count = Extent(0, 0, 0), 0
        self.keep(made)
        if self._count or not made.rows:  # else the disk is full; the earlier parts stay
            self._store.remove_parts(self._key, first=self._count)

    def keep(self, made: PartialFeatures) -> None:
        """Write the batches made since the last part; if this fails, continue without writing."""
        self._when = time.monotonic()
        made = made.cut(made.whole_batches())
        if self._store is None or made.extent.batches == self._kept.batches:
            return
        arrays, about = made.since(self._kept)
        with suppress(RdmfError):  # `finish` will fail, too, and will warn
            self._store.put_part(self._key, self._count, arrays, {"video": self._video, **about})
            self._kept, self._count = made.extent, self._count + 1

    def keep_if_due(self, made: PartialFeatures) -> None:
        """Write a part if the last part is older than KEEP_SECONDS."""
        if time.monotonic() - self._when >= KEEP_SECONDS:
            self.keep(made)

    def finish(self, features: VideoFeatures, made: PartialFeatures) -> VideoFeatures:
        """Write the finished entry to the cache; if this fails, add a warning to the features."""
        if self._store is None:
            return features
        arrays, facts = made.since(Extent(0, 0, 0))
        about = {
            **facts,
            "video": self._video,
            "duration": features.duration,
            "clip_length": features.clip_length,
            "offset": features.offset,
            "begins": features.begins,
            "pictures": features.pictures,
            "recorded": features.recorded,
            "encoder": features.encoder,
            "decoder": features.decoder,
            "frames_failed": features.frames_failed,
            "warnings": list(features.warnings),
        }
        try:
            self._store.put(self._key, arrays.pop("rows"), about, arrays)
        except RdmfError as error:
            warning = f"{NOT_CACHED} {self._store.folder} ({error.what})"
            return replace(features, warnings=(*features.warnings, warning))
        self._store.remove_parts(self._key)
        if self._outgrown is not None and not self._store.keeps_all:
            self._store.remove(self._outgrown)
        return features


def _make(
    request: _Request, keeper: _Keeper, progress: ClipProgress | None, notify: Notify | None
) -> tuple[VideoFeatures, PartialFeatures]:
    from rdmf_cli.video import open_clips  # imported here: a cached answer needs no decoder

    begun = time.perf_counter()
    path, encoder = request.path, request.encoder
    clip_length, decoder, start, end, sampling, bound = request.selection
    still = StillFrames(bound)
    with open_clips(path, clip_length, decoder, start, end, sampling) as clips:
        _refuse_too_many(len(clips.grid), request)
        made, frames = _resumed(clips, encoder, keeper, path, still)
        if made.clips and notify:
            total = len(clips.grid)
            notify(f"{path.name}: resuming, {made.clips:,} of {total:,} clips are in the cache")
        with closing(_prepared(frames, encoder, made.last_pts, still)) as coming:
            _encode_all(made, coming, clips, encoder, keeper, progress)
        if made.failed == len(clips.grid):  # clips from the cache count, too
            raise RdmfError(NOTHING_DECODES, path, "check that it plays elsewhere")
        features = replace(
            _facts(clips, made, request),
            rows=made.expanded(),
            timings={"extract": time.perf_counter() - begun},
        )
        return features, made


def _iso(time: datetime | None) -> str:
    return "" if time is None else time.isoformat()


def _facts(clips: ClipReader, made: PartialFeatures, request: _Request) -> VideoFeatures:
    """Return all facts about an extraction, without rows."""
    clock = clips.info.clock
    return VideoFeatures(
        rows=np.zeros((0, request.encoder.size), np.float16),
        duration=clips.info.duration if clock.duration is None else clock.duration,
        clip_length=request.selection.clip_length,
        offset=clock.begins + clips.grid.spans[0][0],
        begins=clock.begins,
        pictures=clips.info.duration,
        recorded=_iso(clips.info.recorded),
        encoder=request.encoder.name,
        decoder=clips.decoder,
        frames_decoded=clips.frames_decoded,
        frames_failed=made.failed,
        warnings=_warnings(clips, made),
    )


def plan_sections(
    path: Path, encoder: Encoder, clips: Selection, length: int
) -> tuple[Scan, list[Section]]:
    """Scan a video and divide it into sections that can be extracted one by one.

    Args:
        path: The video file.
        encoder: The encoder for the frames.
        clips: The clips to encode.
        length: Least number of clips of a section; all sections but the last are hardly longer.
            With `clips.still`, as many as the video has: only a single section can be extracted.

    Raises:
        RdmfError: As `extract`.
    """
    from rdmf_cli.video import open_clips

    with open_clips(path, *clips[:5]) as reader:
        _refuse_too_many(len(reader.grid), _Request(path, encoder, clips))
        return reader.scanned, sections_of(reader.wanted, encoder.batch, length)


def extract_section(
    scanned: Scan, encoder: Encoder, clips: Selection, section: Section
) -> SectionFeatures:
    """Extract the features of a section; nothing is read from a cache or written to it.

    Args:
        scanned: The scanned video, from `plan_sections`.
        encoder: The encoder for the frames.
        clips: The same as for `plan_sections`, without `start` and `end`.
        section: One of the planned sections.

    Raises:
        RdmfError: The video cannot be read.
    """
    from rdmf_cli.video.clips import ClipReader

    grid = ClipGrid(scanned.info.duration, float(clips.clip_length))
    reader = ClipReader(scanned, grid, clips.decoder, clips.sampling)
    made, before = PartialFeatures(encoder.batch), None
    frames = reader.read_from(section.begin, section.stop)
    if section.begin < section.first:
        before = next((digest_of(encoder.prepare(f.image)) for _, f in frames), None)
        frames = _after(frames, section.first - section.begin - 1)
    with closing(_prepared(frames, encoder, None, StillFrames(clips.still))) as coming:
        _encode_all(made, coming, reader, encoder, _Keeper(None, {}, ""), None)
    request = _Request(scanned.info.path, encoder, clips)
    return SectionFeatures(section, _facts(reader, made, request), made, before)


def join_sections(read: Sequence[SectionFeatures], path: Path) -> SectionFeatures | None:
    """Join all sections of a video into one: equal to the last bit to those of `extract`.

    Returns:
        The features of the whole video. None: the sections do not fit together, because a frame
        could not be decoded, or is decoded differently from another start.

    Raises:
        RdmfError: A single section was read, and none of its clips could be decoded.
    """
    first = read[0]
    if len(read) == 1:
        made = first.made
        if made.failed == made.clips:
            raise RdmfError(NOTHING_DECODES, path, "check that it plays elsewhere")
    elif (joined := joined_parts(read)) is None:
        return None
    else:
        made = joined
    decoded = sum(section.features.frames_decoded for section in read)
    features = replace(first.features, rows=made.expanded(), frames_decoded=decoded)
    return SectionFeatures(Section(0, made.clips, 0), features, made, None)


def store_section(
    store: FeatureStore, key: dict[str, Any], path: Path, whole: SectionFeatures
) -> VideoFeatures:
    """Write the joined sections of a video to a store, as `extract` does.

    If they cannot be written, the features have a warning.
    """
    return _Keeper(store, key, str(path.resolve())).finish(whole.features, whole.made)


NOTHING_DECODES = "none of its clips can be decoded"
# Up to these limits, a question on all clips takes less than 1.2 GB of memory (measured with the
# embedded encoder). The limits are needed because a file of a few frames can claim to last for
# weeks.
MOST_CLIPS = 100_000  # 55 hours of clips of 2 s
MOST_VALUES = 40_000_000  # clips x columns of the encoder


def _refuse_too_many(clips: int, request: _Request) -> None:
    """Raise RdmfError if a video, or the searched part, has too many clips for the memory."""
    most = min(MOST_CLIPS, MOST_VALUES // request.encoder.size)
    if clips <= most:
        return
    longer = math.ceil(request.selection.clip_length * clips / most)
    raise RdmfError(
        f"it has {clips:,} clips of {request.selection.clip_length:g} s, more than {most:,}",
        request.path,
        f"use --clip-length {longer}, or ask about a part with --start and --end",
    )


def _warnings(clips: ClipReader, made: PartialFeatures) -> tuple[str, ...]:
    """Return warnings about unusual facts and failed frames; call the function after all clips."""
    warnings = [*clips.info.warnings, *made.messages]
    if made.failed:
        warnings.append(
            f"{made.failed} of {len(clips.grid)} clips could not be decoded; "
            "a neighbouring frame is used"
        )
    if clips.sampling != EXACT_FRAMES:
        away = clips.errors
        warnings.append(
            f"sampling {clips.sampling}: the frames are on average {away.mean():.2f} s and at most "
            f"{away.max():.2f} s away from the exact ones"
        )
    return tuple(warnings)


def _resumed(
    clips: ClipReader, encoder: Encoder, keeper: _Keeper, path: Path, still: StillFrames
) -> tuple[PartialFeatures, Frames]:
    """Return the features of an interrupted extraction, and the frames of the missing clips.

    Decoding begins at a clip that was encoded before. The frame of this clip must have the same
    bits as before. Otherwise the file is now decoded differently, and the extraction starts from
    the beginning.
    """
    made = keeper.begun(path, clips.wanted, encoder.batch)
    if anchor := made.last_anchor():
        frames = clips.read_from(anchor.clip)
        first = next(frames, None)
        if first and first[1].exact and digest_of(encoder.prepare(first[1].image)) == anchor.digest:
            keeper.start(made)
            still.is_still(first[1].image)  # the next frames are compared with this one
            return made, _after(frames, made.clips - anchor.clip - 1)
        frames.close()
    made = made.cut(0)
    keeper.start(made)
    return made, clips.read_from(0)


def _after(frames: Frames, passed: int) -> Frames:
    """Skip the first `passed` frames. If this generator is closed, it closes `frames`."""
    with closing(frames):
        for number, frame in enumerate(frames):
            if number >= passed:
                yield frame


def _encode_all(
    made: PartialFeatures,
    coming: Iterator[tuple[Clip, np.ndarray | None]],
    clips: ClipReader,
    encoder: Encoder,
    keeper: _Keeper,
    progress: ClipProgress | None,
) -> None:
    """Add the next clips, and the rows of their distinct frames, to `made`, batch by batch.

    After an interruption, the finished batches are written to the cache.
    """
    earlier = list(made.messages)
    waiting = _Waiting()
    try:
        for clip, prepared in coming:
            made.add_clip(clip)
            if prepared is not None:
                waiting.add(prepared, made.clips - 1, clip)
            if len(waiting.frames) == encoder.batch:
                made.add_rows(*waiting.encoded(encoder, clips.info.path))
                waiting = _Waiting()
                made.messages = list(dict.fromkeys([*earlier, *clips.failures.messages]))
                keeper.keep_if_due(made)
                if progress:
                    progress(made.clips, len(clips.grid))
        if waiting.frames:
            made.add_rows(*waiting.encoded(encoder, clips.info.path))
    except BaseException:
        keeper.keep(made)
        raise
    made.messages = list(dict.fromkeys([*earlier, *clips.failures.messages]))
    if progress:
        progress(made.clips, len(clips.grid))


@dataclass
class _Waiting:
    """The prepared frames of the next batch.

    `last` is the last clip with a new and exact frame: the position of the clip, and the frame.
    """

    frames: list[np.ndarray] = field(default_factory=list)
    last: tuple[int, np.ndarray] | None = None

    def add(self, prepared: np.ndarray, position: int, clip: Clip) -> None:
        self.frames.append(prepared)
        if clip.flags & EXACT:
            self.last = position, prepared

    def encoded(self, encoder: Encoder, path: Path) -> tuple[np.ndarray, Anchor | None]:
        """Encode the batch. Return rows, float16 (N, D), and the clip where decoding can resume."""
        rows = encoder.encode_images(np.stack(self.frames)).astype(np.float16)
        if not np.isfinite(rows).all():
            what = f"the encoder {encoder.name} returned NaN or infinity"
            raise RdmfError(what, path, "try another encoder")
        return rows, self.last and Anchor(self.last[0], digest_of(self.last[1]))


class _Failure:
    def __init__(self, error: BaseException):
        self.error = error


def _prepared(
    frames: Frames, encoder: Encoder, encoded: int | None, still: StillFrames
) -> Generator[tuple[Clip, np.ndarray | None], None, None]:
    """Yield every clip, with its prepared frame if this frame must be encoded.

    A clip with the frame of the previous clip, or with a still frame, has the last encoded frame.

    A thread decodes and prepares the frames. It is a few batches ahead of the caller.

    Args:
        frames: The clips to decode.
        encoder: The encoder, which prepares frames.
        encoded: Time of the last encoded frame, in ticks; None: no frame was encoded.
        still: Compares frames with the last encoded one.
    """
    waiting: queue.Queue[Any] = queue.Queue(maxsize=QUEUED_BATCHES * encoder.batch)
    stop = threading.Event()

    def put(item: Any) -> None:
        while not stop.is_set():
            try:
                return waiting.put(item, timeout=0.1)
            except queue.Full:  # check `stop` again
                continue

    def decode(encoded: int | None) -> None:
        shown = encoded
        try:
            with closing(frames):
                for _, frame in frames:
                    pts = frame.time.pts
                    new = pts != shown and not still.is_still(frame.image)
                    shown = pts
                    if new:
                        encoded = pts
                    own = EXACT * (frame.exact and encoded == pts)
                    clip = Clip(pts if encoded is None else encoded, own | FAILED * frame.failed)
                    put((clip, encoder.prepare(frame.image) if new else None))
                    if stop.is_set():
                        return
            put(None)
        except BaseException as error:
            put(_Failure(error))

    thread = threading.Thread(target=decode, args=(encoded,), name="rdmf-decode", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        stop.set()
        # The decoder may be far from its next wanted frame; an interrupt must not wait for this
        # frame.
        thread.join(LEAVE_SECONDS)
