"""Draw docs/figures/flow.svg: how data flows through rdmf.

python docs/figures/make_flow.py
"""

from __future__ import annotations

from pathlib import Path

from drawing import BOX_HEIGHT, FAINT, GAP, LEFT, TOP, arrow, box, page, text

BOX_WIDTH = 104

STEPS = (  # folder, what it does, what leaves it, kind
    ("video/", "frames, one\na clip", "L frames", "data"),
    ("encoders/", "frames and text\nto one space", "rows, words", "data"),
    ("features/", "decode ∥ encode,\ncache on disk", "(L, D)", "data"),
    ("channels/", "question,\nsimilarity", "match (L,)", "data"),
    ("fusion/", "reaction-\ndiffusion", "u, v (C, L)", "ours"),
    ("moments/", "level sets,\nNMS", "spans, scores", "ours"),
    ("outputs/", "table, curve,\nJSON, figures", "", "data"),
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
    x = LEFT + 4 * (BOX_WIDTH + GAP)
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
        text(x + span / 2, below + 21, "heads/", 14, more='font-weight="bold"'),
        text(x + span / 2, below + 39, "training-free, and learned", 12, FAINT),
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
    return page(width, below + 100, parts)


if __name__ == "__main__":
    Path(__file__).with_name("flow.svg").write_text(draw(), encoding="utf-8")
