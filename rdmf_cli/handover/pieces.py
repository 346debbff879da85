"""Division of overlapping moments into pieces, for formats that do not allow overlaps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rdmf_cli.moments.types import Answer, Moment

Found = tuple[Moment, Answer]


@dataclass(frozen=True)
class Piece:
    """A part of a video during which the same moments apply.

    Attributes:
        start: Start in milliseconds, as a player shows it.
        end: End in milliseconds, after `start`.
        found: The moments that contain the piece, best first; empty between moments.
    """

    start: int
    end: int
    found: tuple[Found, ...]


def moments_of(answers: Iterable[Answer]) -> list[Found]:
    """Return all moments of several answers, sorted by start."""
    found = [(moment, answer) for answer in answers for moment in answer.moments]
    return sorted(found, key=lambda pair: (pair[0].start, pair[0].end))


def pieces(found: Sequence[Found]) -> list[Piece]:
    """Cut moments into pieces that do not overlap; there are no pieces between moments."""
    spans = [(_milliseconds(m.start), _milliseconds(m.end)) for m, _ in found]
    spans = [(start, max(end, start + 1)) for start, end in spans]
    changes: dict[int, tuple[list[int], list[int]]] = {}
    for number, (start, end) in enumerate(spans):
        changes.setdefault(start, ([], []))[0].append(number)
        changes.setdefault(end, ([], []))[1].append(number)
    active: set[int] = set()
    cut: list[Piece] = []
    begun = 0
    for time in sorted(changes):
        if active and time > begun:
            best = sorted(active, key=lambda n: (-found[n][0].score, n))
            cut.append(Piece(begun, time, tuple(found[n] for n in best)))
        starting, ending = changes[time]
        active = (active - set(ending)) | set(starting)
        begun = time
    return cut


def without_gaps(cut: Sequence[Piece], duration: float) -> list[Piece]:
    """Add pieces without moments in the gaps, to cover a video of `duration` seconds."""
    whole: list[Piece] = []
    at = 0
    for piece in cut:
        if piece.start > at:
            whole.append(Piece(at, piece.start, ()))
        whole.append(piece)
        at = piece.end
    if _milliseconds(duration) > at:
        whole.append(Piece(at, _milliseconds(duration), ()))
    return whole


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
