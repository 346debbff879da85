"""rdmf search: one ranked list of moments over many videos."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from rdmf_cli.cli import options, output_options, query_options

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
        typer.Option("--query", "-q", help="The sentence; then all arguments are paths."),
    ] = None,
    image: query_options.Image = None,
    like: query_options.Like = None,
    add: query_options.Add = None,
    subtract: query_options.Subtract = None,
    library: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--library", help="Search a library of rdmf index: its name, or its folder."),
    ] = None,
    files_from: options.FilesFrom = None,
    null: options.Null = False,
    exclude: options.Exclude = None,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, help="Moments to list.")] = 10,
    per_video: Annotated[
        int, typer.Option("--per-video", min=1, help="Moments to list of one video.")
    ] = 1,
    min_presence: Annotated[
        float, typer.Option("--min-presence", min=0, max=1, help="Leave out moments below it.")
    ] = 0.0,
    candidates: Annotated[
        int,
        typer.Option(
            "--candidates",
            min=0,
            help="Videos to read closely, at least as many as -k; 0 for all.",
        ),
    ] = 24,
    fail_if_none: Annotated[
        bool, typer.Option("--fail-if-none", help="Exit with 4 where nothing convinces.")
    ] = False,
    clip_length: options.OwnClipLength = None,
    encoder: options.EncoderName = "auto",
    head: options.HeadName = "auto",
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    no_cache: options.NoCache = False,
    subtitles: query_options.Subtitles = "auto",
    transcribe: query_options.Transcribe = None,
    as_json: options.Json = False,
    html: output_options.Html = None,
    embed: output_options.Embed = False,
    force: options.Force = False,
    quiet: output_options.Quiet = False,
) -> None:
    """Search all videos of PATH at once, and list the moments that show SENTENCE, best first.

    Folders are searched with all that is below them. An argument that names a file or a folder is
    a path, the other one is the sentence. With --image, --like or --add there may be none.
    """
    from rdmf_cli.api.searching import Chosen, Limits
    from rdmf_cli.cli.paging import open_page, page_of_hits
    from rdmf_cli.cli.report import report
    from rdmf_cli.cli.searching import asked, in_library, in_videos
    from rdmf_cli.cli.terms import terms_of
    from rdmf_cli.library.listing import list_videos

    pictured = bool(image or like or add)
    open_page(html, embed, force)  # before any work, checks that the page can be written
    paths, sentences = asked(words or [], query, files_from, null, library, pictured)
    terms = terms_of(sentences, image or (), like or (), add or (), subtract or (), decoder)
    chosen = Chosen(encoder, clip_length, decoder)
    loaded = {"head": head, "checkpoint": checkpoint, "device": device, "cache": not no_cache}
    loaded |= {"subtitles": subtitles, "transcribe": transcribe}
    limits = Limits(top_k, per_video, min_presence, candidates or None)
    failed: list[RdmfError] = []
    total = 1
    if library is not None:
        hits = in_library(library, terms, limits, chosen, loaded)
    else:
        videos = list(list_videos(paths, exclude or ()))
        total = len(videos)
        hits = in_videos(videos, terms, limits, {**chosen.alone(), **loaded}, failed)
    for error in failed:
        report(error, as_json)
    if len(failed) < total:
        _write(hits, as_json)
        page_of_hits(html, embed, force, hits)
    _end(hits, len(failed), total, fail_if_none)


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
