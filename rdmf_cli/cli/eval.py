"""rdmf eval: how good predictions are, by the protocols of the field."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Optional

import typer

from rdmf_cli.cli import options
from rdmf_cli.errors import UsageError

if TYPE_CHECKING:
    from rdmf_cli.datasets import Annotations, Samples
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
        Optional[list[Path]],  # noqa: UP045  (typer reads this at run time on Python 3.10)
        typer.Option("--predictions", help="JSON Lines in the field's submission format."),
    ] = None,
    ground_truth: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--ground-truth",
            "--annotations",
            help="The annotations, as the benchmark publishes them; with --features or --videos "
            "by default FOLDER/SPLIT.jsonl.",
        ),
    ] = None,
    dataset: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--dataset",
            help="qvhighlights, charades, charades-vgg, tacos, activitynet, nlq, "
            "ego4d-nlq, tvsum, youtube-highlights, or your own annotations (JSON Lines).",
        ),
    ] = None,
    features: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--features", help="Predict from features: a folder with video/, text/."),
    ] = None,
    videos: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--videos", help="Predict from videos: their folder. Features are cached."),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", help="The part whose annotations are looked for.")
    ] = "val",
    encoder: options.EncoderName = "auto",
    clip_length: options.OwnClipLength = None,
    device: options.Device = "auto",
    head: options.HeadName = options.Head.auto,
    checkpoint: options.Checkpoint = None,
    submission: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--submission", help="What a head predicts is written here."),
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
    skip_bad: options.SkipBad = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Score predictions by the benchmark's own protocol.

    With --predictions they are read from a file; with --features or --videos a head predicts
    them first.
    """
    from rdmf_cli.cli.report import say
    from rdmf_cli.datasets import open_annotations
    from rdmf_cli.evaluation import Options, evaluate_files, rounded

    if predictions and len(predictions) > 1:
        raise UsageError("given twice", "--predictions", "score one file at a time")
    _check_sources(
        {"--predictions": predictions or None, "--features": features, "--videos": videos}
    )
    if nms is not None and not legacy:
        raise UsageError("needs --legacy", "--nms", "other rules suppress nothing")
    if round_to is not None and not math.isfinite(round_to):
        raise UsageError("is not a number of seconds", "--round-to", "give the clip length, say")
    choices = Options(
        only=only.value if only else None,
        legacy=legacy,
        nms=nms,
        round_to=round_to,
        outside=outside.value,
    )
    folder = features or videos
    if folder is not None:
        name = dataset or "qvhighlights"
        opened = open_annotations(
            name,
            ground_truth,
            folder=folder,
            split=split,
            clip_length=clip_length,
            skip_bad=skip_bad,
        )
        reads = [folder, opened[1].path, Path(encoder), *filter(None, [checkpoint])]
        wanted = _Submission(submission, _inputs(submission, reads), force)
        wanted.check()  # before the long work
        samples = _samples(opened, features, videos, encoder, device)
        result = _predicted(samples, head.value, checkpoint, wanted, choices)
    else:
        assert predictions
        if submission is not None:
            todo = "a head must predict first: give --features or --videos"
            raise UsageError("cannot be given with --predictions", "--submission", todo)
        benchmark = _benchmark(dataset)
        truth = ground_truth or (Path(dataset) if dataset and benchmark is None else None)
        if truth is None:
            raise UsageError("not given", "--ground-truth", USAGE)
        result = evaluate_files(predictions[0], truth, benchmark, choices, clip_length, skip_bad)
    result = rounded(result)
    for note in result["notes"]:
        say("note", note)
    if as_json:
        typer.echo(json.dumps(result))
    elif result["brief"]:
        _print_tables(result)


USAGE = "rdmf eval --predictions P.jsonl --ground-truth G.jsonl [--dataset NAME]"


class _Submission(NamedTuple):
    """Where predictions are written, if anywhere, and the files that this must not replace."""

    path: Path | None
    inputs: list[Path]
    force: bool

    def check(self) -> None:
        from rdmf_cli.evaluation.predictions import SUBMISSION
        from rdmf_cli.files import check_target

        if self.path is not None:
            check_target(self.path, inputs=self.inputs, force=self.force, what=SUBMISSION)


def _inputs(submission: Path | None, reads: Iterable[Path]) -> list[Path]:
    """Return the files that the command reads and the submission could replace.

    A folder stands for the files below it. Its JSON Lines are left out: an earlier submission may
    lie among the features or beside the head, and is replaced by a later one.
    """
    if submission is None or not submission.exists():
        return []  # nothing to replace, so no folder is searched
    return [file for path in reads for file in _files_of(path)]


def _files_of(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path, followlinks=True):
        yield from (Path(folder, name) for name in names if not name.endswith(".jsonl"))


def _check_sources(sources: Mapping[str, object]) -> None:
    given = [name for name, path in sources.items() if path is not None]
    if not given:
        raise UsageError("not given", "--predictions, --features or --videos", USAGE)
    if len(given) > 1:
        raise UsageError("cannot be given together", " and ".join(given), "give one of them")


def _samples(
    opened: tuple[Dataset, Annotations],
    features: Path | None,
    videos: Path | None,
    encoder: str,
    device: str,
) -> Samples:
    """The annotated queries with their features, all of which are read once."""
    from rdmf_cli.cli.report import read_features
    from rdmf_cli.datasets import open_samples

    samples = open_samples(
        *opened, features=features, videos=videos, encoder=encoder, device=device
    )
    read_features(samples)
    return samples


def _predicted(
    samples: Samples,
    name: str,
    checkpoint: Path | None,
    submission: _Submission,
    choices: Options,
) -> dict[str, Any]:
    """Predict every query of the annotations, write the submission if wanted, and score.

    Annotations of a blind test split hold nothing to score: they are for a submission alone.
    """
    from rdmf_cli.evaluation import evaluate, nothing_scored, write_submission
    from rdmf_cli.evaluation.predict import predict
    from rdmf_cli.heads.registry import load_head

    blind = all(annotation.blind for annotation in samples.annotations)
    if blind and submission.path is None:
        todo = "write what is predicted with --submission FILE, or give a split with ground truth"
        raise UsageError("holds no ground truth to score", samples.annotations.path, todo)
    head = load_head(name, checkpoint)
    head.require(samples.space)
    made = predict(samples, samples.dataset, head)
    notes = list(samples.notes)
    about = {"head": head.name}
    if submission.path is not None:
        pairs = zip(samples.annotations, made.entries, strict=True)
        write_submission(submission.path, pairs, inputs=submission.inputs, force=submission.force)
        about["submission"] = str(submission.path)
        notes.append(f"{len(made.entries)} predictions written to {submission.path}")
    if blind:
        notes.append(f"{samples.annotations.path.name} holds no ground truth: nothing is scored")
        result = nothing_scored(samples.annotations, samples.dataset)
    else:
        result = evaluate(made, samples.annotations, samples.dataset, choices)
    return {**result, **about, "notes": list(dict.fromkeys([*notes, *result["notes"]]))}


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
    from rich.text import Text

    from rdmf_cli.text import one_line

    console = Console(highlight=False)
    name = one_line(result["dataset"])
    by = f", {result['head']} head" if "head" in result else ""
    title = f"\n  {name}, {result['queries']['all']} queries, per cent{by}"
    console.print(title, markup=False)
    summary = Table("metric", box=box.SIMPLE_HEAD)
    summary.add_column("value", justify="right")
    ties = result.get("ties", {})
    if ties:
        summary.add_column("by the order of ties")
    for name, value in result["brief"].items():
        between = [_range(ties.get(name))] if ties else []
        summary.add_row(Text(one_line(name)), _cell(value), *between)
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


def _range(ties: dict[str, float] | None) -> str:
    return "" if ties is None else f"{ties['least']:.2f} to {ties['greatest']:.2f}"
