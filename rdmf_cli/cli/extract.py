"""rdmf extract: fill the feature cache, and write feature files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from rdmf_cli.cli import options, output_options, sampling_options

if TYPE_CHECKING:
    from rdmf_cli.outputs.payloads.extraction import Extraction


def extract(
    videos: Annotated[list[str], typer.Argument(metavar="VIDEO...", help="Videos or folders.")],
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--out",
            help="Also write the features to VIDEO.npz in this folder: key `features`, float16, "
            "one row per clip.",
        ),
    ] = None,
    recursive: options.Recursive = False,
    clip_length: options.ClipLength = 2.0,
    start: options.Start = None,
    end: options.End = None,
    encoder: options.EncoderName = "auto",
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    sampling: sampling_options.Sampling = "exact",
    still: sampling_options.Still = 0.0,
    no_cache: options.NoCache = False,
    force: options.Force = False,
    as_json: options.Json = False,
    quiet: output_options.Quiet = False,
) -> None:
    """Extract the features of VIDEO into the cache: later queries with the same options are fast.

    Features have one row per clip and are not normalised, as in published feature files.
    """
    from rdmf_cli.cli.batch import for_each_video, open_searcher
    from rdmf_cli.cli.output import json_writer
    from rdmf_cli.cli.progress import extraction_progress
    from rdmf_cli.cli.report import say_warnings
    from rdmf_cli.features.owned_files import check_features_file, same_name, save_features_of
    from rdmf_cli.outputs.payloads.extraction import Extraction
    from rdmf_cli.text import one_line

    searcher = open_searcher(
        encoder=encoder,
        clip_length=clip_length,
        device=device,
        decoder=decoder,
        sampling=sampling,
        still=still,
        cache=not no_cache,
    )

    owners: dict[str, Path] = {}

    def work(path: Path) -> list[Extraction]:
        if out is not None:
            if (owner := owners.setdefault(path.stem, path)) != path:
                raise same_name(path, owner)
            check_features_file(out, path, force=force)
        with extraction_progress(path.name) as searcher.progress:
            features = searcher.extract(path, start=start, end=end)
        file = None
        if out is not None:
            file = save_features_of(out, path, features.rows, force=force)
        say_warnings(path, features.warnings)
        return [Extraction.of(path, features, file)]

    write = json_writer() if as_json else lambda made: typer.echo(one_line(made.in_words))
    for_each_video(videos, as_json, work, write, recursive)
