"""Draw the learning curves of a run as a picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rdmf_cli.files import write_own
from rdmf_cli.training.state import LOG

CURVES: Final = "curves.png"
GOAL: Final = "goal"
NO_PICTURE = f"no {CURVES}: matplotlib is not installed (pip install matplotlib)"


def draw(folder: Path, note: Callable[[str], None]) -> Path | None:
    """Draw the losses and the held-out metrics of a run over its epochs.

    Args:
        folder: the run folder; its log is read.
        note: a function that is called if matplotlib is not installed.

    Returns:
        The picture; None if no epoch has ended, or without matplotlib.
    """
    epochs = _epochs(folder / LOG)
    if not epochs:
        return None
    try:
        content = _drawn(epochs)
    except ImportError:
        note(NO_PICTURE)
        return None
    return write_own(folder / CURVES, content, what="the learning curves")


def _epochs(path: Path) -> list[dict[str, Any]]:
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line["kind"] == "epoch"]


def _drawn(epochs: list[dict[str, Any]]) -> bytes:
    from io import BytesIO

    from matplotlib.figure import Figure

    scored = bool(epochs[0]["scores"])
    figure = Figure(figsize=(10 if scored else 5, 4), layout="constrained")
    axes = figure.subplots(1, 2 if scored else 1, squeeze=False)[0]
    numbers = [epoch["epoch"] for epoch in epochs]
    mark = "-" if len(epochs) > 1 else "o"  # a line through one point would show nothing
    for name in epochs[0]["losses"]:
        values = [epoch["losses"][name] for epoch in epochs]
        axes[0].plot(numbers, values, mark, label=name, **_of(name))
    axes[0].set(xlabel="epoch", ylabel="training loss", yscale="log")
    if scored:
        for name in epochs[0]["scores"]:
            values = [epoch["scores"].get(name) for epoch in epochs]
            axes[1].plot(numbers, values, mark, label=name, **_of(name))
        best = max(epochs, key=lambda epoch: epoch["scores"][GOAL])["epoch"]
        axes[1].axvline(best, color="0.6", linestyle=":", label=f"best epoch, {best}")
        axes[1].set(xlabel="epoch", ylabel="held-out metric")
    for one in axes:
        one.xaxis.get_major_locator().set_params(integer=True)
        one.grid(alpha=0.3)
        one.legend(fontsize="small")
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def _of(name: str) -> dict[str, Any]:
    """Return the style of a curve: bold for the total loss and the monitored metric."""
    return {"linewidth": 2.5} if name in ("total", GOAL) else {"linewidth": 1, "alpha": 0.8}
