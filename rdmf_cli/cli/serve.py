"""rdmf serve: search and look at moments in a browser."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from rdmf_cli.cli import options, output_options, sampling_options

if TYPE_CHECKING:
    from rdmf_cli.web.sources import Source

PORT = 8765


def serve(
    paths: Annotated[
        Optional[list[str]],  # noqa: UP045  (typer reads this at run time on Python 3.10)
        typer.Argument(
            metavar="PATH...", help="Videos and folders; leave them out with --library."
        ),
    ] = None,
    library: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--library", help="Serve a library made by rdmf index: its name or folder."),
    ] = None,
    host: Annotated[
        str,
        typer.Option("--host", help="Address to listen on; other machines need the token."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port; 0: any free port.")
    ] = PORT,
    exclude: options.Exclude = None,
    clip_length: options.OwnClipLength = None,
    encoder: options.EncoderName = "auto",
    head: options.HeadName = "auto",
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    sampling: sampling_options.OwnSampling = None,
    still: sampling_options.OwnStill = None,
    quiet: output_options.Quiet = False,
) -> None:
    """Search PATH or a library in a browser, and play, cut and export the moments.

    The server answers only this machine. With --host it also answers other machines; then the
    printed address contains a token, and the server shows nothing without the token.
    """
    import secrets

    from rdmf_cli.api.searching import Chosen
    from rdmf_cli.errors import MissingExtra

    try:
        import uvicorn

        from rdmf_cli.web.app import make_app
        from rdmf_cli.web.guard import LOCAL, is_local
    except ImportError as error:
        raise MissingExtra("rdmf serve", "web") from error
    chosen = Chosen(encoder, clip_length, decoder, sampling, still)
    loaded = {"head": head, "checkpoint": checkpoint, "device": device}
    source = _source(
        paths or [],
        library,
        exclude or [],
        chosen,
        loaded,
    )
    token = "" if is_local(host) else secrets.token_urlsafe(24)
    app = make_app(source, frozenset() if token else LOCAL | {host}, token)
    with listening_on(host, port) as listening:
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{listening.getsockname()[1]}/"
        typer.echo(address + (f"?token={token}" if token else ""))
        uvicorn.Server(uvicorn.Config(app, log_level="error", server_header=False)).run([listening])


def _source(
    paths: list[str], library: str | None, exclude: list[str], chosen: Any, loaded: dict[str, Any]
) -> Source:
    from rdmf_cli.cli.batch import open_searcher
    from rdmf_cli.cli.report import report
    from rdmf_cli.cli.work_bar import work_progress
    from rdmf_cli.errors import RdmfError, UsageError
    from rdmf_cli.library.library import Library, library_folder
    from rdmf_cli.library.listing import list_videos
    from rdmf_cli.web.sources import Files, Kept

    if (library is None) == (not paths):
        raise UsageError("give either paths or --library", todo="rdmf serve FOLDER")
    if library is not None:
        folder = library_folder(library)
        with Library.open(folder) as opened:
            return Kept(open_searcher(**chosen.in_library(opened), **loaded), folder)
    listed = list(list_videos(paths, exclude))
    videos = [Path(video).absolute() for video in listed if not isinstance(video, RdmfError)]
    source = Files(open_searcher(**chosen.alone(), **loaded), videos)
    source.failed += [error for error in listed if isinstance(error, RdmfError)]
    with work_progress() as show:
        source.prepare(show)
    for error in source.failed:
        report(error)
    if len(source.failed) == len(listed):
        raise RdmfError(
            "there is no video that can be searched", todo="name other files or folders"
        )
    return source


def listening_on(host: str, port: int) -> socket.socket:
    """Open a socket that listens, so that the address is known before rdmf prints it.

    Raises:
        RdmfError: The port is in use, or the address does not belong to this machine.
    """
    from rdmf_cli.errors import RdmfError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        what = f"cannot be used as the address of the server ({error.strerror or error})"
        raise RdmfError(
            what, f"{host}:{port}", "choose another --port; 0: any free port"
        ) from error
    return listening
