"""Draw docs/figures/query.svg: what `rdmf query` prints, by rich's own export.

python docs/figures/make_screens.py
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console
from rich.text import Text

from rdmf_cli import Searcher
from rdmf_cli.outputs.table import TableWriter

QUESTION = "the face of a cat"
VIDEO = Path("examples/tour.mp4")
OWN_FONTS = 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace'
FETCHED_FONT = re.compile(r"@font-face \{.*?\}\s*", re.S)  # a page must not ask another host for it


def main() -> None:
    screen = io.StringIO()
    console = Console(
        record=True, width=80, file=screen, force_terminal=True, color_system="truecolor"
    )
    console.print(Text(f'$ rdmf query {VIDEO} "{QUESTION}"', style="bold"))
    answer = Searcher(encoder="embedded").ask(VIDEO, [QUESTION], top_k=3)[0]
    TableWriter(screen, console=console).write(answer)
    out = Path(__file__).with_name("query.svg")
    drawn = console.export_svg(title="rdmf query", unique_id="rdmf-query")
    drawn = FETCHED_FONT.sub("", drawn).replace("Fira Code, monospace", OWN_FONTS)
    out.write_text(drawn, encoding="utf-8")
    print(out)


if __name__ == "__main__":
    main()
