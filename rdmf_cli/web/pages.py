"""The pages of a server: the search box, and the moments that were found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from rdmf_cli.library.types import Hit
from rdmf_cli.outputs.html.moments import relevant_moment
from rdmf_cli.outputs.html.page import KEYS, whole_page
from rdmf_cli.outputs.html.sections import section
from rdmf_cli.outputs.html.view import View, moment_of_hit
from rdmf_cli.outputs.page import element
from rdmf_cli.text import counted
from rdmf_cli.web.sources import key_of

EXPORTS = ("edl", "otio", "fcpxml", "markers", "csv")
PLACES = (1 / 6, 1 / 2, 5 / 6)  # shares of a moment's length at which its pictures are taken


class Curve(NamedTuple):
    """The saliency of a video: one number per clip, the first clip's start, seconds per clip."""

    saliency: tuple[float, ...] = ()
    offset: float = 0.0
    clip_length: float = 2.0


class Asked(NamedTuple):
    """The request of a visitor: text that was typed, or a link that was followed.

    Attributes:
        words: The query.
        like: If the page shows moments that are similar to one moment: the key of its video and
            the time of its middle in seconds, such as "KEY@12.5"; else "".
    """

    words: str = ""
    like: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """The fields of the address for the same request."""
        return {name: value for name, value in (("q", self.words), ("like", self.like)) if value}


def search_page(
    asked: Asked,
    hits: Sequence[Hit] = (),
    curves: Sequence[Curve] = (),
    videos: int = 0,
    problem: str = "",
) -> bytes:
    """Write the page of a search.

    Args:
        asked: The request; empty on the first page.
        hits: The moments that were found.
        curves: The curve of each hit.
        videos: Number of videos that are searched.
        problem: The error to show; "": none.
    """
    shown = zip(hits, curves, strict=True)
    sections = [section(_view(hit, curve), n) for n, (hit, curve) in enumerate(shown, 1)]
    head = element(
        "div",
        element("h1", "Search moments"),
        element("p", f"{counted(videos, 'video')} on this machine", class_="about"),
    )
    play = element("button", "Play all", type="button", class_="action", id="play-all")
    told = [element("p", problem, class_="error", role="alert")] if problem else []
    if asked.fields and not problem:
        told = [element("p", _summary(hits), role="status", class_="about")]
    body = [element("header", head, *([play] if hits else [])), _form(asked)]
    grid = element("div", *sections, class_="grid")
    main = element("main", *told, grid, *([_exports(asked)] if hits else []))
    title = f"{asked.words or 'more like this'} – rdmf" if asked.fields else "rdmf"
    footer = element("footer", element("p", KEYS))
    return whole_page(title, *body, main, footer, media="'self'", more="; form-action 'self'")


def _summary(hits: Sequence[Hit]) -> str:
    if not hits:
        return "No moments: nothing in these videos scored high enough."
    sure = sum(hit.convinces for hit in hits)
    if not sure:
        return "Nothing convinces; the nearest moments are:"
    return f"{counted(sure, 'moment')} that convince, of {len(hits)} listed"


def _form(asked: Asked) -> Element:
    box = element(
        "input", type="search", name="q", value=asked.words, autofocus="", autocomplete="off"
    )
    return element(
        "form",
        element("label", "What do you look for?", box, class_="wide"),
        element("button", "Search", type="submit", class_="action primary"),
        action="/",
        method="get",
        role="search",
    )


def _exports(asked: Asked) -> Element:
    links = [
        element("a", f".{form}", href=f"/export.{form}?{urlencode(asked.fields)}", download="")
        for form in EXPORTS
    ]
    return element("p", element("span", "Hand on as"), *links, class_="links spread")


def _view(hit: Hit, curve: Curve) -> View:
    key = key_of(hit.video)
    span = hit.end - hit.start
    times = [hit.start + place * span for place in PLACES]
    part = urlencode({"start": f"{hit.start:.3f}", "end": f"{hit.end:.3f}"})
    middle = f"{hit.start + span / 2:.3f}"
    moment = relevant_moment(
        moment_of_hit(hit),
        frames=tuple(f"/frame/{key}?t={time:.3f}" for time in times),
        links=(
            ("Cut and download", f"/cut/{key}?{part}"),
            ("More like this", f"/?{urlencode({'like': f'{key}@{middle}'})}"),
        ),
    )
    unsure = "" if hit.convinces else ", does not convince"
    return View(
        query=hit.query,
        heading=PurePath(hit.video).name,
        video=PurePath(hit.video).name,
        source=f"/video/{key}",
        about=f"presence {hit.presence:.2f}{unsure}",
        unsure=not hit.convinces,
        duration=hit.duration,
        moments=(moment,),
        saliency=curve.saliency,
        offset=curve.offset,
        clip_length=curve.clip_length,
        notes=tuple(f"said: “{quote.text}”" for quote in hit.said[:1]),
    )
