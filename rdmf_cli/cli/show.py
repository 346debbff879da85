"""rdmf show: draw pictures of the best moments in the terminal."""

from __future__ import annotations

import sys
from typing import Annotated, Optional

import typer

from rdmf_cli.cli import options, output_options, query_options, sampling_options


def show(
    words: Annotated[
        Optional[list[str]],  # noqa: UP045  (typer reads this at run time on Python 3.10)
        typer.Argument(metavar='VIDEO "SENTENCE"', help="A video, and a sentence."),
    ] = None,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, max=100, help="Number of moments.")
    ] = 2,
    example: query_options.Example = False,
    refine: options.Refine = False,
    clip_length: options.ClipLength = 2.0,
    encoder: options.EncoderName = "auto",
    head: options.HeadName = "auto",
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    sampling: sampling_options.Sampling = "exact",
    still: sampling_options.Still = 0.0,
    no_cache: options.NoCache = False,
    subtitles: query_options.Subtitles = "auto",
    quiet: output_options.Quiet = False,
) -> None:
    """Draw three pictures of each of the best moments of VIDEO that SENTENCE describes.

    Half blocks are drawn in any terminal with colours. With textual-image (pip install
    textual-image), kitty and terminals with sixel draw true pixels.
    """
    from rdmf_cli.cli.best_moments import Question
    from rdmf_cli.errors import errors_of
    from rdmf_cli.outputs.pictures import pictures_of
    from rdmf_cli.outputs.table import AnswerTable
    from rdmf_cli.outputs.terminal import PipeConsole

    question = Question.of(
        "show",
        words,
        example,
        subtitles,
        encoder=encoder,
        head=head,
        checkpoint=checkpoint,
        clip_length=clip_length,
        device=device,
        decoder=decoder,
        sampling=sampling,
        still=still,
        cache=not no_cache,
    )
    console = PipeConsole(file=sys.stdout, highlight=False)
    with errors_of(question.path):
        answer = question.answer(top_k, refine)
        pictures = list(pictures_of(answer, console))
    for part in (AnswerTable(answer).heading(console.options), *pictures):
        console.print(part)  # not within errors_of: a reader that has gone is no fault of the video
