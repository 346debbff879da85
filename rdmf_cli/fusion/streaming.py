"""The fusion of a video that is still arriving: exact, with a known delay, in constant memory.

The steps run as a wavefront. Step s of clip i needs step s - 1 of the clips i and i ± d only, so it
can run as soon as clip i + s d has arrived. Each level keeps the few clips that the next level
needs, and every clip goes through exactly N steps. The result equals the result of `evolve` on the
whole video bit for bit, because the same operations run on the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from rdmf_cli.errors import RdmfError
from rdmf_cli.fusion.arrays import (
    Array,
    boolean,
    cast,
    is_torch,
    like,
    namespace,
    result_dtype,
)
from rdmf_cli.fusion.operators import Chain, checked_dilations
from rdmf_cli.fusion.reaction import Drive, Fields, Rates, StepRates
from rdmf_cli.fusion.steppers import named_stepper, prepared


@dataclass(frozen=True)
class _Clips:
    """Consecutive clips at one level of the wavefront; the last axes are (C, n)."""

    u: Array
    v: Array
    u0: Array
    r: Array
    real: Array  # booleans
    entering: Array  # weight of the edge from the clip before

    def __len__(self) -> int:  # clips, not members
        return int(self.u.shape[-1])

    def arrays(self) -> list[Array]:
        return [getattr(self, field.name) for field in fields(self)]

    def part(self, start: int, stop: int | None) -> _Clips:
        return _Clips(*(x[..., start:stop] for x in self.arrays()))

    def last(self, n: int) -> _Clips:
        """Return a copy of the last n clips, because a view would keep all clips in memory."""
        return self.part(0, 0).then(self.part(max(len(self) - n, 0), None))

    def then(self, later: _Clips) -> _Clips:
        concatenate = namespace(self.u).concatenate
        pairs = zip(self.arrays(), later.arrays(), strict=True)
        return _Clips(*(concatenate(pair, -1) for pair in pairs))


class Stream:
    """Fuse clips as they arrive; the fields come `delay` clips later.

    >>> stream = Stream(rates, steps=16)
    >>> for chunk in chunks:
    ...     u, v = stream.push(chunk.u, chunk.v, u0=1.0, r=chunk.r)   # clips that are ready
    >>> u, v = stream.close()                                          # the last ones

    All results together equal the result of `evolve` on the whole video. The memory is steps times
    2 max(dilations) clips, for a video of any length.

    Args:
        rates: rates per unit of pseudo-time, or per step.
        steps: number of steps N.
        dilations: distances in clips between a clip and the neighbours that it exchanges with.
        stepper: a name in `STEPPERS`.
    """

    def __init__(
        self,
        rates: Rates | StepRates,
        *,
        steps: int,
        dilations: Sequence[int] = (1,),
        stepper: str = "patankar",
    ):
        self._rates = rates
        self._dilations = checked_dilations(dilations)
        self._scheme = named_stepper(stepper)
        self._reach = max(self._dilations)
        self._steps = steps
        self._levels: list[_Clips] = []  # for each step, the clips that it still needs
        self._before: _Clips | None = None
        self._closed = False

    @property
    def delay(self) -> int:
        """Number of later clips that must arrive before the result of a clip is ready."""
        return self._steps * self._reach

    def push(
        self,
        u: Array,
        v: Array,
        *,
        u0: Array,
        r: Array,
        mask: Array | None = None,
        edges: Array | None = None,
    ) -> Fields:
        """Add the next n >= 0 clips.

        Args:
            u: (..., C, n) substrate.
            v: (..., C, n) activator.
            u0: level of the feed; a number, or broadcasts to the fields.
            r: reaction rate; a number, or broadcasts to the fields.
            mask: True at real clips, broadcasts to the fields.
            edges: (..., n) for each clip, the weight of the edge from the clip BEFORE it. The first
                clip of the video has no such edge; its number is ignored.

        Returns:
            The fields of the clips that became ready, (..., C, m).

        Raises:
            RdmfError: the stream is closed.
        """
        if self._closed:
            raise RdmfError("this stream is closed", todo="start a new Stream for another video")
        self._dtype = result_dtype(v)
        return self._result(self._advance(self._arriving(u, v, u0, r, mask, edges)))

    def close(self) -> Fields:
        """Tell the stream that the video has ended.

        Returns:
            The fields of the clips that were held back, (..., C, m).

        Raises:
            RdmfError: nothing was pushed.
        """
        if self._before is None:
            raise RdmfError("no clip was pushed into this stream", todo="push clips first")
        self._closed = True
        return self._result(self._advance(_silence(self._before, self.delay)))

    def _arriving(
        self, u: Array, v: Array, u0: Array, r: Array, mask: Array | None, edges: Array | None
    ) -> _Clips:
        state, drive, self._per_step = prepared(u, v, u0, r, self._rates, mask)
        one = namespace(state.v).ones_like(state.v)
        real = one > 0 if mask is None else boolean(mask, one) & (one > 0)
        return _Clips(*state, *drive, real, one if edges is None else like(edges, one) * one)

    def _advance(self, clips: _Clips) -> _Clips:
        """Move the wavefront forward by len(clips) clips."""
        if self._before is None:  # before the first clip there is nothing, and no flux to it
            self._before = _silence(clips, self._reach)
            self._levels = [self._before] * self._steps
        for level, kept in enumerate(self._levels):
            waiting = kept.then(clips)
            self._levels[level] = waiting.last(2 * self._reach)
            clips = self._stepped(waiting)
        return clips

    def _stepped(self, window: _Clips) -> _Clips:
        """Advance the window's inner clips by one step: the clips that have both neighbours."""
        inner = window.part(self._reach, max(len(window) - self._reach, self._reach))
        if not len(inner):
            return inner
        chain = Chain.of(
            window.u, mask=window.real, edges=window.entering[..., 1:], dilations=self._dilations
        )
        state = Fields(window.u, window.v), Drive(window.u0, window.r)
        u, v = self._scheme.step(*state, self._per_step, chain)
        inside = slice(self._reach, -self._reach)
        return replace(inner, u=u[..., inside], v=v[..., inside])

    def _result(self, clips: _Clips) -> Fields:
        return Fields(cast(clips.u, self._dtype), cast(clips.v, self._dtype))


def _silence(clips: _Clips, n: int) -> _Clips:
    """Return n empty clips that are not part of the video: all values are zero and masked."""
    xp = namespace(clips.u)
    nothing = xp.zeros((*clips.u.shape[:-1], n), **_kind(clips.u))
    return _Clips(nothing, nothing, nothing, nothing, nothing > 0, nothing)


def _kind(x: Array) -> dict[str, Any]:
    return {"dtype": x.dtype, "device": x.device} if is_torch(x) else {"dtype": x.dtype}
