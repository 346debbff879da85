"""rdmf extract: fill the feature cache, and write the field's layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from rdmf_cli.cli import options

if TYPE_CHECKING:
    from rdmf_cli.features import VideoFeatures


def extract(
    videos: Annotated[list[str], typer.Argument(metavar="VIDEO...", help="Videos or folders.")],
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", help="Also write <video>.npz here, key `features`, float16 (L, D)."),
    ] = None,
    recursive: options.Recursive = False,
    clip_length: options.ClipLength = 2.0,
    start: options.Start = None,
    end: options.End = None,
    encoder: options.EncoderName = "auto",
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    no_cache: options.NoCache = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Decode and encode VIDEO once, so that queries answer at once.

    The rows are as the encoder gives them, one a clip, not normalised: the layout of the field's
    feature files.
    """
    from rdmf_cli.cli.batch import for_each_video, open_searcher
    from rdmf_cli.cli.report import extraction_progress, say_warnings
    from rdmf_cli.features import save_video_features
    from rdmf_cli.files import check_target

    written = _Written()
    searcher = open_searcher(
        encoder=encoder,
        clip_length=clip_length,
        device=device,
        decoder=decoder,
        cache=not no_cache,
    )

    def work(path: Path) -> list[str]:
        if out is not None:
            written.claim(path)
            check_target(out / f"{path.stem}.npz", inputs=[path], force=force, what="the features")
        with extraction_progress(path.name) as searcher.progress:
            features = searcher.extract(path, start=start, end=end)
        file = None
        if out is not None:
            file = save_video_features(out, path.stem, features.rows, force=force)
        say_warnings(path, features.warnings)
        return [json.dumps(_told(path, features, file)) if as_json else _line(path, features)]

    for_each_video(videos, as_json, work, typer.echo, recursive)


class _Written:
    """Which video each file of --out belongs to: two must not share one."""

    def __init__(self) -> None:
        self.owners: dict[str, Path] = {}

    def claim(self, path: Path) -> None:
        """Raises RdmfError where another video of this run has the same name."""
        from rdmf_cli.errors import RdmfError

        if (owner := self.owners.setdefault(path.stem, path)) != path:
            what = f"its features would overwrite those of {owner}: both are {path.stem}.npz"
            raise RdmfError(what, path, "extract one of them into another --out")


def _told(path: Path, features: VideoFeatures, file: Path | None) -> dict[str, Any]:
    from rdmf_cli.text import valid_text

    return {
        "schema": "rdmf.extract/1",
        "video": valid_text(str(path)),
        "clips": len(features.rows),
        "size": features.rows.shape[1],
        "clip_length": features.clip_length,
        "offset": features.offset,
        "duration": round(features.duration, 3),
        "encoder": features.encoder,
        "decoder": features.decoder,
        "cached": features.cached,
        "frames_decoded": features.frames_decoded,
        "frames_failed": features.frames_failed,
        "warnings": list(features.warnings),
        "file": None if file is None else valid_text(str(file)),
        "timings": {name: round(value, 3) for name, value in features.timings.items()},
    }


def _line(path: Path, features: VideoFeatures) -> str:
    from rdmf_cli.text import one_line

    clips, size = features.rows.shape
    how = "cached" if features.cached else f"{features.timings['extract']:.1f} s"
    return f"{one_line(str(path))}: {clips} clips × {size}, {features.encoder} ({how})"
