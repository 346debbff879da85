"""Pages of answers and of hits: each page is one file that holds everything except the videos."""

from __future__ import annotations

import io
import os
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple
from urllib.parse import quote
from xml.etree.ElementTree import Element

from rdmf_cli.errors import RdmfError
from rdmf_cli.files import check_target, write_whole
from rdmf_cli.library.types import Hit
from rdmf_cli.moments.types import Answer, Moment
from rdmf_cli.outputs.html.page import KEYS, whole_page
from rdmf_cli.outputs.html.sections import section
from rdmf_cli.outputs.html.view import (
    ShownMoment,
    View,
    moment_of,
    moment_of_hit,
    presence_in_words,
    shown,
)
from rdmf_cli.outputs.table import PERHAPS_NOT, worth_listing
from rdmf_cli.text import counted, queries

WHAT = "the page"
FROM_FILES = "'self' file:"
"""The places from which the page of a file may load videos: files beside the page."""
GONE = "no pictures: {}"


class Asset(NamedTuple):
    """Hold the pictures of the moments of a video, and small videos of them if requested."""

    frames: list[tuple[str, ...]]
    clips: list[tuple[str, float]]
    note: str = ""


class MomentsPage:
    """Collect answers or hits, and write them as a page on closing.

    Args:
        path: The file.
        embed: Put each moment into the page as a small video; otherwise the page plays the videos
            from their folders.
        force: Replace a file that rdmf did not write.

    Raises:
        UsageError: The file exists, and rdmf did not write it.
    """

    def __init__(self, path: Path, *, embed: bool = False, force: bool = False):
        check_target(path, force=force, what=WHAT)
        self.path = path
        self.embed = embed
        self.force = force
        self.views: list[View] = []
        self._videos: dict[str, None] = {}

    def write(self, answer: Answer) -> None:
        """Add an answer; its pictures are decoded at once."""
        listed = worth_listing(answer.moments)
        asset = self._asset(answer.video, listed)
        self.views.append(
            View(
                query=answer.query,
                heading=f"“{answer.query}”",
                video=PurePath(answer.video).name,
                source=self._source(answer.video),
                about=presence_in_words(answer.presence),
                unsure=answer.presence < PERHAPS_NOT,
                duration=answer.duration,
                moments=tuple(_shown(asset, listed, moment_of)),
                saliency=answer.saliency,
                offset=answer.offset,
                clip_length=answer.clip_length,
                notes=(*answer.warnings, *filter(None, [asset.note])),
            )
        )

    def write_hits(self, hits: Iterable[Hit]) -> None:
        """Add the hits of a search."""
        for hit in hits:
            moments = (moment_of_hit(hit),)
            asset = self._asset(hit.video, moments)
            self.views.append(
                View(
                    query=hit.query,
                    heading=PurePath(hit.video).name,
                    video=hit.video,
                    source=self._source(hit.video),
                    about=f"relevance {hit.relevance:.2f}"
                    + ("" if hit.convinces else ", which does not convince"),
                    unsure=not hit.convinces,
                    duration=hit.duration,
                    moments=tuple(_shown(asset, moments, relevant_moment)),
                    notes=tuple(filter(None, [asset.note])),
                )
            )

    def close(self, grid: bool = False) -> Path:
        """Write the page.

        Args:
            grid: Put sections side by side, as is usual for hits.

        Raises:
            UsageError: The file is one of the videos, or rdmf did not write the file.
            RdmfError: The file cannot be written.
        """
        content = whole_page(_title(self.views), *_body(self.views, grid), media=FROM_FILES)
        return write_whole(self.path, content, inputs=self._videos, force=self.force, what=WHAT)

    def _source(self, video: str) -> str:
        self._videos[video] = None
        return "" if self.embed else address_of(Path(video), self.path.parent)

    def _asset(self, video: str, moments: Sequence[Moment]) -> Asset:
        try:
            return assets(video, moments, self.embed)
        except RdmfError as error:  # the video is missing or damaged: the page says so
            return Asset([()] * len(moments), [("", 0.0)] * len(moments), GONE.format(error))


def relevant_moment(moment: Moment, **more: object) -> ShownMoment:
    """Return the moment of a hit in the form that a page shows."""
    return shown(moment, f"relevance {moment.score:.2f}", **more)


def _shown(
    asset: Asset, moments: Sequence[Moment], make: Callable[..., ShownMoment]
) -> Iterable[ShownMoment]:
    for moment, frames, (clip, start) in zip(moments, asset.frames, asset.clips, strict=True):
        yield make(moment, frames=frames, clip=clip, clip_start=start)


def assets(video: str, moments: Sequence[Moment], embed: bool) -> Asset:
    """Decode the pictures of moments, and the clips of moments if the page embeds clips.

    Raises:
        RdmfError: The video cannot be read.
    """
    if not moments:
        return Asset([], [])
    from rdmf_cli.handover.cutting import span_of, write_preview
    from rdmf_cli.handover.stills import PLACES, jpeg, scanned, stills, times_in

    found = scanned(video)
    pictures = stills(found, [time for moment in moments for time in times_in(moment)])
    encoded = [data_address(jpeg(picture), "image/jpeg") for picture in pictures]
    count = len(PLACES)
    frames = [tuple(encoded[n * count : (n + 1) * count]) for n in range(len(moments))]
    clips: list[tuple[str, float]] = []
    for moment in moments:
        if not embed:
            clips.append(("", 0.0))
            continue
        span, file = span_of(found, moment.start, moment.end), io.BytesIO()
        write_preview(file, span)
        clips.append((data_address(file.getvalue(), "video/mp4"), span.player_times[0]))
    return Asset(frames, clips)


def data_address(content: bytes, kind: str) -> str:
    """Write content as a data address (`data:`), which holds the content itself."""
    return f"data:{kind};base64,{b64encode(content).decode()}"


def address_of(video: Path, folder: Path) -> str:
    """Write the address of a file, relative to the folder of the page.

    >>> address_of(Path("films/a b#1.mp4"), Path("."))
    './films/a%20b%231.mp4'
    """
    try:
        relative = os.path.relpath(video, folder)
    except ValueError:  # the video is on another drive
        return video.resolve().as_uri()
    return "./" + quote(os.fsencode(relative.replace(os.sep, "/")))


def _title(views: Sequence[View]) -> str:
    asked = list(dict.fromkeys(view.query for view in views))
    return f"“{asked[0]}”" if len(asked) == 1 else f"Moments of {queries(len(asked))}"


def _body(views: Sequence[View], grid: bool) -> list[Element]:
    from rdmf_cli import __version__
    from rdmf_cli.outputs.page import element

    moments = sum(len(view.moments) for view in views)
    videos = len({view.source or view.video for view in views})
    many = f"{counted(moments, 'moment')} in {counted(videos, 'video')}"
    play = element("button", "Play all", type="button", class_="action", id="play-all")
    head = element(
        "div",
        element("h1", _title(views)),
        element("p", f"{many}, found by rdmf {__version__}", class_="about"),
    )
    sections = [section(view, number) for number, view in enumerate(views, 1)]
    return [
        element("header", head, play),
        element("main", *sections, class_="grid" if grid else "list"),
        element("footer", element("p", KEYS)),
    ]
