"""Compare a backend with the plain path; as a script, run the Triton kernel in its interpreter."""

from __future__ import annotations

import sys

import torch

from rdmf_cli.fusion import kernels
from rdmf_cli.fusion.operators import Chain
from rdmf_cli.fusion.reaction import Drive, Fields, StepRates

SHAPES = [  # B, C, L, dilation, steps
    (2, 3, 40, 1, 3),
    (1, 2, 150, 2, 2),
    (1, 2, 200, 1, 2),
    (2, 2, 3, 5, 2),
    (3, 2, 1, 1, 1),
    (1, 1, 90, 2, 6),
]


def compare(
    backend: str, B: int, C: int, L: int, dilation: int, steps: int, *, weighted: bool
) -> None:
    """Compare values and all gradients in float64; raise AssertionError if they differ."""
    generator = torch.Generator().manual_seed(L + steps)

    def random(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, dtype=torch.float64, generator=generator)

    inputs = [random(B, C, L).requires_grad_() for _ in range(4)]
    rates = [(0.45 * random(C, 1) + 0.01).requires_grad_() for _ in range(5)]
    edges = random(B, 1, L - 1) if weighted else None
    wanted = [random(B, C, L) for _ in range(2)]

    def run(name: str) -> tuple[torch.Tensor, ...]:
        u, v, u0, r = inputs
        groups = [
            kernels.Group(channels, Chain.of(v.detach(), edges=edges, dilations=(d,)))
            for channels, d in ((slice(0, 1), dilation), (slice(1, C), dilation + 1))[:C]
        ]
        after = kernels.run(name, Fields(u, v), Drive(u0, r), StepRates(*rates), groups, steps)
        score = sum((x * w).sum() for x, w in zip(after, wanted, strict=True))
        return *after, *torch.autograd.grad(score, [*inputs, *rates])

    for got, expected in zip(run(backend), run("reference"), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-11)


def interpret() -> None:
    """Run the Triton kernel on the CPU, with tiles so small that short chains have several."""
    from rdmf_cli.fusion.kernels import tiled_triton

    tiled_triton.SMALLEST, tiled_triton.USUAL, tiled_triton.LARGEST = 16, 32, 64
    for n, shape in enumerate(SHAPES):
        compare("triton", *shape, weighted=bool(n % 2))
        print("equal", flush=True)


def compile_for(capability: int) -> None:
    """Compile machine code for a GPU, which the interpreter does not check; no GPU is needed."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from rdmf_cli.fusion.kernels import tiled_triton

    constants = {"WEIGHTED": True, "BLOCK": 1024}
    for kernel in (tiled_triton._forward, tiled_triton._backward):
        kinds = {name: "*fp32" if name.endswith("_ptr") else "i32" for name in kernel.arg_names}
        source = ASTSource(kernel, {**kinds, **dict.fromkeys(constants, "constexpr")}, constants)
        code = triton.compile(source, target=GPUTarget("cuda", capability, 32))
        assert code.asm["cubin"]
        print("compiled", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "interpret":
        interpret()
    else:
        compile_for(int(sys.argv[1]))
