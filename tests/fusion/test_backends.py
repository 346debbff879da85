"""Every backend is the plain path, forward and backward, over tiles of any size."""

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
from rdmf_cli.fusion.operators import Chain
from rdmf_cli.fusion.reaction import Drive, Fields, StepRates

HERE = Path(__file__).parent


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("cells", "clips"), [(40, 6), (100, 11), (32_768, 4_096)])
@pytest.mark.parametrize("shape", SHAPES)
def test_tiled_is_the_reference(
    shape: tuple[int, ...], cells: int, clips: int, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiled, "CELLS", cells)
    monkeypatch.setattr(tiled, "CELLS_BACK", cells)
    monkeypatch.setattr(tiled, "CLIPS", clips)
    compare("tiled", *shape, weighted=weighted)
    monkeypatch.setattr(interleaved, "CELLS", 0)  # group by group, as for large fields
    compare("tiled", *shape, weighted=weighted)


@given(
    B=st.integers(1, 3), C=st.integers(1, 4), L=st.integers(1, 60), dilation=st.integers(1, 4),
    steps=st.integers(1, 5), weighted=st.booleans(), cells=st.integers(1, 200),
    clips=st.integers(1, 30),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_tiled_is_the_reference_for_any_tiling(
    B: int, C: int, L: int, dilation: int, steps: int, weighted: bool, cells: int, clips: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interleaved, "CELLS", 0)
        patch.setattr(tiled, "CELLS", cells)
        patch.setattr(tiled, "CELLS_BACK", cells)
        patch.setattr(tiled, "CLIPS", clips)
        compare("tiled", B, C, L, dilation, steps, weighted=weighted)


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Triton is Linux only")


def in_a_process(argument: str, **environment: str) -> list[str]:
    """What fused.py prints: Triton decides on its import whether it interprets."""
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


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads_do_not_change_the_bits(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled, "CELLS", 64)
    monkeypatch.setattr(tiled, "CLIPS", 16)
    torch.manual_seed(0)
    arguments = problem()
    expected = kernels.run("tiled", *arguments, 4)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert torch.equal(kernels.run("tiled", *arguments, 4).v, expected.v)
