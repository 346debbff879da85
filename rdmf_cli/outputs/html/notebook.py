"""An answer as a notebook displays it: the curve, and a small picture of each moment.

Notebooks have many themes, and some of them remove style sheets. So each element carries its own
style, text keeps the colour of the notebook, and all drawn colours can be seen on light and on dark
ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from xml.etree.ElementTree import Element, tostring

from rdmf_cli.errors import RdmfError, errors_of
from rdmf_cli.moments.types import Answer, Moment
from rdmf_cli.outputs.html.moments import GONE, data_address
from rdmf_cli.outputs.html.sections import drawing, ticks
from rdmf_cli.outputs.html.view import View, moment_of, presence_in_words
from rdmf_cli.outputs.page import element
from rdmf_cli.outputs.table import PERHAPS_NOT, worth_listing
from rdmf_cli.text import clock, date_and_time

WIDTH = 200  # pixels of a picture; on the page 160
QUALITY = 60  # of JPEG
MOST_MOMENTS = 8
STYLES = {
    "curve": (
        "fill:#3f87bf;fill-opacity:.4;stroke:#3f87bf;stroke-width:1.5px;"
        "vector-effect:non-scaling-stroke"
    ),
    "band": "fill:#0072b2;fill-opacity:.28",
    "band best": "fill:#e08214;fill-opacity:.45",
}
"""The style of each class that `sections.drawing` writes."""
SOFT = "opacity:.8;font-size:.9em"
NUMBERS = "font-variant-numeric:tabular-nums"


def answer_html(answer: Answer) -> str:
    """Write an answer as HTML without scripts, style sheets and addresses.

    If the video cannot be read, a note takes the place of the pictures.

    Args:
        answer: The answer.
    """
    listed = worth_listing(answer.moments)[:MOST_MOMENTS]
    pictures, note = _pictures(answer.video, listed)
    left_out = len(answer.moments) - len(listed)
    more = f"and {left_out} more" if left_out else ""
    notes = [text for text in (*answer.warnings, note, more) if text]
    about = f"{PurePath(answer.video).name} · {presence_in_words(answer.presence)}"
    items = [_moment(moment, answer, src) for moment, src in zip(listed, pictures, strict=True)]
    style = "list-style:none;margin:.6em 0 0;padding:0;display:flex;flex-wrap:wrap;gap:.8em"
    whole = element(
        "div",
        element("div", f"“{answer.query}”", style="font-weight:600;overflow-wrap:anywhere"),
        element("div", about, style=f"{SOFT};overflow-wrap:anywhere"),
        *(_timeline(answer, listed) if answer.saliency else []),
        element("ol", *items, style=style) if items else element("div", "No moments.", style=SOFT),
        *(element("div", text, style=f"{SOFT};margin-top:.4em") for text in notes),
        style="max-width:56em;line-height:1.4",
    )
    return tostring(whole, encoding="unicode", method="html")


def _pictures(video: str, moments: Sequence[Moment]) -> tuple[list[str], str]:
    """Return the address of a picture per moment, and a note if there are none."""
    if not moments:
        return [], ""
    from rdmf_cli.handover.stills import jpeg, stills

    try:
        with errors_of(video):
            images = stills(video, [(m.start + m.end) / 2 for m in moments], WIDTH)
            return [data_address(jpeg(image, QUALITY), "image/jpeg") for image in images], ""
    except RdmfError as error:  # the video has been moved or is damaged: the rest is shown
        return [""] * len(moments), GONE.format(error)


def _timeline(answer: Answer, moments: Sequence[Moment]) -> list[Element]:
    view = View(
        query=answer.query,
        heading="",
        video=answer.video,
        source="",
        about="",
        unsure=answer.presence < PERHAPS_NOT,
        duration=answer.duration,
        moments=tuple(moment_of(moment) for moment in moments),
        saliency=answer.saliency,
        offset=answer.offset,
        clip_length=answer.clip_length,
    )
    told = f"Saliency from 0:00 to {clock(answer.duration, decimals=0)}"
    line = "display:block;width:100%;height:64px;margin-top:.5em;border-bottom:1px solid #888"
    line_of_curve, *bands = drawing(view)
    curve = element("svg", *bands, line_of_curve, role="img", aria_label=told, style=line)
    below = "display:block;width:100%;height:16px;fill:currentColor;font-size:12px;opacity:.8"
    axis = element("svg", *ticks(answer.duration), aria_hidden="true", style=below)
    for drawn in curve.iter():
        if kind := drawn.attrib.pop("class", ""):
            drawn.set("style", STYLES[kind])
    return [curve, axis]


def _moment(moment: Moment, answer: Answer, picture: str) -> Element:
    middle = clock((moment.start + moment.end) / 2)
    image = element(
        "img",
        src=picture,
        alt=f"{PurePath(answer.video).name} at {middle}",
        style="display:block;width:160px;max-width:100%;height:auto;margin:0;border-radius:4px",
    )
    rank = element("b", str(moment.rank), style="margin-right:.6em")
    span = f"{clock(moment.start)} – {clock(moment.end)}"
    recorded = date_and_time(moment.recorded_at) if moment.recorded_at else ""
    return element(
        "li",
        *([image] if picture else []),
        element("div", rank, span, style=NUMBERS),
        element("div", f"score {moment.score:.2f}", style=f"{SOFT};{NUMBERS}"),
        *([element("div", recorded, style=f"{SOFT};{NUMBERS}")] if recorded else []),
        style="margin:0;width:160px",
    )
