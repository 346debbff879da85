"""Draw the figures of boxes and arrows as SVG; each function returns a part as a string."""

from __future__ import annotations

from html import escape

BOX_HEIGHT, GAP = 74, 20
LEFT, TOP = 20, 74
INK, FAINT, LINE = "#1b2a38", "#5c6b7a", "#8896a4"
FILL = {"data": "#eef3f7", "ours": "#fdebd3", "learned": "#e4efe2"}


def text(x: float, y: float, words: str, size: int = 13, colour: str = INK, more: str = "") -> str:
    lines = words.split("\n")
    spans = "".join(
        f'<tspan x="{x}" dy="{0 if i == 0 else size + 3}">{escape(line)}</tspan>'
        for i, line in enumerate(lines)
    )
    style = f'font-size="{size}" fill="{colour}" text-anchor="middle" {more}'
    return f'<text x="{x}" y="{y}" {style}>{spans}</text>'


def box(x: float, y: float, width: float, height: float, kind: str) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="7" '
        f'fill="{FILL[kind]}" stroke="{LINE}"/>'
    )


def arrow(x0: float, y0: float, x1: float, y1: float, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return (
        f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" stroke="{FAINT}" stroke-width="1.4"'
        f'{dash} marker-end="url(#tip)"/>'
    )


def page(width: int, height: int, parts: list[str]) -> str:
    """Return the whole file: a white sheet with the parts, and the definition of arrowheads."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="DejaVu Sans, Verdana, sans-serif">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" '
        'markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{FAINT}"/></marker></defs>'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>' + "\n".join(parts) + "</svg>\n"
    )
