"""The option --cut of rdmf search: write the hits as separate videos."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from rdmf_cli.errors import RdmfError
    from rdmf_cli.handover.cutter import Cutter
    from rdmf_cli.library.types import Hit

CutFolder = Annotated[
    Optional[Path],  # noqa: UP045  (typer reads this at run time on Python 3.10)
    typer.Option(
        "--cut",
        metavar="DIR",
        help="Also cut the moments into this folder, as STEM_RANK.mp4, exact to the frame.",
    ),
]


class HitCutter:
    """Cut hits into a folder.

    Args:
        folder: The value of --cut; None: nothing is cut.
        force: Replace files that rdmf did not write.

    Raises:
        RdmfError: The folder cannot be made.
    """

    def __init__(self, folder: Path | None, force: bool):
        self._cutter: Cutter | None = None
        self._folder = folder
        if folder is None:
            return
        from rdmf_cli.handover.cutter import Cutter
        from rdmf_cli.handover.written import NAME

        _make(folder)
        literal = str(folder).replace("{", "{{").replace("}", "}}")
        self._cutter = Cutter(str(Path(literal, NAME)), force=force)

    def without_cuts(self, videos: Iterable[Path | RdmfError]) -> list[Path | RdmfError]:
        """Leave out the cuts of earlier searches: files of rdmf in the folder of --cut."""
        return [video for video in videos if not (isinstance(video, Path) and self._is_cut(video))]

    def _is_cut(self, video: Path) -> bool:
        from rdmf_cli.files import is_own

        if self._folder is None:
            return False
        return video.resolve().parent == self._folder.resolve() and is_own(video)

    def cut(self, hits: Sequence[Hit], as_json: bool) -> list[RdmfError]:
        """Cut the hits and print the path of each file on stderr; return what failed.

        Raises:
            UsageError: A file of this name exists that rdmf did not write.
            NothingFoundError: No hit was cut, because the query is probably in none of the videos.
        """
        from rdmf_cli.cli.report import report, say
        from rdmf_cli.errors import RdmfError, UsageError

        if self._cutter is None:
            return []
        failed: list[RdmfError] = []
        for hit in hits:
            try:
                self._cut(self._cutter, hit)
            except UsageError:
                raise
            except RdmfError as error:
                report(error, as_json)
                failed.append(error)
        for refusal in self._cutter.refused:
            say("note", f"not cut: {refusal}")
        if not failed:
            _require_something(self._cutter)
        return failed

    def _cut(self, cutter: Cutter, hit: Hit) -> None:
        from rdmf_cli.cli.report import say
        from rdmf_cli.errors import errors_of
        from rdmf_cli.moments.types import Moment

        moment = Moment(
            rank=hit.rank, start=hit.start, end=hit.end, score=hit.score, raw_score=hit.score
        )
        with errors_of(hit.video):
            for cut in cutter.cut_moment(hit.video, hit.query, hit.presence, moment):
                say("written", str(cut.path))


def _require_something(cutter: Cutter) -> None:
    from rdmf_cli.errors import NothingFoundError

    if not cutter.spans:
        raise NothingFoundError("nothing was found to cut", todo="rdmf cut --anyway cuts it")


def _make(folder: Path) -> None:
    from rdmf_cli.errors import errors_of

    with errors_of(folder):
        folder.mkdir(parents=True, exist_ok=True)
