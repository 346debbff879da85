"""One row per query as CSV, quoted as in RFC 4180."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from os import PathLike

from rdmf_cli.files import write_whole
from rdmf_cli.text import valid_text, without_controls

WHAT = "the table of queries"
DECIMALS = 6


def write_query_rows(
    path: str | PathLike[str],
    names: Sequence[str],
    rows: Iterable[Sequence[str | int | float | None]],
    *,
    inputs: Iterable[str | PathLike[str]] = (),
    force: bool = False,
) -> None:
    """Write a header and the rows; an unknown value is an empty cell.

    Control characters in text are replaced. A cell that begins like a formula is not changed,
    because programs need the original query.

    Args:
        path: The file.
        names: The header.
        rows: Cells in the order of the header.
        inputs: Files that are never replaced.
        force: Replace a file that rdmf did not write.

    Raises:
        RdmfError: The same as in `files.write_whole`; then the old file stays.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    write_whole(path, text.getvalue().encode(), inputs=inputs, force=force, what=WHAT)


def _cell(value: str | int | float | None) -> str | int:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return value if isinstance(value, int) else without_controls(valid_text(value))
