"""Draw docs/figures/flow.svg, the way of the data through rdmf.

python docs/figures/make_flow.py
"""

from __future__ import annotations

from html import escape
from pathlib import Path

BOX_WIDTH, BOX_HEIGHT, GAP = 118, 74, 20
LEFT, TOP = 20, 74
INK, FAINT, LINE = "#1b2a38", "#5c6b7a", "#8896a4"
FILL = {"data": "#eef3f7", "ours": "#fdebd3", "learned": "#e4efe2"}

STEPS = (  # folder, what it does, what leaves it, kind
    ("video/", "frames, one\na clip", "L frames", "data"),
    ("encoders/", "frames and text\nto one space", "rows, words", "data"),
    ("features/", "decode ∥ encode,\ncache on disk", "(L, D)", "data"),
    ("fusion/", "reaction-\ndiffusion", "u, v (C, L)", "ours"),
    ("moments/", "level sets,\nranking, NMS", "spans, scores", "ours"),
    ("outputs/", "table, curve,\nJSON, figures", "", "data"),
)


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


def step(index: int, folder: str, does: str, leaves: str, kind: str) -> list[str]:
    x = LEFT + index * (BOX_WIDTH + GAP)
    centre = x + BOX_WIDTH / 2
    parts = [
        box(x, TOP, BOX_WIDTH, BOX_HEIGHT, kind),
        text(centre, TOP + 22, folder, 14, more='font-weight="bold"'),
        text(centre, TOP + 42, does, 12, FAINT),
    ]
    if leaves:
        after = x + BOX_WIDTH + GAP / 2
        parts.append(
            arrow(
                x + BOX_WIDTH, TOP + BOX_HEIGHT / 2, x + BOX_WIDTH + GAP - 1, TOP + BOX_HEIGHT / 2
            )
        )
        parts.append(text(after, TOP - 8, leaves, 11, FAINT))
    return parts


def draw() -> str:
    width = 2 * LEFT + len(STEPS) * BOX_WIDTH + (len(STEPS) - 1) * GAP
    below = TOP + BOX_HEIGHT + 44
    x = LEFT + 3 * (BOX_WIDTH + GAP)
    span = 2 * BOX_WIDTH + GAP
    parts = [
        text(LEFT + BOX_WIDTH / 2, 26, "video.mp4", 13, more='font-family="monospace"'),
        arrow(LEFT + BOX_WIDTH / 2, 32, LEFT + BOX_WIDTH / 2, TOP - 2),
        text(
            LEFT + BOX_WIDTH * 1.5 + GAP,
            26,
            '"a man opens the door"',
            13,
            more='font-family="monospace"',
        ),
        arrow(LEFT + BOX_WIDTH * 1.5 + GAP, 32, LEFT + BOX_WIDTH * 1.5 + GAP, TOP - 2),
    ]
    for index, facts in enumerate(STEPS):
        parts += step(index, *facts)
    parts += [
        box(x, below, span, 52, "learned"),
        text(x + span / 2, below + 21, "model/", 14, more='font-weight="bold"'),
        text(x + span / 2, below + 39, "the learned form of fusion and moments", 12, FAINT),
        arrow(x + span / 2, below, x + span / 2, TOP + BOX_HEIGHT + 2, dashed=True),
        box(LEFT + BOX_WIDTH + GAP, below, span, 52, "learned"),
        text(
            LEFT + BOX_WIDTH + GAP + span / 2,
            below + 21,
            "training/   evaluation/",
            14,
            more='font-weight="bold"',
        ),
        text(
            LEFT + BOX_WIDTH + GAP + span / 2,
            below + 39,
            "data sets, losses, the field's metrics",
            12,
            FAINT,
        ),
        arrow(LEFT + BOX_WIDTH + GAP + span, below + 26, x - 2, below + 26, dashed=True),
        text(
            width / 2,
            below + 84,
            "cli/ calls the public API and renders; nothing imports cli/. "
            "A file imports what stands to its left, never to its right.",
            12,
            FAINT,
        ),
    ]
    height = below + 100
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="DejaVu Sans, Verdana, sans-serif">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" '
        'markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{FAINT}"/></marker></defs>'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>' + "\n".join(parts) + "</svg>\n"
    )


if __name__ == "__main__":
    Path(__file__).with_name("flow.svg").write_text(draw(), encoding="utf-8")
