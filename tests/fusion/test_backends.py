"""Every backend equals the plain path, forward and backward, with tiles of any size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fused import SHAPES, compare
from hypothesis import given, settings
from hypothesis import strategies as st

from rdmf_cli.errors import RdmfError
from rdmf_cli.fusion import kernels
from rdmf_cli.fusion.kernels import Group, interleaved, tiled
from rdmf_cli.fusion.module import ReactionDiffusion
from rdmf_cli.fusion.operators import Chain
from rdmf_cli.fusion.reaction import Drive, Fields, StepRates

HERE = Path(__file__).parent


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("cells", [1, 40, 100, 16_384])
@pytest.mark.parametrize("shape", SHAPES)
def test_tiled_is_the_reference(
    shape: tuple[int, ...], cells: int, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_tiles(cells, monkeypatch)
    compare("tiled", *shape, weighted=weighted)


@given(
    B=st.integers(1, 3), C=st.integers(1, 8), L=st.integers(1, 60), dilation=st.integers(1, 9),
    steps=st.integers(1, 5), weighted=st.booleans(), cells=st.integers(1, 400),
    columns=st.integers(1, 4),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_tiled_is_the_reference_for_any_tiling(
    B: int, C: int, L: int, dilation: int, steps: int, weighted: bool, cells: int, columns: int
) -> None:  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interleaved, "COLUMNS", columns)
        use_tiles(cells, patch)
        compare("tiled", B, C, L, dilation, steps, weighted=weighted)


def use_tiles(cells: int, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tiled, "tile_cells", lambda *_: cells)


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Triton is Linux only")


def in_a_process(argument: str, **environment: str) -> list[str]:
    """Return the output of fused.py: Triton decides on import whether it interprets."""
    plain = {name: x for name, x in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, str(HERE / "fused.py"), argument],
        env={**plain, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@linux
def test_the_gpu_kernel_is_the_reference_in_tritons_interpreter() -> None:
    said = in_a_process("interpret", TRITON_INTERPRET="1", CUDA_VISIBLE_DEVICES="")
    assert said == ["equal"] * len(SHAPES)


@linux
def test_the_gpu_kernel_compiles_without_a_gpu(tmp_path: Path) -> None:
    hopper = "90"
    assert in_a_process(hopper, TRITON_CACHE_DIR=str(tmp_path)) == ["compiled"] * 2


def problem(**settings: bool) -> tuple[Fields, Drive, StepRates, list[Group]]:
    u, v, u0, r = torch.rand(4, 1, 2, 20, **settings)
    rates = StepRates(*(torch.full((2, 1), x) for x in (0.4, 0.1, 0.05, 0.1, 1.0)))
    return Fields(u, v), Drive(u0, r), rates, [Group(slice(0, 2), Chain.of(v, dilations=(2,)))]


def test_auto_takes_the_tiles_on_a_cpu_and_works_in_inference_mode() -> None:
    arguments = problem()
    with torch.inference_mode():
        auto = kernels.run("auto", *arguments, 5)
        fast = kernels.run("tiled", *arguments, 5)
    assert torch.equal(auto.v, fast.v)


def test_auto_keeps_the_gradient_of_edge_weights() -> None:
    fields, drive, rates, _ = problem()
    edges = torch.rand(1, 1, 19, requires_grad=True)
    groups = [Group(slice(0, 2), Chain.of(fields.v, edges=edges, dilations=(2,)))]
    kernels.run("auto", fields, drive, rates, groups, 3).v.sum().backward()
    assert edges.grad is not None
    assert edges.grad.abs().sum() > 0


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(RdmfError, match="auto, reference, tiled, triton"):
        kernels.run("cuda", *problem(), 1)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("small", [0, tiled.SMALL])
def test_neither_threads_nor_tiles_change_the_bits(
    threads: int, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fuse, inputs = ReactionDiffusion(64, steps=4), fields(64, 601)
    expected = fuse(**inputs).v
    monkeypatch.setattr(tiled, "SMALL", small)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        assert torch.equal(fuse(**inputs).v, expected)
    finally:
        torch.set_num_threads(before)


def values_and_gradients() -> list[torch.Tensor]:
    torch.manual_seed(0)
    fuse, inputs = ReactionDiffusion(8, steps=4), fields(8, 50)
    after = fuse(**inputs)
    wanted = [*inputs.values(), *fuse.parameters()]
    return [*after, *torch.autograd.grad(after.v.square().sum(), wanted)]


def fields(channels: int, clips: int) -> dict[str, torch.Tensor]:
    """Fields in the memory layout of linear layers: the channels of a clip are adjacent."""
    generator = torch.Generator().manual_seed(clips)
    names = ("u", "v", "u0", "r")
    rows = torch.rand(4, 3, clips, channels, generator=generator).transpose(2, 3)
    return {name: x.requires_grad_() for name, x in zip(names, rows, strict=True)}


def test_the_layout_in_memory_does_not_change_the_bits() -> None:
    fuse, inputs = ReactionDiffusion(8, steps=4, backend="tiled"), fields(8, 50)
    compact = {name: x.contiguous() for name, x in inputs.items()}
    assert torch.equal(fuse(**inputs).v, fuse(**compact).v)


def test_working_memory_serves_inference_and_training_by_turns() -> None:
    """Tensors made in inference mode cannot be used in training, so none may stay in memory."""
    expected = values_and_gradients()
    fuse = ReactionDiffusion(8, steps=4)
    for clips in (50, 3, 75, 50):
        with torch.inference_mode():
            fuse(**fields(8, clips))
        fuse(**fields(8, clips)).v.sum().backward()
    for got, wanted in zip(values_and_gradients(), expected, strict=True):
        assert torch.equal(got, wanted)


def test_working_memory_is_given_back_where_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    values_and_gradients()
    assert tiled._memory.room
    monkeypatch.setattr(tiled, "KEPT_BYTES", 0)
    values_and_gradients()
    assert not tiled._memory.room
    assert not tiled._memory.tiles


def test_a_gradient_of_one_field_alone() -> None:
    """If the loss uses only u, or only v, the gradient of the other field is None, not zeros."""
    for name in ("u", "v"):
        gradients = []
        for backend in ("tiled", "reference"):
            fuse, inputs = ReactionDiffusion(8, steps=4, backend=backend), fields(8, 20)
            score = getattr(fuse(**inputs), name).square().sum()
            wanted = [*inputs.values(), *fuse.parameters()]
            gradients.append(torch.autograd.grad(score, wanted))
        for got, expected in zip(*gradients, strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("lengths", [(20, 20, 20), (20, 7, 1)])
@pytest.mark.parametrize("cells", [24, 16_384])
def test_masked_videos_of_a_batch_are_the_reference(
    lengths: tuple[int, ...], cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_tiles(cells, monkeypatch)
    mask = torch.arange(20) < torch.tensor(lengths)[:, None]
    edges = torch.rand(3, 19, generator=torch.Generator().manual_seed(0))
    after = []
    for backend in ("tiled", "reference"):
        fuse, inputs = ReactionDiffusion(8, steps=6, backend=backend), fields(8, 20)
        fused = fuse(**inputs, mask=mask, edges=edges)
        wanted = [*inputs.values(), *fuse.parameters()]
        after.append([*fused, *torch.autograd.grad(fused.v.square().sum(), wanted)])
    for got, expected in zip(*after, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("steps", [40, 9_000])
def test_many_steps(steps: int) -> None:
    """So many steps that a usual tile has no room for its halo."""
    u, v, u0, r = torch.rand(4, 1, 8, 30, generator=torch.Generator().manual_seed(0))
    after = []
    for backend in ("tiled", "reference"):
        fuse = ReactionDiffusion(8, steps=steps, dilations=(1, 2), backend=backend)
        with torch.no_grad():
            after.append(fuse(u, v, u0=u0, r=r).v)
    torch.testing.assert_close(*after, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 8, 0), (0, 8, 5), (2, 8, 5)])
def test_no_fields_and_no_steps(shape: tuple[int, ...]) -> None:
    u, v, u0, r = torch.rand(4, *shape)
    after = ReactionDiffusion(8, steps=0 if shape[2] and shape[0] else 3)(u, v, u0=u0, r=r)
    assert torch.equal(after.u, u)
    assert torch.equal(after.v, v)


def test_a_second_derivative_is_refused() -> None:
    fuse, inputs = ReactionDiffusion(8, steps=2, backend="tiled"), fields(8, 20)
    score = fuse(**inputs).v.square().sum()
    (slope,) = torch.autograd.grad(score, inputs["v"], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()
