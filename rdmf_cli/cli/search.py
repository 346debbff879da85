"""rdmf search: one ranked list of moments over many videos."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from rdmf_cli.cli import (
    cut_option,
    exec_option,
    options,
    output_options,
    query_options,
    sampling_options,
)

if TYPE_CHECKING:
    from rdmf_cli.errors import RdmfError
    from rdmf_cli.library.types import Hit


def search(
    words: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(metavar='PATH... "SENTENCE"', help="Videos and folders, and a sentence."),
    ] = None,
    query: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--query", "-q", help="The sentence; with this option, all arguments are paths."
        ),
    ] = None,
    image: query_options.Image = None,
    like: query_options.Like = None,
    add: query_options.Add = None,
    subtract: query_options.Subtract = None,
    library: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--library", help="Search a library made by rdmf index: its name or folder."),
    ] = None,
    files_from: options.FilesFrom = None,
    null: options.Null = False,
    exclude: options.Exclude = None,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, help="Number of moments to list.")
    ] = 10,
    per_video: Annotated[
        int, typer.Option("--per-video", min=1, help="Number of moments to list per video.")
    ] = 1,
    min_presence: Annotated[
        float,
        typer.Option(
            "--min-presence", min=0, max=1, help="Leave out moments with a lower presence."
        ),
    ] = 0.0,
    candidates: Annotated[
        int,
        typer.Option(
            "--candidates",
            min=0,
            help="Number of videos that the head reads (those with the most similar clips), at "
            "least -k; 0: all videos.",
        ),
    ] = 24,
    fail_if_none: Annotated[
        bool, typer.Option("--fail-if-none", help="Exit with code 4 if no moment is convincing.")
    ] = False,
    clip_length: options.OwnClipLength = None,
    encoder: options.EncoderName = "auto",
    head: options.HeadName = "auto",
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    sampling: sampling_options.OwnSampling = None,
    still: sampling_options.OwnStill = None,
    no_cache: options.NoCache = False,
    subtitles: query_options.Subtitles = "auto",
    transcribe: query_options.Transcribe = None,
    name_time: query_options.NameTime = None,
    as_json: options.Json = False,
    cut: cut_option.CutFolder = None,
    command: exec_option.Exec = None,
    html: output_options.Html = None,
    embed: output_options.Embed = False,
    force: options.Force = False,
    quiet: output_options.Quiet = False,
) -> None:
    """Search all videos of PATH at once, and list the moments that show SENTENCE, best first.

    A folder stands for all videos below it. An argument that names a file or a folder is a path;
    the other argument is the sentence. With --image, --like or --add, the sentence may be left out.
    """
    from rdmf_cli.api.searching import Chosen, Limits
    from rdmf_cli.cli.paging import open_page, page_of_hits
    from rdmf_cli.cli.report import report
    from rdmf_cli.cli.searching import asked, in_library, in_videos
    from rdmf_cli.cli.terms import terms_of
    from rdmf_cli.library.listing import list_videos

    pictured = bool(image or like or add)
    open_page(html, embed, force)  # before any work, checks that the page can be written
    runs, cutter = exec_option.Runs(command), cut_option.HitCutter(cut, force)
    paths, sentences = asked(words or [], query, files_from, null, library, pictured)
    terms = terms_of(sentences, image or (), like or (), add or (), subtract or (), decoder)
    chosen = Chosen(encoder, clip_length, decoder, sampling, still, name_time)
    loaded = {"head": head, "checkpoint": checkpoint, "device": device, "cache": not no_cache}
    loaded |= {"subtitles": subtitles, "transcribe": transcribe}
    limits = Limits(top_k, per_video, min_presence, candidates or None)
    failed: list[RdmfError] = []
    if library is not None:
        hits, total = in_library(library, terms, limits, (chosen, loaded), failed)
    else:
        videos = cutter.without_cuts(list_videos(paths, exclude or ()))
        total = len(videos)
        hits = in_videos(videos, terms, limits, {**chosen.alone(), **loaded}, failed)
    for error in failed:
        report(error, as_json)
    if len(failed) < total:
        _write(hits, as_json)
        page_of_hits(html, embed, force, hits)
        runs.after_hits(hits)
        runs.failed += len(cutter.cut(hits, as_json))
    _end(hits, len(failed), total, fail_if_none)
    runs.end()


def _write(hits: Sequence[Hit], as_json: bool) -> None:
    if as_json:
        from rdmf_cli.outputs.json_lines import JsonWriter

        writer = JsonWriter(sys.stdout)
        for hit in hits:
            writer.write(hit)
        return
    from rdmf_cli.cli.output import print_rich
    from rdmf_cli.outputs.hits import HitTable

    print_rich(HitTable(hits))


def _end(hits: Sequence[Hit], failed: int, total: int, fail_if_none: bool) -> None:
    from rdmf_cli.cli.report import end_command
    from rdmf_cli.errors import ExitCode

    end_command(failed, total)
    if fail_if_none and not any(hit.convinces for hit in hits):
        sys.exit(ExitCode.NOTHING_FOUND)
