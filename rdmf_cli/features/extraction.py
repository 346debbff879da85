"""From a video to one row a clip: frames are decoded while others are encoded.

A thread decodes and prepares; the caller's thread encodes batches. Between them stands a queue
of a few batches of prepared frames, so memory does not grow with the length of the video. A frame
that fills several clips is encoded once. What was encoded is kept in the cache every few seconds,
and the same command goes on from there.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rdmf_cli.encoders.base import Encoder
from rdmf_cli.errors import RdmfError
from rdmf_cli.features.fingerprint import content_fingerprint
from rdmf_cli.features.made import EXACT, FAILED, Anchor, Clip, Extent, Made, digest_of
from rdmf_cli.features.store import FeatureStore
from rdmf_cli.video import ClipGrid
from rdmf_cli.video.formats import is_list
from rdmf_cli.video.info import checked_file

if TYPE_CHECKING:
    from rdmf_cli.video.clips import ClipReader, Frame

# Part of the cache key: another rule makes other features, or (2) gives them other times.
FRAME_RULE = "last-before-middle/2"
QUEUED_BATCHES = 3
LEAVE_SECONDS = 2.0
KEEP_SECONDS = 20.0  # of work, at most, are lost where an extraction ends early

Progress = Callable[[int, int], None]  # clips done, clips in all
Notify = Callable[[str], None]  # gets a line for people
Frames = Generator[tuple[int, "Frame"], None, None]


@dataclass(frozen=True)
class VideoFeatures:
    """One row a clip, as the encoder gives it, and how it was made.

    rows:           float16 (L, D), not normalised
    duration:       of the file as a player shows it, seconds
    offset:         where the first clip starts, seconds of the player
    begins:         when the first picture is shown, seconds of the player
    pictures:       seconds from the first picture to the end of the last; None: to the file's end
    cached:         nothing was decoded or encoded
    frames_failed:  frames that could not be decoded; their clips hold the frame before
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

    @property
    def picture_end(self) -> float:
        """Until when the last picture is shown, seconds of the player."""
        return self.duration if self.pictures is None else self.begins + self.pictures


def extract(
    path: Path,
    encoder: Encoder,
    *,
    clip_length: float = 2.0,
    decoder: str = "auto",
    start: float | None = None,
    end: float | None = None,
    store: FeatureStore | None = None,
    progress: Progress | None = None,
    notify: Notify | None = None,
) -> VideoFeatures:
    """Features of a video, or of its part from `start` to `end` seconds.

    store:  where they are looked for first and kept afterwards, also those of an extraction that
            ends early; None decodes anew and keeps nothing
    notify: is told in a line when an earlier extraction is gone on with

    Raises RdmfError for a file that holds no video or cannot be read.
    """
    path = checked_file(path)
    wish = _Wish(path, encoder, clip_length, decoder, start, end)
    if store is None or is_list(path):  # of a list, the key would not say what it stands for
        return _make(wish, _Keeper(None, {}, ""), progress, notify)[0]
    key = _key(path, encoder, clip_length, decoder, start, end)
    if found := _find(store, key, path):
        return found
    with store.lock(key):
        if found := _find(store, key, path):  # another process made it while this one waited
            return found
        keeper = _Keeper(store, key, str(path.resolve()))
        features, made = _make(wish, keeper, progress, notify)
        return keeper.finish(features, made)


class _Wish(NamedTuple):
    path: Path
    encoder: Encoder
    clip_length: float
    decoder: str
    start: float | None
    end: float | None


def _key(
    path: Path,
    encoder: Encoder,
    clip_length: float,
    decoder: str,
    start: float | None,
    end: float | None,
) -> dict[str, Any]:
    size = path.stat().st_size
    return {
        "content": content_fingerprint(path, size),
        "bytes": size,
        "clip_length": clip_length,
        "frame_rule": FRAME_RULE,
        "decoder": decoder,
        "encoder": encoder.name,
        "encoder_fingerprint": encoder.fingerprint,
        "start": start,
        "end": end,
    }


def _find(store: FeatureStore, key: dict[str, Any], path: Path) -> VideoFeatures | None:
    """The entry itself, or the part wanted of the entry that holds the whole video."""
    if entry := store.get(key):
        return _cached(*entry)
    if key["start"] is None and key["end"] is None:
        return None
    entry = store.get({**key, "start": None, "end": None})
    return None if entry is None else _part(_cached(*entry), key["start"], key["end"], path)


def _cached(rows: np.ndarray, about: dict[str, Any]) -> VideoFeatures:
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


class _Keeper:
    """Keeps in the cache what an extraction has, and finds what an earlier one left there.

    Without a store it keeps and finds nothing.
    """

    def __init__(self, store: FeatureStore | None, key: dict[str, Any], video: str):
        self._store, self._key, self._video = store, key, video
        self._kept, self._count = Extent(0, 0, 0), 0
        self._when = time.monotonic()
        self._outgrown: dict[str, Any] | None = None

    def begun(self, path: Path, wanted: np.ndarray, batch: int) -> Made:
        """What this file has already, right for the times that its clips want; maybe nothing."""
        if self._store is None:
            return Made(batch)
        made = Made.of(self._store.kept(self._key), batch).fitting(wanted)
        if made.rows:
            return made
        for key in self._store.earlier(self._key, self._video):
            if key["content"] != content_fingerprint(path, key["bytes"]):
                continue
            entry = self._store.load(key)
            parts = [entry] if entry and "pts" in entry[0] else self._store.kept(key)
            made = Made.of(parts, batch)
            made = made.cut(max(0, made.whole_batches() - 1)).fitting(wanted)  # the end was cut
            if made.rows:
                self._outgrown = key
                return made
        return Made(batch)

    def start(self, made: Made) -> None:
        """Keep from here on; what is `made` already is kept at once, as one part."""
        if self._store is None:
            return
        self._kept, self._count = Extent(0, 0, 0), 0
        self.keep(made)
        if self._count or not made.rows:  # else the disk is full: what is kept stays
            self._store.forget_kept(self._key, first=self._count)

    def keep(self, made: Made) -> None:
        """Keep what came since the last part. A cache that cannot take it costs nothing now."""
        self._when = time.monotonic()
        made = made.cut(made.whole_batches())
        if self._store is None or made.extent.batches == self._kept.batches:
            return
        arrays, said = made.since(self._kept)
        with suppress(RdmfError):  # said at the end, where the features cannot be kept either
            self._store.keep(self._key, self._count, arrays, {"video": self._video, **said})
            self._kept, self._count = made.extent, self._count + 1

    def keep_if_due(self, made: Made) -> None:
        """Keep where some seconds of work are not kept yet."""
        if time.monotonic() - self._when >= KEEP_SECONDS:
            self.keep(made)

    def finish(self, features: VideoFeatures, made: Made) -> VideoFeatures:
        """Put all into the cache; a cache that cannot take it costs a warning only."""
        if self._store is None:
            return features
        arrays, said = made.since(Extent(0, 0, 0))
        about = {
            **said,
            "video": self._video,
            "duration": features.duration,
            "clip_length": features.clip_length,
            "offset": features.offset,
            "begins": features.begins,
            "pictures": features.pictures,
            "encoder": features.encoder,
            "decoder": features.decoder,
            "frames_failed": features.frames_failed,
            "warnings": list(features.warnings),
        }
        try:
            self._store.put(self._key, arrays.pop("rows"), about, arrays)
        except RdmfError as error:
            warning = f"the features could not be kept in {self._store.folder} ({error.what})"
            return replace(features, warnings=(*features.warnings, warning))
        self._store.forget_kept(self._key)
        if self._outgrown is not None:
            self._store.remove(self._outgrown)
        return features


def _make(
    wish: _Wish, keeper: _Keeper, progress: Progress | None, notify: Notify | None
) -> tuple[VideoFeatures, Made]:
    from rdmf_cli.video import open_clips  # a warm answer must not pay for the decoders

    begun = time.perf_counter()
    encoder = wish.encoder
    with open_clips(
        wish.path, wish.clip_length, decoder=wish.decoder, start=wish.start, end=wish.end
    ) as clips:
        made, frames = _continued(clips, encoder, keeper, wish.path)
        if made.clips and notify:
            notify(f"{wish.path.name}: {made.clips:,} of {len(clips.grid):,} clips kept")
        with closing(_prepared(frames, encoder, made.last_pts)) as coming:
            _encode_all(made, coming, clips, encoder, keeper, progress)
        if made.failed == len(clips.grid):  # also over what an earlier extraction kept
            raise RdmfError(NOTHING_DECODES, wish.path, "check that it plays elsewhere")
        clock = clips.info.clock
        features = VideoFeatures(
            rows=made.expanded(),
            duration=clips.info.duration if clock.duration is None else clock.duration,
            clip_length=wish.clip_length,
            offset=clock.begins + clips.grid.spans[0][0],
            begins=clock.begins,
            pictures=clips.info.duration,
            encoder=encoder.name,
            decoder=clips.decoder,
            frames_decoded=clips.frames_decoded,
            frames_failed=made.failed,
            warnings=_warnings(clips, made),
            timings={"extract": time.perf_counter() - begun},
        )
        return features, made


NOTHING_DECODES = "none of its clips can be decoded, so there is nothing to answer from"


def _warnings(clips: ClipReader, made: Made) -> tuple[str, ...]:
    """What is odd about the file, and what did not decode: known once all clips were read."""
    said = [*clips.info.warnings, *made.messages]
    if made.failed:
        said.append(f"{made.failed} of {len(clips.grid)} clips are shown by a frame of another")
    return tuple(said)


def _continued(
    clips: ClipReader, encoder: Encoder, keeper: _Keeper, path: Path
) -> tuple[Made, Frames]:
    """What an earlier extraction has, and the frames of the clips that it lacks.

    Reading begins at a clip that is known already. Where its frame is not the same to the last
    bit, what there is stays unused: the file decodes otherwise from there.
    """
    made = keeper.begun(path, clips.wanted, encoder.batch)
    if anchor := made.last_anchor():
        frames = clips.read_from(anchor.clip)
        first = next(frames, None)
        if first and first[1].exact and digest_of(encoder.prepare(first[1].image)) == anchor.digest:
            keeper.start(made)
            return made, _after(frames, made.clips - anchor.clip - 1)
        frames.close()
    made = made.cut(0)
    keeper.start(made)
    return made, clips.read_from(0)


def _after(frames: Frames, passed: int) -> Frames:
    """The frames but for so many at the start; closing it closes them."""
    with closing(frames):
        for number, frame in enumerate(frames):
            if number >= passed:
                yield frame


def _encode_all(
    made: Made,
    coming: Iterator[tuple[Clip, np.ndarray | None]],
    clips: ClipReader,
    encoder: Encoder,
    keeper: _Keeper,
    progress: Progress | None,
) -> None:
    """Add to `made` the clips that come, and the rows of their distinct frames, batch by batch.

    What is encoded when this ends early is kept.
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
    """Prepared frames of a batch; `last`: the last clip that began one exactly, and that frame."""

    frames: list[np.ndarray] = field(default_factory=list)
    last: tuple[int, np.ndarray] | None = None

    def add(self, prepared: np.ndarray, position: int, clip: Clip) -> None:
        self.frames.append(prepared)
        if clip.flags & EXACT:
            self.last = position, prepared

    def encoded(self, encoder: Encoder, path: Path) -> tuple[np.ndarray, Anchor | None]:
        """Rows float16 (N, D), and where reading can begin again."""
        rows = encoder.encode_images(np.stack(self.frames)).astype(np.float16)
        if not np.isfinite(rows).all():
            what = f"the encoder {encoder.name} gave rows that are not numbers"
            raise RdmfError(what, path, "try another encoder")
        return rows, self.last and Anchor(self.last[0], digest_of(self.last[1]))


class _Failure:
    def __init__(self, error: BaseException):
        self.error = error


def _prepared(
    frames: Frames, encoder: Encoder, shown: int | None
) -> Generator[tuple[Clip, np.ndarray | None], None, None]:
    """Every clip, with its prepared frame where that is not the frame of the clip before.

    A thread that stays a few batches ahead decodes and prepares them.

    shown: the frame of the clip before the first, in ticks
    """
    waiting: queue.Queue[Any] = queue.Queue(maxsize=QUEUED_BATCHES * encoder.batch)
    stop = threading.Event()

    def put(item: Any) -> None:
        while not stop.is_set():
            try:
                return waiting.put(item, timeout=0.1)
            except queue.Full:  # look again whether anybody still waits for it
                continue

    def decode(shown: int | None) -> None:
        try:
            with closing(frames):
                for _, frame in frames:
                    pts = frame.time.pts
                    clip = Clip(pts, EXACT * frame.exact | FAILED * frame.failed)
                    put((clip, None if pts == shown else encoder.prepare(frame.image)))
                    shown = pts
                    if stop.is_set():
                        return
            put(None)
        except BaseException as error:
            put(_Failure(error))

    thread = threading.Thread(target=decode, args=(shown,), name="rdmf-decode", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        stop.set()
        # A decoder may be far from its next wanted frame: who interrupts must not wait for it.
        thread.join(LEAVE_SECONDS)
