"""Measure how time and memory grow with the length of the video: reaction-diffusion and attention.

    python benchmarks/fusion_scaling.py                       # the full table: an hour on two cores
    python benchmarks/fusion_scaling.py --lengths 75 300 1000 # a quick look
    python benchmarks/fusion_scaling.py --device cuda         # and the Triton kernel's bandwidth

Encoders of width 256 turn L clips and a query of 32 tokens into L fused clips:

rd:      r, u0 and v(0) by one linear layer each, 12 reaction-diffusion steps in four groups of
         channels at distances 1, 2, 4, 8, and a linear layer for the output.
core:    only the reaction-diffusion steps of `rd`.
self:    the encoder of Moment-DETR: clips and tokens together in 2 layers of self-attention,
         8 heads, 1,024 hidden units.
cross:   the encoder of QD-DETR: 2 layers in which clips attend to the tokens, then 2 layers of
         self-attention.

Both kinds of attention use PyTorch's fused kernels (`need_weights=False`), which make them faster
than in the published code. Every repetition runs each encoder once, so that a busy moment of the
machine affects all encoders. The table shows the smallest time of the repetitions. If the time at
the last length, extrapolated by L², is above `--patience` seconds, the encoder is not run; its cell
shows the extrapolated time with the mark "~".
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from rdmf_cli.fusion import kernels
from rdmf_cli.fusion.module import ReactionDiffusion
from rdmf_cli.fusion.operators import Chain
from rdmf_cli.fusion.reaction import Drive, Fields, StepRates

WIDTH, HEADS, HIDDEN, TOKENS, STEPS = 256, 8, 1024, 32, 12
LENGTHS = (75, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
MODES = ("forward", "forward+backward")


class RdFusion(nn.Module):
    """Reaction-diffusion with the linear layers that feed it."""

    def __init__(self) -> None:
        super().__init__()
        self.match, self.feed, self.seed, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.fuse = ReactionDiffusion(WIDTH, steps=STEPS)

    def forward(self, clips: Tensor, query: Tensor) -> Tensor:
        matched = clips * query.mean(1, keepdim=True)
        r = nn.functional.softplus(self.match(matched))
        u0, v = torch.sigmoid(self.feed(clips)), torch.sigmoid(self.seed(matched))
        u0, v, r = (x.transpose(1, 2) for x in (u0, v, r))
        return self.out(self.fuse(u0, v, u0=u0, r=r).v.transpose(1, 2))


class RdCore(nn.Module):
    """The steps alone, on fields that exist already."""

    def __init__(self) -> None:
        super().__init__()
        self.fuse = ReactionDiffusion(WIDTH, steps=STEPS)

    def forward(self, clips: Tensor, query: Tensor) -> Tensor:
        field = clips.view(clips.shape[0], WIDTH, -1).abs().clamp(max=1.0)
        return self.fuse(field, field, u0=field, r=field).v


class AttentionLayer(nn.Module):
    """A post-norm transformer layer; its keys are the clips or the tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.feed = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, WIDTH))
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)])

    def forward(self, x: Tensor, keys: Tensor) -> Tensor:
        x = self.norms[0](x + self.attend(x, keys, keys, need_weights=False)[0])
        return self.norms[1](x + self.feed(x))


class SelfAttention(nn.Module):
    """Moment-DETR's encoder."""

    def __init__(self, layers: int = 2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(AttentionLayer() for _ in range(layers))

    def forward(self, clips: Tensor, query: Tensor) -> Tensor:
        x = torch.cat([clips, query], 1)
        for layer in self.layers:
            x = layer(x, x)
        return x[:, : clips.shape[1]]


class CrossAttention(nn.Module):
    """The encoder of QD-DETR: from text to video, then among the clips."""

    def __init__(self, layers: int = 2) -> None:
        super().__init__()
        self.across = nn.ModuleList(AttentionLayer() for _ in range(layers))
        self.among = nn.ModuleList(AttentionLayer() for _ in range(layers))

    def forward(self, clips: Tensor, query: Tensor) -> Tensor:
        for layer in self.across:
            clips = layer(clips, query)
        for layer in self.among:
            clips = layer(clips, clips)
        return clips


ENCODERS: dict[str, type[nn.Module]] = {
    "rd": RdFusion,
    "core": RdCore,
    "self": SelfAttention,
    "cross": CrossAttention,
}


@dataclass
class Cell:
    """One measurement."""

    encoder: str
    clips: int
    mode: str
    seconds: float
    measured: bool  # otherwise extrapolated by L²
    repetitions: int
    memory_mb: float | None = (
        None  # peak memory of the process during the pass, minus the memory before
    )


def one_pass(encoder: nn.Module, clips: Tensor, query: Tensor, mode: str) -> None:
    if mode == "forward":
        with torch.inference_mode():
            encoder(clips, query)
        return
    encoder.zero_grad(set_to_none=True)
    encoder(clips, query).square().mean().backward()


def seconds_of(run: Callable[[], None], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def inputs(clips: int, device: torch.device) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(clips)
    return (
        torch.randn(1, clips, WIDTH, generator=generator).to(device),
        torch.randn(1, TOKENS, WIDTH, generator=generator).to(device),
    )


def measure(args: argparse.Namespace) -> list[Cell]:
    """Measure all cells, the shortest videos first."""
    device = torch.device(args.device)
    torch.manual_seed(0)
    encoders = {name: make().to(device) for name, make in ENCODERS.items()}
    cells: list[Cell] = []
    for length in args.lengths:
        data = inputs(length, device)
        for mode in MODES:
            cells += timed(encoders, data, mode, cells, args)
            print_row(cells[-len(encoders) :])
    return cells


def timed(
    encoders: dict[str, nn.Module],
    data: tuple[Tensor, Tensor],
    mode: str,
    before: list[Cell],
    args: argparse.Namespace,
) -> list[Cell]:
    """Return the time of each encoder at one length; the repetitions of the encoders alternate."""
    length, device = data[0].shape[1], data[0].device
    expected = {name: extrapolated(name, length, mode, before) for name in encoders}
    running = {n: e for n, e in encoders.items() if (expected[n] or 0.0) <= args.patience}
    took: dict[str, list[float]] = {name: [] for name in running}
    begun = time.perf_counter()
    for repetition in range(args.repetitions + 1):
        for name, encoder in running.items():
            seconds = seconds_of(lambda e=encoder: one_pass(e, *data, mode), device)
            # the first pass is a warm-up; a long pass needs no warm-up
            if repetition or seconds > args.patience / 10:
                took[name].append(seconds)
        if repetition and time.perf_counter() - begun > args.patience:
            break
    return [
        Cell(
            name,
            length,
            mode,
            min(took[name]),
            True,
            len(took[name]),
            memory(name, length, mode, args),
        )
        if name in took
        else Cell(name, length, mode, expected[name] or 0.0, False, 0)
        for name in encoders
    ]


def extrapolated(name: str, length: int, mode: str, before: list[Cell]) -> float | None:
    """Extrapolate the time from the last length: by L², for `rd` by L."""
    last = [c for c in before if c.encoder == name and c.mode == mode]
    power = 1 if name in ("rd", "core") else 2
    return last[-1].seconds * (length / last[-1].clips) ** power if last else None


def memory(name: str, length: int, mode: str, args: argparse.Namespace) -> float | None:
    """Return the peak memory of one pass in its own process, minus the memory before the pass."""
    if args.no_memory:
        return None
    command = [sys.executable, __file__, "--memory-of", name, str(length), mode]
    done = subprocess.run(
        [*command, "--device", args.device], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def report_memory(name: str, length: int, mode: str, device: torch.device) -> None:
    encoder, data = ENCODERS[name]().to(device), inputs(length, device)
    one_pass(encoder, *inputs(75, device), mode)  # libraries and their buffers
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        one_pass(encoder, *data, mode)
        print((torch.cuda.max_memory_allocated() - held) / 1e6)
        return
    held = reset_peak()
    one_pass(encoder, *data, mode)
    print((status("VmHWM") - held) / 1e3)


def reset_peak() -> int:
    """Set the recorded peak memory to the present memory (Linux), and return it in kB."""
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmHWM")


def status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def print_row(cells: list[Cell]) -> None:
    first = cells[0]
    row = [f"{first.clips:>7,} {first.mode:<17}"]
    for cell in cells:
        memory_text = "" if cell.memory_mb is None else f"{cell.memory_mb:,.0f} MB"
        mark = " " if cell.measured else "~"
        row.append(f"{cell.encoder}: {mark}{1e3 * cell.seconds:>10,.2f} ms {memory_text:>10}")
    print("  ".join(row), flush=True)


def summary(cells: list[Cell]) -> list[str]:
    """Return each goal of the design with the measured value."""
    lines = []
    for mode in MODES:
        mine = {c.clips: c for c in cells if (c.encoder, c.mode) == ("rd", mode)}
        lines.append(f"{mode}: time grows as L^{slope(mine, 'seconds'):.3f} (all lengths)")
        longer = {n: c for n, c in mine.items() if n >= 1_000}
        if len(longer) > 1:
            lines.append(f"  from 1,000 clips on: L^{slope(longer, 'seconds'):.3f}")
            if all(c.memory_mb is not None for c in longer.values()):
                lines.append(f"  memory from 1,000 clips on: L^{slope(longer, 'memory_mb'):.3f}")
        for cell in cells:
            if cell.mode == mode and cell.encoder in ("self", "cross"):
                ratio = cell.seconds / mine[cell.clips].seconds
                word = "measured" if cell.measured else "extrapolated"
                lines.append(
                    f"  {cell.clips:>7,} clips: rd is {ratio:,.1f}x {cell.encoder} ({word})"
                )
    return lines


def slope(cells: dict[int, Cell], what: str) -> float:
    if len(cells) < 2:
        return float("nan")
    values = [getattr(cell, what) for cell in cells.values()]
    return float(np.polyfit(np.log(list(cells)), np.log(values), 1)[0])


def bandwidth(args: argparse.Namespace) -> list[str]:
    """Compare the kernel on a GPU with the memory's speed, eager PyTorch and torch.compile."""
    device, length = torch.device("cuda"), 100_000
    u, v, u0, r = torch.rand(4, 1, WIDTH, length, device=device)
    values = (0.4, 0.1, 0.05, 0.1, 1.0)
    rates = StepRates(*(torch.full((WIDTH, 1), x, device=device) for x in values))
    groups = [kernels.Group(slice(0, WIDTH), Chain.of(v, dilations=(1,)))]
    problem = (Fields(u, v), Drive(u0, r), rates, groups, STEPS)
    compiled = torch.compile(kernels.BACKENDS["reference"])
    ways: dict[str, Callable[[], object]] = {
        "copy": lambda: u.clone(),
        "triton": lambda: kernels.run("triton", *problem),
        "eager": lambda: kernels.run("reference", *problem),
        "torch.compile": lambda: compiled(*problem),
    }
    with torch.inference_mode():
        took = {name: gpu_seconds(run, args.repetitions) for name, run in ways.items()}
    field = u.numel() * u.element_size()
    peak = 2 * field / took["copy"]
    lines = [f"copy: {peak / 1e12:.2f} TB/s"]
    for name in ("triton", "eager", "torch.compile"):
        rate = 6 * field / took[name]  # four fields in, two out
        ratio = took[name] / took["triton"]
        lines.append(
            f"{name}: {1e3 * took[name]:.3f} ms, {100 * rate / peak:.0f} % of the copy's speed, "
            f"{ratio:.1f}x the kernel's time"
        )
    return lines


def gpu_seconds(run: Callable[[], object], repetitions: int) -> float:
    run()
    times = []
    for _ in range(max(repetitions, 10)):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return min(times)


NAMES = {
    "rd": "reaction-diffusion, with its linear layers",
    "core": "reaction-diffusion, the steps alone",
    "self": "self-attention (Moment-DETR)",
    "cross": "cross- + self-attention (QD-DETR)",
}


def draw(cells: list[Cell], path: Path) -> None:
    """Draw time and memory over length, on logarithmic axes; hollow marks are extrapolated."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(9, 6.5), sharex=True, layout="constrained")
    colours = dict(zip(ENCODERS, ("#1b7f5c", "#8bc4a9", "#c44e52", "#4c72b0"), strict=True))
    for column, mode in enumerate(MODES):
        for name in ENCODERS:
            own = [c for c in cells if (c.encoder, c.mode) == (name, mode)]
            for row, what in enumerate(("seconds", "memory_mb")):
                drawn = [c for c in own if getattr(c, what)]
                xs, ys = [c.clips for c in drawn], [getattr(c, what) for c in drawn]
                axes[row, column].plot(xs, ys, color=colours[name], label=NAMES[name])
                faces = [colours[name] if c.measured else "white" for c in drawn]
                axes[row, column].scatter(xs, ys, c=faces, edgecolors=colours[name], zorder=3)
        axes[0, column].set_title(mode)
        axes[1, column].set_xlabel("clips")
    axes[0, 0].set_ylabel("seconds")
    axes[1, 0].set_ylabel("peak memory, MB")
    for axis in axes.flat:
        axis.set(xscale="log", yscale="log")
        axis.grid(alpha=0.3)
    axes[0, 0].legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    print(f"figure: {path}")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument(
        "--patience", type=float, default=120.0, help="longest time of one pass, in seconds"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--figure", type=Path, help="file of the figure (svg, png, pdf)")
    parser.add_argument("--json", type=Path, help="file for the cells")
    parser.add_argument("--memory-of", nargs=3, metavar=("ENCODER", "CLIPS", "MODE"))
    return parser.parse_args()


def main() -> None:
    args = parsed()
    if args.memory_of:
        name, clips, mode = args.memory_of
        report_memory(name, int(clips), mode, torch.device(args.device))
        return
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {os.cpu_count()} cores")
    cells = measure(args)
    print("\n".join(summary(cells)))
    if args.device == "cuda":
        print("\n".join(bandwidth(args)))
    if args.json:
        args.json.write_text(json.dumps([asdict(cell) for cell in cells], indent=1))
    if args.figure:
        draw(cells, args.figure)


if __name__ == "__main__":
    main()
