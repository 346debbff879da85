"""rdmf fuse: show the fusion of one video and one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from rdmf_cli.cli import options, output_options, sampling_options


def fuse(
    video: Annotated[str, typer.Argument(metavar="VIDEO", help="A video file.")],
    sentence: Annotated[str, typer.Argument(metavar='"SENTENCE"', help="What to look for.")],
    plot: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--plot", help="Draw the pattern into this file: .png, .svg or .pdf (needs matplotlib)."
        ),
    ] = None,
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Show only the table of channels and their regimes.")
    ] = False,
    clip_length: options.ClipLength = 2.0,
    start: options.Start = None,
    end: options.End = None,
    encoder: options.EncoderName = "auto",
    checkpoint: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--checkpoint", help="Your own file of rates."),
    ] = None,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    sampling: sampling_options.Sampling = "exact",
    still: sampling_options.Still = 0.0,
    no_cache: options.NoCache = False,
    force: options.Force = False,
    as_json: options.Json = False,
    quiet: output_options.Quiet = False,
) -> None:
    """Show the reaction-diffusion fusion of VIDEO and SENTENCE.

    For each channel of the training-free head, the output shows the rates and the regime, the
    activator v over time and over the steps of the fusion, and the level sets of the pattern.
    """
    from rdmf_cli.cli import inputs
    from rdmf_cli.cli.batch import open_searcher
    from rdmf_cli.cli.output import print_result
    from rdmf_cli.cli.progress import extraction_progress
    from rdmf_cli.cli.report import say_warnings
    from rdmf_cli.errors import errors_of
    from rdmf_cli.files import check_target
    from rdmf_cli.outputs.fusion import FusionView

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
        sampling=sampling,
        still=still,
        cache=not no_cache,
    )
    with errors_of(path), extraction_progress(path.name) as searcher.progress:
        fused = searcher.fuse(path, sentence, start=start, end=end)
    say_warnings(path, fused.answer.warnings)
    if plot:
        fused.plot(plot, title=f'{path.name}: "{fused.answer.query}"', force=force)
    traces = None if analyze else (fused.trace.u, fused.trace.v)
    print_result(fused.record(), as_json, lambda record: FusionView(record, traces))
