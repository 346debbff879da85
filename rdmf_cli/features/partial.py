"""The features of an unfinished extraction: one row per distinct frame, and the frame of each clip.

The features grow batch by batch and can be cut back to any batch. They are written to the cache in
parts; each part ends at the end of a batch. So a resumed extraction encodes the same batches as an
extraction without interruption.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

EXACT, FAILED = 1, 2  # flags of a clip: it has its own frame; it has a frame of another clip
NO_ANCHOR = -1


class Clip(NamedTuple):
    """The frame of a clip: its presentation time in ticks, and the flags EXACT and FAILED."""

    pts: int
    flags: int


class Anchor(NamedTuple):
    """A clip from which decoding can resume, with a hash to check that its frame is still the same.

    Attributes:
        clip: Position in the grid, from 0.
        digest: SHA-256 of the prepared frame.
    """

    clip: int
    digest: bytes


class Extent(NamedTuple):
    """The number of batches, of distinct frames and of clips."""

    batches: int
    frames: int
    clips: int


@dataclass
class PartialFeatures:
    """The rows of U distinct frames, and the frames of the first K clips.

    Attributes:
        batch: Number of frames per batch of the encoder.
        rows: float16 (batch, D) per batch, in order.
        pts: Presentation time of each distinct frame, (U,), in ticks.
        frames: Number of the distinct frame of each clip, (K,).
        flags: EXACT and FAILED of each clip, (K,).
        anchors: Per batch, the last clip with a new and exact frame, if there is one.
        messages: Messages about what the decoder could not decode, one sentence each.
    """

    batch: int
    rows: list[np.ndarray] = field(default_factory=list)
    pts: list[int] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    anchors: list[Anchor | None] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    @property
    def clips(self) -> int:
        """The number of clips whose frame is known."""
        return len(self.frames)

    @property
    def failed(self) -> int:
        """The number of clips with a frame of another clip."""
        return sum(flags & FAILED != 0 for flags in self.flags)

    def add_clip(self, clip: Clip) -> None:
        """Add a clip, and a distinct frame if its time differs from the last clip's time."""
        if self.last_pts != clip.pts:
            self.pts.append(clip.pts)
        self.frames.append(len(self.pts) - 1)
        self.flags.append(clip.flags)

    def add_rows(self, rows: np.ndarray, anchor: Anchor | None) -> None:
        """Add a batch.

        Args:
            rows: float16 (batch, D).
            anchor: The last clip with a new and exact frame in this batch, if there is one.
        """
        self.rows.append(rows)
        self.anchors.append(anchor)

    def extend(self, later: PartialFeatures) -> None:
        """Add the clips that follow; they begin with a new frame, where a batch begins."""
        frames, clips = len(self.pts), self.clips
        self.rows += later.rows
        self.pts += later.pts
        self.frames += [frames + frame for frame in later.frames]
        self.flags += later.flags
        self.anchors += [
            anchor and Anchor(clips + anchor.clip, anchor.digest) for anchor in later.anchors
        ]

    def expanded(self) -> np.ndarray:
        """Return the rows of all clips, float16 (L, D)."""
        rows: np.ndarray = np.concatenate(self.rows)
        if len(rows) == len(self.frames):
            return rows
        expanded: np.ndarray = rows[np.asarray(self.frames)]
        return expanded

    def last_anchor(self) -> Anchor | None:
        """Return the last clip from which decoding can resume; None if there is none."""
        return next((anchor for anchor in reversed(self.anchors) if anchor is not None), None)

    def cut(self, batches: int) -> PartialFeatures:
        """Return a copy with only the first `batches` batches. These batches must be full."""
        frames = batches * self.batch
        clips = self.frames.index(frames - 1) + 1 if frames else 0
        return PartialFeatures(
            self.batch,
            self.rows[:batches],
            self.pts[:frames],
            self.frames[:clips],
            self.flags[:clips],
            self.anchors[:batches],
            list(self.messages),
        )

    def whole_batches(self) -> int:
        """Return the number of full batches, counted from the first."""
        full = [len(rows) == self.batch for rows in self.rows[: len(self.anchors)]]
        return full.index(False) if False in full else len(full)

    def fitting(self, wanted: np.ndarray) -> PartialFeatures:
        """Return a copy with only those full batches whose frames are still wanted.

        If a file has grown, its last clips have other frames than before.

        Args:
            wanted: Presentation time of the frame that each clip wants now, int64 (L,), in ticks.
        """
        count = min(len(self.frames), len(wanted))
        shown = np.asarray(self.pts, np.int64)[np.asarray(self.frames[:count], np.int64)]
        exact = np.asarray(self.flags[:count], np.uint8) & EXACT != 0
        wrong = np.flatnonzero(exact & (shown != wanted[:count]))
        right = int(wrong[0]) if len(wrong) else count
        if right < len(self.frames):
            batches = self.frames[right] // self.batch
        else:
            batches = self.whole_batches()
        fitting = self.cut(min(batches, self.whole_batches()))
        return fitting if fitting.last_anchor() else self.cut(0)

    @property
    def extent(self) -> Extent:
        """The number of batches, of distinct frames and of clips."""
        return Extent(len(self.rows), len(self.pts), len(self.frames))

    @property
    def last_pts(self) -> int | None:
        """The presentation time of the last clip's frame, in ticks; None if there is no clip."""
        return self.pts[-1] if self.pts else None

    def since(self, begin: Extent) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the arrays, and the values for JSON, that were added after an earlier extent."""
        batches, frames, clips = begin
        anchors = [anchor or Anchor(NO_ANCHOR, bytes(32)) for anchor in self.anchors[batches:]]
        arrays = {
            "rows": np.concatenate(self.rows[batches:]),
            "pts": np.asarray(self.pts[frames:], np.int64),
            "frames": np.asarray(self.frames[clips:], np.int32),
            "flags": np.asarray(self.flags[clips:], np.uint8),
            "anchor_clips": np.asarray([anchor.clip for anchor in anchors], np.int64),
            "anchor_digests": np.frombuffer(
                b"".join(anchor.digest for anchor in anchors), np.uint8
            ).reshape(-1, 32),
        }
        about = {"batch": self.batch, "from": [frames, clips], "messages": self.messages}
        return arrays, about

    @classmethod
    def of(
        cls, parts: Iterable[tuple[Mapping[str, np.ndarray], Mapping[str, Any]]], batch: int
    ) -> PartialFeatures:
        """Join parts; stop if a part has another batch size or does not continue the last part.

        Args:
            parts: Results of `since`, in order.
            batch: Number of frames per batch of the encoder.
        """
        made = cls(batch)
        for arrays, about in parts:
            if about.get("batch") != batch or about.get("from") != [len(made.pts), made.clips]:
                break
            made._append(arrays)
            made.messages = list(about["messages"])
        return made

    def _append(self, arrays: Mapping[str, np.ndarray]) -> None:
        rows, digests = arrays["rows"], arrays["anchor_digests"]
        self.rows += [rows[i : i + self.batch] for i in range(0, len(rows), self.batch)]
        self.pts += arrays["pts"].tolist()
        self.frames += arrays["frames"].tolist()
        self.flags += arrays["flags"].tolist()
        self.anchors += [
            None if clip == NO_ANCHOR else Anchor(clip, digest.tobytes())
            for clip, digest in zip(arrays["anchor_clips"].tolist(), digests, strict=True)
        ]


def digest_of(prepared: np.ndarray) -> bytes:
    """Return the SHA-256 of a frame that was prepared for the encoder, an array of any shape."""
    return hashlib.sha256(np.ascontiguousarray(prepared).data).digest()
