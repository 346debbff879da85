"""Draw an analysis as a figure (matplotlib, the optional part `plot`)."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from rdmf_cli.errors import MissingExtra
from rdmf_cli.files import write_whole
from rdmf_cli.outputs.figure import BLUE, DOTS, GREEN, GREY, ORANGE, UNDATED, check_format
from rdmf_cli.outputs.payloads.analysis import Analysis, SpreadRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (13.0, 7.5)  # inches
WHAT = "the figure"


def save_analysis_figure(
    path: str | PathLike[str],
    record: Analysis,
    *,
    inputs: tuple[str | PathLike[str], ...] = (),
    force: bool = False,
) -> None:
    """Draw oracle, causes, lengths, positions and calibration.

    Args:
        path: The file; its suffix selects the format.
        record: The analysis.
        inputs: Files that are never replaced.
        force: Replace a file that rdmf did not write.

    Raises:
        MissingExtra: matplotlib is not installed.
        UsageError: The file must not be replaced.
        RdmfError: matplotlib does not know the format, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("drawing figures", "plot") from error
    kind = Path(path).suffix.lower().lstrip(".")
    figure = Figure(figsize=SIZE, dpi=DOTS, layout="constrained")
    check_format(figure, Path(path))
    for axes, draw in zip(figure.subplots(2, 3).flat, PANELS, strict=True):
        draw(axes, record)

    def write(file: BinaryIO) -> None:
        figure.savefig(file, format=kind, metadata=UNDATED.get(kind))

    write_whole(path, write, inputs=inputs, force=force, what=WHAT)


def _oracle(axes: Axes, record: Analysis) -> None:
    within = [row.within for row in record.oracle]
    for name, colour in zip(record.oracle[0].recall, (GREEN, BLUE, ORANGE), strict=False):
        recall = [row.recall[name] for row in record.oracle]
        axes.plot(within, recall, marker="o", color=colour, label=f"R@{name}")
    mean_iou = [row.mean_iou for row in record.oracle]
    axes.plot(within, mean_iou, marker="s", color=GREY, label="mIoU")
    axes.set(title="Best of the first k windows", xlabel="k", ylabel="%", ylim=(0, 100))
    axes.legend()


def _first(axes: Axes, record: Analysis) -> None:
    axes.barh([*record.first][::-1], [*record.first.values()][::-1], color=BLUE)
    axes.set(title=f"What the first window is (IoU {record.threshold:g})", xlabel="% of queries")


def _losses(axes: Axes, record: Analysis) -> None:
    places = range(len(record.losses))
    gains = [row.average_precision for row in record.losses]
    axes.bar([p - 0.2 for p in places], [row.recall for row in record.losses], 0.4, color=BLUE)
    axes.bar([p + 0.2 for p in places], gains, 0.4, color=ORANGE)
    axes.set_xticks([*places], [row.cause for row in record.losses], rotation=20)
    t = f"{record.threshold:g}"
    axes.legend([f"R1@{t}", f"mAP@{t}"])
    axes.set(title="Gain from mending one cause", ylabel="% points")


def _spread(axes: Axes, spread: SpreadRecord | None, title: str) -> None:
    if spread is None:
        _empty(axes, title, "no durations, or no windows")
        return
    edges = [k / len(spread.moments) for k in range(len(spread.moments) + 1)]
    axes.stairs(spread.moments, edges, color=GREEN, fill=True, alpha=0.4, label="moments")
    axes.stairs(spread.windows, edges, color=BLUE, linewidth=2, label="first windows")
    axes.set(title=title, xlabel="share of the video", xlim=(0, 1))
    axes.legend()


def _length(axes: Axes, record: Analysis) -> None:
    _spread(axes, record.bias.length, "Lengths")


def _centre(axes: Axes, record: Analysis) -> None:
    _spread(axes, record.bias.centre, "Positions (centres)")


def _calibration(axes: Axes, record: Analysis) -> None:
    title = "Calibration of the first windows"
    if record.calibration is None or not record.calibration.bins:
        _empty(axes, title, "no scores in [0, 1]")
        return
    bins = record.calibration.bins
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--")
    sizes = [12 + 200 * entry.queries / record.queries for entry in bins]
    axes.scatter(
        [b.score for b in bins], [b.right for b in bins], s=sizes, color=BLUE, clip_on=False
    )
    axes.set(title=title, xlabel="score", ylabel="share right", xlim=(0, 1), ylim=(0, 1))


def _empty(axes: Axes, title: str, why: str) -> None:
    axes.text(0.5, 0.5, why, ha="center", transform=axes.transAxes)
    axes.set(title=title)


PANELS = (
    _oracle,
    _first,
    _losses,
    _length,
    _centre,
    _calibration,
)
