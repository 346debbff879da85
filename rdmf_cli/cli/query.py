"""rdmf query: answer sentences on videos with ranked moments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from rdmf_cli.cli import exec_option, options, output_options, query_options, sampling_options
from rdmf_cli.outputs import FORMATS

if TYPE_CHECKING:
    from rdmf_cli.moments.types import Answer


def query(
    words: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar='VIDEO... "SENTENCE"...',
            help="Videos or folders (-: a video from stdin), and sentences.",
        ),
    ] = None,
    queries: query_options.Queries = None,
    queries_file: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--queries", help="File of sentences: one per line, or JSON Lines; -: stdin."),
    ] = None,
    image: query_options.Image = None,
    like: query_options.Like = None,
    add: query_options.Add = None,
    subtract: query_options.Subtract = None,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, help="Number of moments per sentence.")
    ] = 5,
    min_score: query_options.MinScore = 0.0,
    example: query_options.Example = False,
    refine: options.Refine = False,
    recursive: options.Recursive = False,
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
    transcribe: query_options.Transcribe = None,
    name_time: query_options.NameTime = None,
    form: Annotated[
        Optional[str],  # noqa: UP045
        options.choice(FORMATS, "--format", "Output format; by default table, or that of -o."),
    ] = None,
    as_json: options.Json = False,
    output: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to this file: .json, .csv, .srt and so on; .html: a page, as --html. "
            "'{folder}/{stem}.srt' writes one file beside each video.",
        ),
    ] = None,
    explain: query_options.Explain = False,
    html: output_options.Html = None,
    embed: output_options.Embed = False,
    command: exec_option.Exec = None,
    force: options.Force = False,
    quiet: output_options.Quiet = False,
) -> None:
    """Find the moments of VIDEO that a SENTENCE describes.

    An argument that names a file or a folder is a video; all other arguments are sentences. With
    --query or --queries, all arguments are videos. --image, --like, --add and --subtract change
    each sentence; without a sentence, they are the query.
    """
    from rdmf_cli.cli import inputs
    from rdmf_cli.cli.answering import ask, check_form, form_of, page_of, say_words, writer_of
    from rdmf_cli.cli.batch import for_each_video, open_searcher
    from rdmf_cli.cli.paging import beside_page
    from rdmf_cli.cli.stdin_video import stdin_spooled
    from rdmf_cli.cli.terms import mixtures_of

    output, html = page_of(form, output, html)
    form = form_of("json" if as_json else form, output)
    pictured = bool(image or like or add)
    given = (words or (), queries or (), queries_file)
    videos, sentences = inputs.split_arguments(*given, example, pictured)
    asked = mixtures_of(sentences, image or (), like or (), add or (), subtract or (), decoder)
    check_form(form, videos, output, html)
    runs = exec_option.Runs(command, videos)
    query_options.check_explain(explain, pictured or bool(subtract))
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
        transcribe=transcribe,
        name_time=name_time,
    )

    writing = beside_page(writer_of(form, output, force), html, embed, force)
    with stdin_spooled(videos) as spooled, writing as writer:

        def work(path: Path) -> list[Answer]:
            chosen = {"top_k": top_k, "min_score": min_score, "start": start, "end": end}
            answers = ask(searcher, path, asked, refine=refine, **chosen)
            if explain:
                say_words(searcher, path, answers)
            return [a.model_copy(update={"video": spooled.name(a.video)}) for a in answers]

        def write(answer: Answer) -> None:
            writer.write(answer)
            runs.after_answer(answer)

        json_on_stdout = form == "json" and output is None
        for_each_video(spooled.paths, json_on_stdout, work, write, recursive)
    runs.end()
