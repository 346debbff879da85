"""rdmf cut: write moments as separate videos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from rdmf_cli.cli import options, output_options, query_options, sampling_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdmf_cli.handover.written import Cut
    from rdmf_cli.moments.types import Answer

ANSWERS = "-"  # replaces the videos: JSON Lines of answers on stdin


def cut(
    words: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar='VIDEO... "SENTENCE"...',
            help="Videos or folders, and sentences; -: the JSON Lines of rdmf query, from stdin.",
        ),
    ] = None,
    queries: query_options.Queries = None,
    top_k: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            "--top-k",
            "-k",
            min=1,
            help="Number of moments per query; default 1 (answers from stdin: all).",
        ),
    ] = None,
    min_score: query_options.MinScore = 0.0,
    pad: Annotated[
        float, typer.Option("--pad", min=0, max=3600, help="Seconds to add on both sides.")
    ] = 0.0,
    output: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--output",
            "-o",
            metavar="NAME",
            help="Names of the files (mp4, m4v, mov, mkv, webm); fields: {stem}, {name}, {folder}, "
            "{rank}, {query}, {start}, {end}, {score}. Default: '{stem}_{rank}.mp4'.",
        ),
    ] = None,
    copy: Annotated[
        bool,
        typer.Option(
            "--copy", help="Copy without encoding, from the key frame before each moment."
        ),
    ] = False,
    montage: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--montage", metavar="FILE", help="Join the moments into one video, this file."
        ),
    ] = None,
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="Cut even if the query is probably not in the video."),
    ] = False,
    force: options.Force = False,
    example: query_options.Example = False,
    recursive: options.Recursive = False,
    refine: options.Refine = False,
    clip_length: options.ClipLength = 2.0,
    start: options.Start = None,
    end: options.End = None,
    encoder: options.EncoderName = "auto",
    head: options.HeadName = "auto",
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    sampling: sampling_options.Sampling = "exact",
    still: sampling_options.Still = 0.0,
    no_cache: options.NoCache = False,
    subtitles: query_options.Subtitles = "auto",
    as_json: options.Json = False,
    quiet: output_options.Quiet = False,
) -> None:
    """Cut the best moments out of VIDEO, exact to the frame, and print the path of each file."""
    from rdmf_cli.cli import inputs
    from rdmf_cli.cli.answers import answers_on_stdin
    from rdmf_cli.cli.batch import for_each_video, open_searcher
    from rdmf_cli.cli.cut_files import Written, ending
    from rdmf_cli.handover.cutter import NAME_OF_SEVERAL, Cutter
    from rdmf_cli.handover.written import NAME

    if words == [ANSWERS]:
        answers = answers_on_stdin()
        videos, several = list(answers), any(len(found) > 1 for found in answers.values())
    else:
        videos, sentences = inputs.split_arguments(words or (), queries or (), None, example)
        several, answers = len(sentences) > 1, {}
        searcher = open_searcher(
            encoder=encoder,
            head=head,
            checkpoint=checkpoint,
            clip_length=clip_length,
            device=device,
            decoder=decoder,
            sampling=sampling,
            still=still,
            cache=not no_cache,
            subtitles=query_options.subtitles_of(videos, subtitles),
        )
        top_k = top_k or 1
    usual = NAME_OF_SEVERAL if several else NAME
    name = output or (None if montage else usual)
    cutter = Cutter(name, montage, pad=pad, copy=copy, force=force, anyway=anyway)

    def work(path: Path) -> list[Cut]:
        found: Sequence[Answer]
        if answers:
            found = answers[str(path)]
        else:
            from rdmf_cli.cli.answering import ask

            part: dict[str, Any] = {"start": start, "end": end}
            found = ask(searcher, path, sentences, top_k=top_k, min_score=min_score, **part)
        if refine:
            from rdmf_cli.api.arguments import Part
            from rdmf_cli.handover.ends import refined

            found = [refined(answer, Part.of(start, end)) for answer in found]
        return cutter.cut(found, top_k, min_score)

    written = Written(as_json)
    with ending(cutter, written):
        for_each_video(videos, as_json, work, written.show, recursive)
