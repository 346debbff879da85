"""The elements of a page: a player, the timeline with the curve, and moments with pictures."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

import numpy as np

from rdmf_cli.outputs.axis import largest_per_column, tick_step
from rdmf_cli.outputs.html.view import ShownMoment, View
from rdmf_cli.outputs.page import element
from rdmf_cli.text import clock

WIDE, HIGH = 1000, 100  # units of the drawing of the curve
POINTS = 500  # columns of the curve at most; a column shows the largest value of its clips
TICKS = 6
LEAST = 0.4  # percent of the width; a shorter moment is drawn with this width


def section(view: View, number: int) -> Element:
    """Make the section of one video and query.

    Args:
        view: The content of the section.
        number: The number of the section on the page, from 1.
    """
    name = element("span", view.video, class_="name")
    children = [
        element("h2", view.heading),
        element(
            "p",
            *([] if view.video == view.heading else [name]),
            element("span", view.about, class_="unsure" if view.unsure else "sure"),
            class_="about",
        ),
        *(element("p", note, class_="note") for note in view.notes),
    ]
    if view.moments:
        children += [_stage(view), _moments(view)]
    else:
        children.append(element("p", "No moments: nothing here scored high enough."))
    return element("section", *children, class_="answer", aria_label=f"{number}. {view.heading}")


def _stage(view: View) -> Element:
    best = view.moments[0]
    poster = best.frames[len(best.frames) // 2] if best.frames else ""
    attributes = {"controls": "", "playsinline": "", "preload": "none", "tabindex": "-1"}
    if poster:
        attributes["poster"] = poster
    if view.source:
        attributes["src"] = view.source
    return element(
        "div",
        element("video", aria_label=f"Video {view.video}", **attributes),
        element("p", class_="problem", role="status"),
        _timeline(view),
        class_="stage",
    )


def _timeline(view: View) -> Element:
    return element(
        "div",
        element("svg", *drawing(view), class_="drawing", aria_hidden="true"),
        element("div", class_="cursor"),
        element("svg", *ticks(view.duration), class_="ticks", aria_hidden="true"),
        class_="timeline",
        role="slider",
        tabindex=0,
        aria_label=f"Time in {view.video}; a click plays from there",
        aria_valuemin=0,
        aria_valuemax=f"{view.duration:.3f}",
        aria_valuenow=0,
        aria_valuetext="0:00",
        data_duration=f"{view.duration:.3f}",
    )


def drawing(view: View) -> Iterator[Element]:
    """Draw the curve of a view and the bands of its moments, as elements inside an `<svg>`."""
    if view.saliency:
        yield element(
            "svg",
            element("path", d=_curve(view), class_="curve"),
            viewBox=f"0 0 {WIDE} {HIGH}",
            preserveAspectRatio="none",
            width="100%",
            height="100%",
        )
    for moment in reversed(view.moments):
        x, width = _percent(moment.start, view), _percent(moment.end - moment.start, view)
        yield element(
            "rect",
            x=f"{x:.3f}%",
            width=f"{max(width, LEAST):.3f}%",
            y=0,
            height="100%",
            class_="band best" if moment.rank == view.moments[0].rank else "band",
            data_rank=moment.rank,
        )


def _percent(seconds: float, view: View) -> float:
    return 100 * seconds / (view.duration or 1.0)


def _curve(view: View) -> str:
    """Draw the saliency as a filled path of steps, one per clip or column."""
    values = largest_per_column(np.asarray(view.saliency), min(len(view.saliency), POINTS))
    edges = view.offset + np.linspace(0, len(view.saliency), len(values) + 1) * view.clip_length
    across = np.clip(edges / (view.duration or 1.0), 0, 1) * WIDE
    steps = [f"M{across[0]:.1f} {HIGH}"]
    for value, right in zip(values, across[1:], strict=True):
        steps.append(f"V{HIGH * (1 - value):.1f}H{right:.1f}")
    return "".join(steps) + f"V{HIGH}Z"


def ticks(duration: float) -> Iterator[Element]:
    """Write the labels of the time axis of a video, as elements inside an `<svg>`.

    Args:
        duration: Length of the video in seconds.

    Yields:
        Elements for an `<svg>` of 16 pixels height.
    """
    step = tick_step(duration, TICKS)
    for seconds in np.arange(0, duration, step):
        share = 100 * float(seconds) / duration
        if share > 95:  # near the right edge, the label would not fit
            break
        label = clock(float(seconds), decimals=0 if step >= 1 else 1)
        yield element("text", label, x=f"{share:.2f}%", y=11)


def _moments(view: View) -> Element:
    return element("ol", *(_moment(moment) for moment in view.moments), class_="moments")


def _moment(moment: ShownMoment) -> Element:
    span = f"{clock(moment.start)} – {clock(moment.end)}"
    facts: dict[str, object] = {
        "data_start": f"{moment.start:.6f}",
        "data_end": f"{moment.end:.6f}",
    }
    if moment.clip:
        facts |= {"data_clip": moment.clip, "data_clip_start": f"{moment.clip_start:.6f}"}
    pictures = [
        element("img", src=frame, alt="", loading="lazy", decoding="async")
        for frame in moment.frames
    ]
    told = element("span", f"recorded {moment.recorded}", class_="recorded")
    recorded = [told] if moment.recorded else []
    button = element(
        "button",
        element("span", *pictures, class_="frames"),
        element(
            "span",
            element("span", "Play moment", class_="heard"),
            element("span", str(moment.rank), class_="rank"),
            element("span", span, class_="time"),
            element("span", moment.worth, class_="worth"),
            class_="facts",
        ),
        *recorded,
        type="button",
        class_="moment",
        **facts,
    )
    links = [element("a", label, href=address) for label, address in moment.links]
    row = [element("p", *links, class_="links spread")] if links else []
    return element("li", button, *row)
