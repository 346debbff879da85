"""What an extraction has so far: one row per distinct frame, and which frame shows each clip.

It grows batch by batch, can be cut back to any batch, and is kept in the cache in parts that end
where a batch ends: who goes on from there encodes the same batches as an uninterrupted run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

EXACT, FAILED = 1, 2  # the clip is shown by the frame it wants; by a frame of another clip
NO_ANCHOR = -1


class Clip(NamedTuple):
    """How a clip is shown: by the frame at `pts` (ticks); `flags`: EXACT, FAILED."""

    pts: int
    flags: int


class Anchor(NamedTuple):
    """A clip from which reading can begin again, and the proof that its frame is the same.

    clip:   position in the grid, from 0
    digest: sha256 of the prepared frame
    """

    clip: int
    digest: bytes


class Extent(NamedTuple):
    """How many batches, distinct frames and clips there are."""

    batches: int
    frames: int
    clips: int


@dataclass
class Made:
    """Rows of distinct frames by batch, and the clips that they fill.

    rows:    batches of float16 (batch, D), in order
    pts:     (U,) when each distinct frame is shown, ticks
    frames:  (K,) the distinct frame of each clip so far
    flags:   (K,) EXACT and FAILED of each clip
    anchors: for every batch the last clip that it began exactly, if there is one
    messages: what the decoder refused, a sentence each
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
        """Number of clips whose frame is known."""
        return len(self.frames)

    @property
    def failed(self) -> int:
        """Number of clips that are shown by a frame of another."""
        return sum(flags & FAILED != 0 for flags in self.flags)

    def add_clip(self, clip: Clip) -> None:
        """Add a clip, which begins a new distinct frame where its time is a new one."""
        if self.last_pts != clip.pts:
            self.pts.append(clip.pts)
        self.frames.append(len(self.pts) - 1)
        self.flags.append(clip.flags)

    def add_rows(self, rows: np.ndarray, anchor: Anchor | None) -> None:
        """Add the rows of a batch, float16 (batch, D)."""
        self.rows.append(rows)
        self.anchors.append(anchor)

    def expanded(self) -> np.ndarray:
        """Return the rows of all clips, float16 (L, D)."""
        rows = np.concatenate(self.rows)
        return rows if len(rows) == len(self.frames) else rows[np.asarray(self.frames)]

    def last_anchor(self) -> Anchor | None:
        """Return where reading can begin again."""
        return next((anchor for anchor in reversed(self.anchors) if anchor is not None), None)

    def cut(self, batches: int) -> Made:
        """Return what there is up to the end of that many whole batches."""
        frames = batches * self.batch
        clips = self.frames.index(frames - 1) + 1 if frames else 0
        return Made(
            self.batch,
            self.rows[:batches],
            self.pts[:frames],
            self.frames[:clips],
            self.flags[:clips],
            self.anchors[:batches],
            list(self.messages),
        )

    def whole_batches(self) -> int:
        """Number of batches that are full, from the first on."""
        full = [len(rows) == self.batch for rows in self.rows[: len(self.anchors)]]
        return full.index(False) if False in full else len(full)

    def fitting(self, wanted: np.ndarray) -> Made:
        """Return the whole batches that are right for the times that clips want now, ticks (L,).

        A file that grew has other frames for its last clips.
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
        """How far it goes."""
        return Extent(len(self.rows), len(self.pts), len(self.frames))

    @property
    def last_pts(self) -> int | None:
        """The frame of the last clip."""
        return self.pts[-1] if self.pts else None

    def since(self, begin: Extent) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return what came since, as arrays and as what JSON can hold."""
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
        said = {"batch": self.batch, "from": [frames, clips], "messages": self.messages}
        return arrays, said

    @classmethod
    def of(
        cls, parts: Iterable[tuple[Mapping[str, np.ndarray], Mapping[str, Any]]], batch: int
    ) -> Made:
        """Put parts together again, as far as they follow on each other and have this batch.

        Args:
            parts: What `since` returned, in order.
            batch: Frames per batch of the encoder.
        """
        made = cls(batch)
        for arrays, said in parts:
            if said.get("batch") != batch or said.get("from") != [len(made.pts), made.clips]:
                break
            made._append(arrays)
            made.messages = list(said["messages"])
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
    """Return the sha256 of a frame as the encoder gets it."""
    return hashlib.sha256(np.ascontiguousarray(prepared).data).digest()
