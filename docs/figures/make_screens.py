"""Draw docs/figures/query.svg and search.svg: the output of the commands, exported by rich.

python docs/figures/make_screens.py            query.svg
python docs/figures/make_screens.py FOLDER     also search.svg: a search in the videos of FOLDER
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from rdmf_cli import Searcher, search
from rdmf_cli.outputs.hits import HitTable
from rdmf_cli.outputs.table import TableWriter

QUESTION = "the face of a cat"
VIDEO = Path("examples/tour.mp4")
SOUGHT = "a man shoots at an outdoor hoop"
OWN_FONTS = 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace'
FETCHED_FONT = re.compile(r"@font-face \{.*?\}\s*", re.S)  # a page must not ask another host for it


def main() -> None:
    screen = terminal(f'$ rdmf query {VIDEO} "{QUESTION}"')
    answer = Searcher(encoder="embedded").ask(VIDEO, [QUESTION])[0]
    TableWriter(screen.file, console=screen).write(answer)
    draw(screen, "query")
    for folder in sys.argv[1:]:
        screen = terminal(f'$ rdmf search {Path(folder).name} "{SOUGHT}"')
        screen.print(HitTable(list(search([folder], SOUGHT, encoder="embedded"))))
        draw(screen, "search")


def terminal(command: str) -> Console:
    """Make a terminal of 80 columns with a typed command."""
    console = Console(
        record=True,
        width=80,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
    )
    console.print(Text(command, style="bold"))
    return console


def draw(screen: Console, name: str) -> None:
    """Write the content of a terminal as NAME.svg."""
    out = Path(__file__).with_name(f"{name}.svg")
    drawn = screen.export_svg(title=f"rdmf {name}", unique_id=f"rdmf-{name}")
    drawn = FETCHED_FONT.sub("", drawn).replace("Fira Code, monospace", OWN_FONTS)
    out.write_text(drawn, encoding="utf-8")
    print(out)


if __name__ == "__main__":
    main()
