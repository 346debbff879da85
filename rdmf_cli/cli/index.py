"""rdmf index: build and refresh a library."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from rdmf_cli.cli import options, output_options, query_options, sampling_options

LibraryName = Annotated[
    str, typer.Option("--library", help="The library: a name, or the path of a folder.")
]


def index(
    paths: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="PATH...", help="Videos and folders; without a path: the paths of earlier runs."
        ),
    ] = None,
    library: LibraryName = "default",
    files_from: options.FilesFrom = None,
    null: options.Null = False,
    exclude: options.Exclude = None,
    jobs: Annotated[
        int,
        typer.Option("--jobs", "-j", min=1, max=64, help="Number of videos to extract at once."),
    ] = 1,
    status: Annotated[
        bool, typer.Option("--status", help="Show the state of the library; change nothing.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove missing and failed videos; index nothing.")
    ] = False,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Keep running: index new and changed videos until Ctrl-C."),
    ] = False,
    queries: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--query", "-q", help="With --watch: print each new moment that shows this."),
    ] = None,
    command: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--exec",
            metavar="COMMAND",
            help="With --query: run this for each moment; fields: {path}, {start}, {end}, "
            "{query}, {relevance}.",
        ),
    ] = None,
    cooldown: Annotated[
        float,
        typer.Option(
            "--cooldown",
            min=0,
            help="Minimum time in seconds between two runs of --exec for one query.",
        ),
    ] = 0.0,
    ray: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--ray",
            metavar="ADDRESS",
            help="Extract on the Ray cluster at HOST:PORT; auto: the cluster of this machine.",
        ),
    ] = None,
    clip_length: options.OwnClipLength = None,
    encoder: options.EncoderName = "auto",
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    sampling: sampling_options.OwnSampling = None,
    still: sampling_options.OwnStill = None,
    subtitles: query_options.Subtitles = "auto",
    transcribe: query_options.Transcribe = None,
    name_time: query_options.NameTime = None,
    as_json: options.Json = False,
    quiet: output_options.Quiet = False,
) -> None:
    """Extract the features of all videos of PATH into a library for `rdmf search --library`.

    A video that is in the library and has not changed is not decoded again. If interrupted, run the
    same command again to resume.
    """
    from rdmf_cli.api.indexing import Workers
    from rdmf_cli.api.searching import Chosen
    from rdmf_cli.cli.batch import open_searcher
    from rdmf_cli.cli.indexing import (
        check_options,
        end,
        note,
        prune_library,
        refresh,
        roots_of,
        show_status,
    )
    from rdmf_cli.library.library import Library, library_folder

    folder = library_folder(library)
    tasks = {"--status": status, "--prune": prune, "--watch": watch, "--ray": ray is not None}
    check_options(tasks, bool(paths or files_from), queries, command, cooldown)
    if status:
        with Library.open(folder) as opened:
            show_status(opened, as_json)
        return
    if prune:
        with Library.open(folder) as opened, opened.writing(note):
            prune_library(opened)
        return
    roots = roots_of(paths or [], files_from, null, exclude or ())
    with Library.make(folder) if roots else Library.open(folder) as opened:
        chosen = Chosen(encoder, clip_length, decoder, sampling, still, name_time).in_library(
            opened
        )
        heard = {"subtitles": subtitles, "transcribe": transcribe}
        searcher = open_searcher(**chosen, **heard, device=device)
        roots = roots or opened.catalogue.roots()
        if watch:
            from rdmf_cli.api.hook import Hook
            from rdmf_cli.api.watching import Watch
            from rdmf_cli.cli.watching import watch_library

            hook = None if command is None else Hook(command, cooldown)
            watch_library(Watch(searcher, opened, roots, queries or (), hook, jobs), as_json)
            return
        with opened.writing(note):
            done = refresh(opened, searcher, roots, Workers(jobs, ray), as_json)
        show_status(opened, as_json, done)
    end(done)
