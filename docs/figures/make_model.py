"""Draw docs/figures/model.svg: the learned head, from similarity to spans.

python docs/figures/make_model.py
"""

from __future__ import annotations

from pathlib import Path

from drawing import BOX_HEIGHT, FAINT, GAP, INK, LEFT, TOP, arrow, box, page, text

WIDTH = 138

STEPS = (  # name, what it does, what leaves it, kind
    ("channels", "what the query\nsays of each clip", "(L, 7)", "data"),
    ("embed", "an MLP a clip", "(L, W)", "learned"),
    ("fusion × 2", "reaction-diffusion,\nthen an MLP", "(L, W)", "ours"),
    ("pattern", "any, short,\nmiddle, long", "(4, L)", "ours"),
    ("slots", "parts of its\nlevel sets", "(K, 2)", "ours"),
    ("decoder", "pool, compare,\nscore, refine", "", "learned"),
)

BELOW = (  # under which step, name, what it is
    (0, "full head only", "clip and query rows, a learned metric"),
    (2, "saliency, presence", "of each clip; of the whole video"),
    (4, "moments", "suppressed, ranked by expected IoU"),
)


def place(index: float) -> float:
    return LEFT + index * (WIDTH + GAP)


def step(index: int, name: str, does: str, leaves: str, kind: str) -> list[str]:
    x, middle = place(index), TOP + BOX_HEIGHT / 2
    parts = [
        box(x, TOP, WIDTH, BOX_HEIGHT, kind),
        text(x + WIDTH / 2, TOP + 22, name, 14, more='font-weight="bold"'),
        text(x + WIDTH / 2, TOP + 42, does, 12, FAINT),
    ]
    if leaves:
        parts.append(arrow(x + WIDTH, middle, x + WIDTH + GAP - 1, middle))
        parts.append(text(x + WIDTH + GAP / 2, TOP - 8, leaves, 11, FAINT))
    return parts


def lower(index: int, name: str, does: str) -> list[str]:
    x, y, span = place(index), TOP + BOX_HEIGHT + 44, 2 * WIDTH + GAP
    return [
        box(x, y, span, 52, "data"),
        text(x + span / 2, y + 21, name, 13, more='font-weight="bold"'),
        text(x + span / 2, y + 39, does, 12, FAINT),
    ]


def draw() -> str:
    width = int(place(len(STEPS)) - GAP + LEFT)
    under, top = TOP + BOX_HEIGHT, TOP + BOX_HEIGHT + 44
    parts = [
        text(place(0) + WIDTH / 2, 30, "similarity and change", 13, INK),
        arrow(place(0) + WIDTH / 2, 36, place(0) + WIDTH / 2, TOP - 2),
    ]
    for index, facts in enumerate(STEPS):
        parts += step(index, *facts)
    for facts in BELOW:
        parts += lower(*facts)
    parts += [
        arrow(place(1) + WIDTH / 2, top, place(1) + WIDTH / 2, under + 2, dashed=True),
        arrow(place(3) + WIDTH / 2, under, place(3) + WIDTH / 2, top - 2),
        arrow(place(5) + WIDTH / 2, under, place(5) + WIDTH / 2, top - 2),
    ]
    return page(width, top + 72, parts)


if __name__ == "__main__":
    Path(__file__).with_name("model.svg").write_text(draw(), encoding="utf-8")
