"""A whole page with its style and script, and the rules for what a browser may load."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

from rdmf_cli.outputs.page import element

HERE = Path(__file__).parent
KEYS = (
    "Keys: Tab goes from moment to moment, Enter plays one, 1 to 9 play the moments of a video. "
    "On the curve, the arrows move by a second, with Shift by a tenth. "
    "A moment stops at its end; press it again to repeat it."
)


def whole_page(title: str, *body: Element, media: str, more: str = "") -> bytes:
    """Write a page in UTF-8; the page contains its style and script.

    Args:
        title: Title.
        *body: The elements below the title.
        media: The places from which a browser may load videos and pictures, in the form of CSP.
        more: Further directives of the content security policy.
    """
    style, script = read("player.css"), read("player.js")
    policy = f"default-src 'none'; {allowed(media)}{more}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        Element("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        _verbatim("style", style),
    )
    inside = element("body", *body, _verbatim("script", script))
    page = element("html", head, inside, lang="en")
    text: bytes = tostring(page, encoding="utf-8", method="html")
    return b"<!DOCTYPE html>\n" + text


def allowed(media: str) -> str:
    """Write the directives of the content security policy for a page of rdmf."""
    style, script = _hash(read("player.css")), _hash(read("player.js"))
    return f"style-src {style}; script-src {script}; img-src data: {media}; media-src data: {media}"


@cache
def read(name: str) -> str:
    """Read the file of the style or of the script."""
    return (HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _verbatim(tag: str, text: str) -> Element:
    """Make an element with text that is not escaped; only text of rdmf itself may be given."""
    made = Element(tag)
    made.text = text
    return made
