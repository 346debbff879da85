"""Draw the effect of reaction-diffusion along a video: four runs, each with its prediction.

    python examples/turing_patterns.py --out turing_patterns.png
    python examples/turing_patterns.py --thresholds   # how exact r* is for short moments

Time of the video runs to the right (clips), time of the simulation runs downwards (steps); brighter
means a higher activator v. The script needs the [plot] extra of rdmf. docs/reaction-diffusion.md
explains the figure.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rdmf_cli.fusion import Rates, Regime, analyze, evolve, steady_states, threshold

CLIPS = 150
ACTIVE = 0.1  # a clip with at least this v counts as active


@dataclass(frozen=True)
class Scene:
    """One panel: rates, the match of every clip with the query, and the initial state."""

    name: str
    story: str
    rates: Rates
    match: np.ndarray  # r (L,)
    v: np.ndarray  # (L,)
    u: np.ndarray  # (L,)
    steps: int

    def history(self) -> np.ndarray:
        """Return v after every step, (steps + 1, L)."""
        return evolve(
            self.u, self.v, u0=1.0, r=self.match, rates=self.rates, steps=self.steps, trace=True
        ).v

    def report(self, match: float) -> Regime:
        return analyze(self.rates, r=match, length=CLIPS).rows()[0]

    def prediction(self) -> str:
        low, high = float(self.match.min()), float(self.match.max())
        inside = describe(self.report(high), high)
        if low == high:
            return inside
        return f"in the moment: {inside}; outside: {describe(self.report(low), low)}"


def describe(report: Regime, match: float) -> str:
    words = f"r = {match:g} against r* = {report.r_star:.2f}: {report.regime}"
    if np.isnan(report.spacing_clips):
        return words
    return f"{words}, spacing {report.spacing_clips:.1f} clips"


def seed(*centres: int, width: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Turn half of u into v around the centres."""
    near = np.any([np.abs(np.arange(CLIPS) - c) < width / 2 for c in centres], axis=0)
    return np.where(near, 0.5, 0.0), np.where(near, 0.5, 1.0)


def scenes() -> list[Scene]:
    calm = Rates(D_u=0.2, D_v=0.2, F=0.06, k=0.03)
    pulses = Rates(D_u=0.4, D_v=0.1, F=0.04, k=0.057)
    banded = Rates(D_u=0.4, D_v=0.025, F=0.06, k=0.05)
    everywhere = np.ones(CLIPS)
    moment = np.where(np.abs(np.arange(CLIPS) - 75) < 20, 0.8, 0.1)
    active = steady_states(banded).active
    noise = 1e-3 * np.random.default_rng(0).standard_normal(CLIPS)
    return [
        Scene("Decay", "a weak match: active clips die out",
              calm, 0.5 * everywhere, *seed(40, 75, 110, width=14), 200),
        Scene("A stable moment", "a strong match in clips 56 to 94, a weak one elsewhere",
              calm, moment, *seed(40, 75, 110, width=14), 400),
        Scene("Replication", "a strong match everywhere: a pulse splits until it fills the video",
              pulses, everywhere, *seed(75), 2000),
        Scene("A Turing pattern", "a uniform active video breaks up from noise of 0.1 %",
              banded, everywhere, active.v + noise, np.full(CLIPS, active.u[0]), 700),
    ]  # fmt: skip


def runs(v: np.ndarray) -> list[tuple[int, int]]:
    """Return the first and the last clip of every active stretch."""
    above = np.concatenate([[False], v > ACTIVE, [False]]).astype(int)
    starts, stops = np.flatnonzero(np.diff(above) > 0), np.flatnonzero(np.diff(above) < 0)
    return [(int(a), int(b) - 1) for a, b in zip(starts, stops, strict=True)]


def outcome(v: np.ndarray) -> str:
    """Describe the last state."""
    stretches = runs(v)
    if not stretches:
        return f"no clip is active (largest v {v.max():.0e})"
    if len(stretches) == 1:
        return "active: clips {} to {}".format(*stretches[0])
    summits = peaks(v)
    return f"{len(summits)} peaks, spacing {np.diff(summits).mean():.1f} clips"


def peaks(v: np.ndarray) -> np.ndarray:
    """Return the clips where v has a maximum above `ACTIVE`."""
    inner = v[1:-1]
    return 1 + np.flatnonzero((inner > v[:-2]) & (inner >= v[2:]) & (inner > ACTIVE))


def draw(path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(12, 9), layout="constrained")
    for axis, scene in zip(axes.flat, scenes(), strict=True):
        history = scene.history()
        image = axis.imshow(
            history, aspect="auto", cmap="magma", vmin=0.0, vmax=0.6, interpolation="nearest",
            extent=(-0.5, CLIPS - 0.5, scene.steps, 0),
        )  # fmt: skip
        # two lines keep the longest prediction inside the panel
        predicted = scene.prediction().replace("; ", "\n                 ")
        axis.set_title(scene.name, fontsize=13, fontweight="bold", loc="left", pad=58)
        axis.text(
            0.0, 1.02,
            f"{scene.story}\npredicted:  {predicted}\nseen:      {outcome(history[-1])}",
            transform=axis.transAxes, va="bottom", fontsize=8.5, family="monospace",
            in_layout=False,
        )  # fmt: skip
        axis.set(xlabel="clip", ylabel="step")
        print(f"{scene.name}: predicted {scene.prediction()} | measured {outcome(history[-1])}")
    figure.colorbar(image, ax=axes, shrink=0.5, label="v: the activator")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    print(f"written: {path}")


def weakest_match(rates: Rates, width: int) -> float:
    """Return the lowest r, as a multiple of r*, with which a moment stays active.

    The moment has `width` clips and is still active after 1,500 steps; elsewhere r = 0. The number
    is found by bisection; NaN if 20 r* is not enough.
    """
    inside = np.arange(CLIPS) < width
    inside = np.roll(inside, (CLIPS - width) // 2)

    def stays_lit(ratio: float) -> bool:
        match = np.where(inside, ratio * float(threshold(rates)[0]), 0.0)
        start = np.where(inside, 0.5, 0.0)
        after = evolve(np.ones(CLIPS), start, u0=1.0, r=match, rates=rates, steps=1500)
        return bool(after.v.max() > ACTIVE / 5)

    low, high = 0.0, 20.0
    if not stays_lit(high):
        return float("nan")
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if stays_lit(middle) else (middle, high)
    return high


def print_thresholds() -> None:
    widths = (1, 2, 3, 5, 10, 20, 40, CLIPS)
    print("width (clips)".ljust(24), *(f"{width:>6}" for width in widths))
    for scene in scenes()[1:]:
        rates = scene.rates
        name = f"D_u/D_v = {float(rates.D_u / rates.D_v):g}, F {rates.F:g}, k {rates.k:g}"
        print(name.ljust(24), *(f"{weakest_match(rates, width):6.2f}" for width in widths))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("turing_patterns.png"))
    parser.add_argument("--thresholds", action="store_true")
    args = parser.parse_args()
    if args.thresholds:
        print_thresholds()
    else:
        draw(args.out)


if __name__ == "__main__":
    main()
