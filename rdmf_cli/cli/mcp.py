"""rdmf mcp: tools for agents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from rdmf_cli.cli import options, sampling_options


def mcp(
    paths: Annotated[
        Optional[list[str]],  # noqa: UP045  (typer reads this at run time on Python 3.10)
        typer.Argument(metavar="PATH...", help="Folders and videos that the tools may read."),
    ] = None,
    library: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--library", help="Search a library made by rdmf index: its name or folder."),
    ] = None,
    cuts: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--cuts", metavar="DIR", help="Let the tool cut write videos into DIR."),
    ] = None,
    clip_length: options.OwnClipLength = None,
    encoder: options.EncoderName = "auto",
    head: options.HeadName = "auto",
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    sampling: sampling_options.OwnSampling = None,
    still: sampling_options.OwnStill = None,
) -> None:
    """Give agents the tools search, query, cut and library_status (Model Context Protocol).

    An agent starts this command and talks to it over stdin and stdout. The tools read only PATH and
    the videos of the library, and write only with --cuts.
    """
    from rdmf_cli.errors import MissingExtra

    try:
        from rdmf_cli.mcp.server import make_server
    except ImportError as error:
        raise MissingExtra("rdmf mcp", "mcp") from error
    from rdmf_cli.api.searching import Chosen
    from rdmf_cli.mcp.reach import Reach
    from rdmf_cli.mcp.tools import Tools

    chosen = Chosen(encoder, clip_length, decoder, sampling, still)
    loaded = {"head": head, "checkpoint": checkpoint, "device": device}
    tools = Tools(
        Reach.of(paths or [], library, cuts),
        chosen,
        loaded,
    )
    make_server(tools).run("stdio")
