"""HTML pages without scripts and fonts, for which a browser loads no other file.

A page is a tree of elements, so that all text is escaped.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, tostring

from rdmf_cli.text import one_line

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""What a browser may load for the page: nothing."""

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3, p { overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: .15rem .8rem .15rem 0; text-align: left; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
td.number, th.number { text-align: right; }
thead th { border-bottom: 1px solid; }
section.query { border-top: 1px solid #8888; padding: .6rem 0; }
section.query h3 { margin: 0; font-weight: 600; }
.about { opacity: .75; margin: 0; }
svg { width: 100%; height: auto; }
.lanes { display: flex; gap: .6rem; font: 11px/14px system-ui, sans-serif; }
.lanes div { flex: none; width: 4rem; display: flex; flex-direction: column; }
.lanes svg { flex: 1; min-width: 0; height: 42px; }
"""


def element(tag: str, *children: Element | str, **attributes: object) -> Element:
    """Make an element.

    Control characters in text are replaced, because HTML does not allow control characters.

    Args:
        tag: Name of the element.
        *children: Elements and texts.
        **attributes: Attributes; write `class_` for class, and an underscore for a hyphen.
    """
    named = {
        name.rstrip("_").replace("_", "-"): one_line(str(value))
        for name, value in attributes.items()
    }
    made = Element(tag, named)
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + one_line(child)
        else:
            made.text = (made.text or "") + one_line(child)
    return made


def table(columns: list[str], rows: list[list[str]], words: int = 1) -> Element:
    """Make a table: its first `words` columns are text, all further columns are numbers."""
    kinds = ["word" if place < words else "number" for place in range(len(columns))]
    return element(
        "table",
        element("thead", _row("th", columns, kinds)),
        element("tbody", *(_row("td", row, kinds) for row in rows)),
    )


def _row(tag: str, texts: list[str], kinds: list[str]) -> Element:
    cells = zip(texts, kinds, strict=True)
    return element("tr", *(element(tag, text, class_=kind) for text, kind in cells))


def document(title: str, *body: Element) -> bytes:
    """Write a whole page in UTF-8."""
    style = Element("style")
    style.text = STYLE  # the only text that is not escaped; it never comes from outside
    head = element(
        "head",
        element("meta", charset="utf-8"),
        Element("meta", {"http-equiv": "Content-Security-Policy", "content": POLICY}),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        style,
    )
    page = element("html", head, element("body", element("h1", title), *body), lang="en")
    content: bytes = b"<!DOCTYPE html>\n" + tostring(page, encoding="utf-8", method="html")
    return content
