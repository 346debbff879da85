"""From a video to one row a clip: frames are decoded while others are encoded.

A thread decodes and prepares; the caller's thread encodes batches. Between them stands a queue
of a few batches of prepared frames, so memory does not grow with the length of the video.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rdmf_cli.encoders.base import Encoder
from rdmf_cli.errors import RdmfError
from rdmf_cli.features.fingerprint import content_fingerprint
from rdmf_cli.features.store import FeatureStore
from rdmf_cli.video import ClipGrid
from rdmf_cli.video.formats import is_list
from rdmf_cli.video.info import checked_file

if TYPE_CHECKING:
    from rdmf_cli.video import ClipReader

FRAME_RULE = "last-before-middle/1"  # part of the cache key: another rule makes other features
QUEUED_BATCHES = 3
LEAVE_SECONDS = 2.0

Progress = Callable[[int, int], None]  # clips done, clips in all


@dataclass(frozen=True)
class VideoFeatures:
    """One row a clip, as the encoder gives it, and how it was made.

    rows:           float16 (L, D), not normalised
    offset:         where the first clip starts, seconds
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
) -> VideoFeatures:
    """Features of a video, or of its part from `start` to `end` seconds.

    store: where they are looked for first and kept afterwards; None decodes anew and keeps nothing.
    Raises RdmfError for a file that holds no video or cannot be read.
    """
    path = checked_file(path)
    if store is None or is_list(path):  # of a list, the key would not say what it stands for
        return _make(path, encoder, clip_length, decoder, start, end, progress)
    key = _key(path, encoder, clip_length, decoder, start, end)
    if found := _find(store, key, path):
        return found
    with store.lock(key):
        if found := _find(store, key, path):  # another process made it while this one waited
            return found
        made = _make(path, encoder, clip_length, decoder, start, end, progress)
        return _keep(store, key, made, path)


def _key(
    path: Path,
    encoder: Encoder,
    clip_length: float,
    decoder: str,
    start: float | None,
    end: float | None,
) -> dict[str, Any]:
    return {
        "content": content_fingerprint(path),
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
    )


def _part(
    whole: VideoFeatures, start: float | None, end: float | None, path: Path
) -> VideoFeatures:
    grid = ClipGrid(whole.duration, whole.clip_length).part(start, end, path)
    part = grid.indices
    return replace(whole, rows=whole.rows[part.start : part.stop], offset=grid.span(part.start)[0])


def _keep(
    store: FeatureStore, key: dict[str, Any], made: VideoFeatures, path: Path
) -> VideoFeatures:
    """Put what was made into the store; a store that cannot take it costs a warning only."""
    about = {
        "video": str(path.resolve()),
        "duration": made.duration,
        "clip_length": made.clip_length,
        "offset": made.offset,
        "encoder": made.encoder,
        "decoder": made.decoder,
        "frames_failed": made.frames_failed,
        "warnings": list(made.warnings),
    }
    try:
        store.put(key, made.rows, about)
    except OSError as error:
        said = f"the features could not be kept in {store.folder} ({error.strerror or error})"
        return replace(made, warnings=(*made.warnings, said))
    return made


def _make(
    path: Path,
    encoder: Encoder,
    clip_length: float,
    decoder: str,
    start: float | None,
    end: float | None,
    progress: Progress | None,
) -> VideoFeatures:
    from rdmf_cli.video import open_clips  # a warm answer must not pay for the decoders

    begun = time.perf_counter()
    with open_clips(path, clip_length, decoder=decoder, start=start, end=end) as clips:
        rows = _encode_all(clips, encoder, progress)
        if not np.isfinite(rows).all():
            what = f"the encoder {encoder.name} gave rows that are not numbers"
            raise RdmfError(what, path, "try another encoder")
        return VideoFeatures(
            rows=rows,
            duration=clips.info.duration,
            clip_length=clip_length,
            offset=clips.grid.spans[0][0],
            encoder=encoder.name,
            decoder=clips.decoder,
            frames_decoded=clips.frames_decoded,
            frames_failed=clips.failures.count,
            warnings=_warnings(clips),
            timings={"extract": time.perf_counter() - begun},
        )


def _warnings(clips: ClipReader) -> tuple[str, ...]:
    """What is odd about the file, and what did not decode: known once all clips were read."""
    failures = clips.failures
    said = [*clips.info.warnings, *failures.messages]
    if failures.count:
        said.append(f"{failures.count} of {len(clips.grid)} clips are shown by a frame of another")
    return tuple(said)


def _encode_all(clips: ClipReader, encoder: Encoder, progress: Progress | None) -> np.ndarray:
    """Rows float16 (L, D) of all clips, in order."""
    total, rows = len(clips.grid), []
    with closing(_prepared(clips, encoder)) as prepared:
        for batch in _batches(prepared, encoder.batch):
            rows.append(encoder.encode_images(np.stack(batch)).astype(np.float16))
            if progress:
                progress(sum(map(len, rows)), total)
    return np.concatenate(rows)


def _batches(items: Iterator[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    batch: list[np.ndarray] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


class _Failure:
    def __init__(self, error: BaseException):
        self.error = error


def _prepared(clips: ClipReader, encoder: Encoder) -> Generator[np.ndarray, None, None]:
    """Prepared frames in clip order, made by a thread that stays a few batches ahead."""
    waiting: queue.Queue[Any] = queue.Queue(maxsize=QUEUED_BATCHES * encoder.batch)
    stop = threading.Event()

    def put(item: Any) -> None:
        while not stop.is_set():
            try:
                return waiting.put(item, timeout=0.1)
            except queue.Full:  # look again whether anybody still waits for it
                continue

    def decode() -> None:
        try:
            for _, frame in clips:
                put(encoder.prepare(frame.image))
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:
            put(_Failure(error))

    thread = threading.Thread(target=decode, name="rdmf-decode", daemon=True)
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
