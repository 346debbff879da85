"""rdmf eval: how good predictions are, by the protocols of the field."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from rdmf_cli.cli import options
from rdmf_cli.errors import UsageError

if TYPE_CHECKING:
    from rdmf_cli.evaluation import Dataset, Options


class Only(str, Enum):
    moments = "moments"
    highlights = "highlights"


class Outside(str, Enum):
    refuse = "refuse"
    keep = "keep"
    cut = "cut"


def eval_(
    predictions: Annotated[
        Optional[Path],  # noqa: UP045  (typer reads this at run time on Python 3.10)
        typer.Option("--predictions", help="JSON Lines in the field's submission format."),
    ] = None,
    ground_truth: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--ground-truth", help="The annotations, as the benchmark publishes them."),
    ] = None,
    dataset: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--dataset",
            help="qvhighlights, charades, charades-vgg, tacos, activitynet, nlq, tvsum, "
            "youtube-highlights, or your own annotations (JSON Lines).",
        ),
    ] = None,
    features: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--features", help="Predict from features: a folder with video/, text/."),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", help="With --features: annotations are FEATURES/SPLIT.jsonl.")
    ] = "val",
    checkpoint: options.Checkpoint = None,
    submission: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--submission", help="With --features: write the predictions here."),
    ] = None,
    only: Annotated[
        Optional[Only],  # noqa: UP045
        typer.Option("--only", help="Score only the moments or only the highlights."),
    ] = None,
    legacy: Annotated[
        bool, typer.Option("--legacy", help="2D-TAN's rules: IoU above t, after suppression.")
    ] = False,
    nms: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--nms", min=0, max=1, help="With --legacy: suppress above this overlap."),
    ] = None,
    round_to: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--round-to", min=0.001, help="Move windows to multiples of these seconds."),
    ] = None,
    outside: Annotated[
        Outside, typer.Option("--outside", help="Windows that reach outside their video.")
    ] = Outside.refuse,
    as_json: options.Json = False,
) -> None:
    """Score predictions by the benchmark's own protocol.

    With --predictions they are read from a file; with --features the head predicts them first.
    """
    from rdmf_cli.cli.report import say
    from rdmf_cli.evaluation import Options, evaluate_files, rounded

    benchmark = _benchmark(dataset)
    truth = ground_truth or (Path(dataset) if dataset and benchmark is None else None)
    choices = Options(
        only=only.value if only else None,
        legacy=legacy,
        nms=nms,
        round_to=round_to,
        outside=outside.value,
    )
    if predictions is not None and features is not None:
        raise UsageError("cannot be given together", "--predictions and --features")
    if submission is not None and features is None:
        raise UsageError("needs --features", "--submission", "the head must predict first")
    if features is not None:
        truth = truth or features / f"{split}.jsonl"
        result = _predicted(features, truth, benchmark, checkpoint, submission, choices)
    elif predictions is not None and truth is not None:
        result = evaluate_files(predictions, truth, benchmark, choices)
    else:
        missing = "--predictions or --features" if predictions is None else "--ground-truth"
        todo = "rdmf eval --predictions P.jsonl --ground-truth G.jsonl [--dataset NAME]"
        raise UsageError("not given", missing, todo)
    result = rounded(result)
    for note in result["notes"]:
        say("note", note)
    if as_json:
        typer.echo(json.dumps(result))
    else:
        _print_tables(result)


def _predicted(
    features: Path,
    truth: Path,
    benchmark: Dataset | None,
    checkpoint: Path | None,
    submission: Path | None,
    choices: Options,
) -> dict[str, Any]:
    """Predict every query of the annotations, write the submission if wanted, and score."""
    from rdmf_cli.evaluation import DATASETS, evaluate, write_submission
    from rdmf_cli.evaluation.predict import predict_from_features as predict
    from rdmf_cli.moments import TrainingFree

    chosen = benchmark or DATASETS["qvhighlights"]
    annotations = chosen.read(truth)
    made = predict(annotations, features, chosen, TrainingFree.load(checkpoint))
    if submission is not None:
        write_submission(submission, zip(annotations, made.entries, strict=True))
    return evaluate(made, annotations, chosen, choices)


def _benchmark(name: str | None) -> Dataset | None:
    """The benchmark of that name; None for a path to annotations of one's own."""
    from rdmf_cli.evaluation import DATASETS, dataset_named

    if name is None or (name not in DATASETS and Path(name).suffix):
        return None
    return dataset_named(name)


def _print_tables(result: dict[str, Any]) -> None:
    """What papers print, then the cells by IoU threshold."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    title = f"{result['dataset']}, {result['queries']['all']} queries, per cent"
    console.print(f"\n  {title}")
    summary = Table("metric", box=box.SIMPLE_HEAD)
    summary.add_column("value", justify="right")
    for name, value in result["brief"].items():
        summary.add_row(name, _cell(value))
    console.print(summary)
    columns = _by_threshold(result)
    if not columns:
        return
    cells = Table("IoU", box=box.SIMPLE_HEAD)
    for name in columns:
        cells.add_column(name, justify="right")
    for threshold in max(columns.values(), key=len):
        cells.add_row(threshold, *(_cell(column.get(threshold, "")) for column in columns.values()))
    console.print(cells)


def _by_threshold(result: dict[str, Any]) -> dict[str, dict[str, float | None]]:
    """{"full\nR1": {"0.3": …}, …}: every metric that has a value at each IoU threshold."""
    groups = {name: value for name, value in result.items() if isinstance(value, dict)}
    columns = {
        f"{name}\n{metric.removeprefix('MR-')}": values
        for name, group in groups.items()
        for metric, values in group.items()
        if metric.startswith("MR-") and isinstance(values, dict)
    }
    return columns


def _cell(value: float | str | None) -> str:
    if isinstance(value, str):
        return value
    return "–" if value is None else f"{value:.2f}"
