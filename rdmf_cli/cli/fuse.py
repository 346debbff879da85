"""rdmf fuse: the fusion alone, to be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from rdmf_cli.cli import options

if TYPE_CHECKING:
    from rdmf_cli.api import Fused
    from rdmf_cli.heads.training_free.head import TrainingFree


def fuse(
    video: Annotated[str, typer.Argument(metavar="VIDEO")],
    sentence: Annotated[str, typer.Argument(metavar='"SENTENCE"')],
    plot: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--plot", help="Write a figure of the pattern: FILE.png, .svg or .pdf."),
    ] = None,
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Only the table of channels and their regimes.")
    ] = False,
    clip_length: options.ClipLength = 2.0,
    start: options.Start = None,
    end: options.End = None,
    encoder: options.EncoderName = "auto",
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    no_cache: options.NoCache = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Run the reaction-diffusion fusion of VIDEO and SENTENCE and show the pattern.

    It is the fusion of the training-free head. Of every channel: its rates and regime, the
    activator v over time and pseudo-time, and where the level sets of the pattern lie.
    """
    from rdmf_cli.cli import inputs
    from rdmf_cli.cli.batch import open_searcher
    from rdmf_cli.cli.report import extraction_progress, say_warnings
    from rdmf_cli.errors import errors_of
    from rdmf_cli.files import check_target

    path = inputs.one_video(video)
    if plot:
        reads = [path, Path(encoder), *filter(None, [checkpoint])]
        check_target(plot, inputs=reads, force=force, what="the figure")
    searcher = open_searcher(
        encoder=encoder,
        head="auto" if checkpoint else "training-free",
        checkpoint=checkpoint,
        clip_length=clip_length,
        device=device,
        decoder=decoder,
        cache=not no_cache,
    )
    with errors_of(path), extraction_progress(path.name) as searcher.progress:
        fused = searcher.fuse(path, sentence, start=start, end=end)
    say_warnings(path, fused.answer.warnings)
    if plot:
        _plot(plot, fused, searcher.training_free, f'{path.name}: "{fused.answer.query}"', force)
    if as_json:
        _print_json(fused, searcher.training_free)
    else:
        _print(fused, searcher.training_free, analyze)


SHARES = (0.75, 0.5, 0.25)  # heights of the level sets shown, of the highest v of the channel


def _analysis(fused: Fused, head: TrainingFree) -> list[dict[str, Any]]:
    """A row a channel, judged at the largest match that the query produced."""
    from rdmf_cli.fusion import analyze

    fusion = head.rates.fusion
    regimes = analyze(
        fusion.rates,
        r=fused.r.max(axis=1),
        clip_seconds=fused.features.clip_length,
        length=len(fused.similarity),
        dilations=fusion.dilations,
    ).rows()
    return [
        {
            "channel": row.channel,
            "D_u": row.D_u,
            "D_v": row.D_v,
            "F": row.F,
            "k": row.k,
            "dt": row.dt,
            "r*": row.r_star,
            "spacing": None if row.spacing_seconds != row.spacing_seconds else row.spacing_seconds,
            "regime": row.regime,
        }
        for row in regimes
    ]


def _level_sets(fused: Fused, channel: int) -> dict[float, list[tuple[float, float]]]:
    top = float(fused.reading.v[channel].max())
    return {share * top: fused.level_set(channel, share * top) for share in SHARES} if top else {}


def _print(fused: Fused, head: TrainingFree, analysis_only: bool) -> None:
    from rich.console import Console

    from rdmf_cli.outputs.strip import PatternStrip, RegimeTable

    console = Console(highlight=False)
    rows = _analysis(fused, head)
    console.print(RegimeTable(rows))
    for channel, row in enumerate(rows):
        console.print(_in_words(fused, channel, row["r*"]))
        if analysis_only:
            continue
        trace = fused.trace
        strip = PatternStrip(
            trace.v[:, channel],
            fused.features.clip_length,
            u=trace.u[:, channel],
            offset=fused.features.offset,
            title=f"channel {channel}",
            level_sets=_level_sets(fused, channel),
        )
        console.print(strip)


def _in_words(fused: Fused, channel: int, r_star: float) -> str:
    r, v = fused.r[channel], fused.reading.v[channel]
    able = int((r >= r_star).sum())
    return (
        f"channel {channel}: the query gives r = {r.min():.3g} to {r.max():.3g}; a uniform field "
        f"stays lit from r* = {r_star:.3g} on, which {able} of {len(r)} clips reach; "
        f"highest v = {v.max():.3g}"
    )


def _plot(path: Path, fused: Fused, head: TrainingFree, title: str, force: bool) -> None:
    import numpy as np

    from rdmf_cli.outputs.figure import save_pattern_figure

    rows = _analysis(fused, head)
    save_pattern_figure(
        path,
        similarity=fused.similarity,
        change=fused.change,
        r=fused.r,
        r_star=np.array([row["r*"] for row in rows]),
        u_trace=fused.trace.u,
        v_trace=fused.trace.v,
        moments=fused.answer.moments,
        clip_length=fused.features.clip_length,
        offset=fused.features.offset,
        names=[f"channel {row['channel']}: {row['regime']}" for row in rows],
        title=title,
        force=force,
    )


def _print_json(fused: Fused, head: TrainingFree) -> None:
    import json

    from rdmf_cli.outputs.json_lines import rounded

    told = {
        "schema": "rdmf.fuse/1",
        "video": fused.answer.video,
        "query": fused.answer.query,
        "clip_length": fused.features.clip_length,
        "offset": fused.features.offset,
        "similarity": fused.similarity.tolist(),
        "channels": [
            {
                **row,
                "r": fused.r[channel].tolist(),
                "u": fused.reading.u[channel].tolist(),
                "v": fused.reading.v[channel].tolist(),
                "level_sets": [
                    {"height": height, "spans": spans}
                    for height, spans in _level_sets(fused, channel).items()
                ],
            }
            for channel, row in enumerate(_analysis(fused, head))
        ],
    }
    typer.echo(json.dumps(rounded(told)))
