"""The cells of the tables of a comparison, for the terminal and for pages."""

from __future__ import annotations

from rdmf_cli.outputs.payloads.comparison import DifferenceRecord, TallyRecord

DIFFERENCE_COLUMNS = ["metric", "baseline", "other", "difference", "interval", "p"]
TALLY_COLUMNS = ["by", "group", "queries", "wins", "losses", "ties", "difference"]


def difference_row(row: DifferenceRecord) -> list[str]:
    """Return the cells of one metric, in the order of `DIFFERENCE_COLUMNS`."""
    return [
        row.metric,
        f"{row.baseline:.2f}",
        f"{row.other:.2f}",
        f"{row.difference:+.2f}",
        f"{row.low:+.2f} to {row.high:+.2f}",
        f"{row.p_value:.4f}",
    ]


def tally_row(row: TallyRecord) -> list[str]:
    """Return the cells of one group, in the order of `TALLY_COLUMNS`."""
    counts = (row.queries, row.wins, row.losses, row.ties)
    return [row.by, row.group, *map(str, counts), f"{row.difference:+.2f}"]
