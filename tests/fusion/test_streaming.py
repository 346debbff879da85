"""A stream gives the same bits as the whole video, in constant memory."""

from __future__ import annotations

import gc
import os
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from chains import PULSES, TURING, Case, cases, rates
from hypothesis import given, settings
from hypothesis import strategies as st

from rdmf_cli.errors import RdmfError
from rdmf_cli.fusion import Fields, Rates, Stream, evolve

CHANNELS = 3
DILATIONS = [(1,), (3,), (1, 2, 4)]


def chunks(length: int, sizes: list[int]) -> Iterator[slice]:
    """Cut into chunks of the given sizes; the last size is repeated to the end of the chain."""
    start = 0
    while start < length:
        size = sizes.pop(0) if len(sizes) > 1 else max(sizes[0], 1)
        yield slice(start, start + size)
        start += size


def streamed(case: Case, stream: Stream, sizes: list[int]) -> Fields:
    entering = np.pad(case.edges, [(0, 0), (0, 0), (1, 0)], constant_values=0.3)
    ready = [
        stream.push(
            case.u[..., part], case.v[..., part], u0=case.u0[..., part], r=case.r[..., part],
            mask=case.mask[..., part], edges=entering[..., part],
        )
        for part in chunks(case.v.shape[-1], list(sizes))
    ]  # fmt: skip
    ready.append(stream.close())
    return Fields(*(np.concatenate(parts, -1) for parts in zip(*ready, strict=True)))


def whole(case: Case, rates: Rates, steps: int, dilations: tuple[int, ...]) -> Fields:
    return evolve(
        case.u, case.v, u0=case.u0, r=case.r, rates=rates, steps=steps,
        mask=case.mask, edges=case.edges, dilations=dilations,
    )  # fmt: skip


@pytest.mark.parametrize("dilations", DILATIONS)
@given(
    case=cases(),
    rates=rates(CHANNELS),
    steps=st.integers(0, 6),
    sizes=st.lists(st.integers(0, 25), min_size=1, max_size=8),
)
@settings(max_examples=15, deadline=None)
def test_any_chunks_give_the_bits_of_the_whole(
    dilations: tuple[int, ...], case: Case, rates: Rates, steps: int, sizes: list[int]
) -> None:
    stream = Stream(rates, steps=steps, dilations=dilations)
    got, expected = streamed(case, stream, sizes), whole(case, rates, steps, dilations)
    np.testing.assert_array_equal(got.u, expected.u)
    np.testing.assert_array_equal(got.v, expected.v)


def test_float32_agrees_to_a_millionth() -> None:
    case = Case(2, 1, 500, batch=1)
    for name in ("u", "v", "u0", "r", "edges"):
        setattr(case, name, getattr(case, name).astype(np.float32))
    got = streamed(case, Stream(PULSES, steps=20), [7])
    np.testing.assert_allclose(got.v, whole(case, PULSES, 20, (1,)).v, rtol=1e-6, atol=1e-7)


def test_torch_streams_too() -> None:
    u, v, u0 = torch.rand(3, 2, 50, dtype=torch.float64)
    stream = Stream(TURING, steps=5, dilations=(2,))
    ready = [stream.push(u[:, p], v[:, p], u0=u0[:, p], r=1.0) for p in chunks(50, [9])]
    got = torch.cat([fields.v for fields in [*ready, stream.close()]], -1)
    whole = evolve(u, v, u0=u0, r=1.0, rates=TURING, steps=5, dilations=(2,))
    assert torch.equal(got, whole.v)


@pytest.mark.parametrize("dilations", DILATIONS)
def test_clips_come_out_after_the_stated_delay(dilations: tuple[int, ...]) -> None:
    stream = Stream(TURING, steps=4, dilations=dilations)
    assert stream.delay == 4 * max(dilations)
    one = np.ones((1, 1))
    emitted = 0
    for arrived in range(1, 60):
        emitted += stream.push(one, one, u0=1.0, r=1.0).v.shape[-1]
        assert emitted == max(arrived - stream.delay, 0)
    assert emitted + stream.close().v.shape[-1] == 59


OURS = [tracemalloc.Filter(True, f"*{os.sep}{name}{os.sep}*") for name in ("rdmf_cli", "numpy")]
"""Files of the stream and of numpy: only their allocations are counted."""


def test_memory_does_not_grow_with_the_video() -> None:
    stream = Stream(TURING, steps=8)
    chunk = np.full((4, 64), 0.3)

    def held_after(pushes: int) -> int:
        for _ in range(pushes):
            stream.push(chunk, chunk, u0=1.0, r=1.0)
        gc.collect()  # the free lists of the interpreter do not belong to the stream
        return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(OURS).traces)

    tracemalloc.start()
    try:
        early, late = held_after(20), held_after(150)
    finally:
        tracemalloc.stop()
    assert late < early + 2_000  # the 150 chunks have 307 kB per field


def test_a_large_chunk_is_not_held_on_to() -> None:
    tracemalloc.start()
    try:
        stream = Stream(TURING, steps=2)
        stream.push(*np.ones((2, 4, 50_000)), u0=1.0, r=1.0)
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 100_000  # the chunk has 1.6 MB per field


def test_misuse_is_refused() -> None:
    stream = Stream(TURING, steps=1)
    with pytest.raises(RdmfError, match="no clip was pushed"):
        stream.close()
    stream.push(np.ones((1, 3)), np.ones((1, 3)), u0=1.0, r=1.0)
    stream.close()
    with pytest.raises(RdmfError, match="closed"):
        stream.push(np.ones((1, 3)), np.ones((1, 3)), u0=1.0, r=1.0)
