"""`rdmf data`: the numbers of a dataset, and its problems."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from rdmf_cli.cli import feature_options, options
from rdmf_cli.errors import ExitCode

if TYPE_CHECKING:
    from rdmf_cli.outputs.payloads.data import DataReport

app = typer.Typer(
    help="Show the numbers of a dataset, and find its problems.", no_args_is_help=True
)

Files = Annotated[
    Optional[list[Path]],  # noqa: UP045  (typer reads this at run time on Python 3.10)
    typer.Option("--annotations", help="Annotation file; repeat the option for each split."),
]
Features = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--features", help="Folder of features; every file is read once."),
]
Splits = Annotated[
    str,
    typer.Option("--splits", metavar="A,B", help="Splits whose annotation files are looked for."),
]
Name = Annotated[str, options.DATASET]


@app.command("stats")
def stats(
    dataset: Name = "qvhighlights",
    annotations: Files = None,
    features: Features = None,
    splits: Splits = "train,val",
    streams: feature_options.Streams = None,
    text: feature_options.Text = None,
    clip_length: options.OwnClipLength = None,
    as_json: options.Json = False,
) -> None:
    """Count queries, videos and moments, their lengths and positions, and describe features."""
    from rdmf_cli.cli.output import print_result
    from rdmf_cli.outputs.data_table import DataTables

    report = _report(
        splits,
        streams,
        dataset=dataset,
        annotations=annotations or [],
        features=features,
        text=text,
        clip_length=clip_length,
    )
    print_result(report, as_json, DataTables)


@app.command("check")
def check(
    dataset: Name = "qvhighlights",
    annotations: Files = None,
    features: Features = None,
    splits: Splits = "train,val",
    streams: feature_options.Streams = None,
    text: feature_options.Text = None,
    clip_length: options.OwnClipLength = None,
    as_json: options.Json = False,
) -> None:
    """List the problems of a dataset; exit with 1 if training or evaluation would go wrong."""
    from rdmf_cli.cli.output import print_result
    from rdmf_cli.outputs.data_table import DataFindings

    report = _report(
        splits,
        streams,
        dataset=dataset,
        annotations=annotations or [],
        features=features,
        text=text,
        clip_length=clip_length,
    )
    print_result(report, as_json, DataFindings)
    if any(finding.serious for finding in report.findings):
        raise typer.Exit(ExitCode.FAILED)


def _report(splits: str, streams: str | None, **asked: Any) -> DataReport:
    """Describe a dataset, and print the notes; `asked`: further arguments of `data_report`."""
    from rdmf_cli.api.datastats import data_report
    from rdmf_cli.cli.report import say

    names = feature_options.names
    report = data_report(splits=names(splits) or [], streams=names(streams), **asked)
    for note in report.notes:
        say("note", note)
    return report
