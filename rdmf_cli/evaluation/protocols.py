"""The protocols of the benchmarks by name: what each scores, and by which rules.

To add one: its metrics in a file beside this one, for all queries together (`Score`) and for each
query alone (`QueryScores`), an entry here, tests against published numbers, a line in
`docs/evaluation.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rdmf_cli.registry import Entry, Registry, loaded

if TYPE_CHECKING:
    from rdmf_cli.datasets.registry import Dataset
    from rdmf_cli.evaluation.pairs import Options, Pairs
    from rdmf_cli.evaluation.per_query import Columns

Score = Callable[["Pairs", "Dataset", "Options"], dict[str, Any]]
"""Scores predictions of a dataset: "brief", "queries", and the protocol's own metrics."""

QueryScores = Callable[["Pairs", "Dataset", "Options"], "Columns"]
"""Scores every query by itself: (Q,) of each metric in per cent; NaN where it is not counted."""


@dataclass(frozen=True)
class Protocol(Entry[Score]):
    """The rules by which a benchmark is scored; `load` gives what applies them.

    Attributes:
        per_query: Module and name of what scores every query by itself, a `QueryScores`.
        moments: It scores moments.
        highlights: It scores highlights.
        one_moment: Its queries have one moment each.
        by_domain: It scores every video by its labels, and averages over domains.
        strict: A window is right where its IoU is above the threshold, not where it reaches it.
        has_legacy: 2D-TAN's rules exist for its benchmarks.
    """

    per_query: str
    moments: bool = True
    highlights: bool = True
    one_moment: bool = False
    by_domain: bool = False
    strict: bool = False
    has_legacy: bool = False

    def load_per_query(self) -> QueryScores:
        """Import what scores every query by itself."""
        found: QueryScores = loaded(self.per_query)
        return found


HERE = "rdmf_cli.evaluation.scoring"
PER_QUERY = "rdmf_cli.evaluation.per_query"

PROTOCOLS: Registry[Protocol] = Registry(
    "protocol",
    Protocol(
        "qvhighlights",
        "R1, mAP, HIT@1 and mAP of highlights",
        f"{HERE}:qvhighlights_scores",
        f"{PER_QUERY}:qvhighlights_columns",
    ),
    Protocol(
        "grounding",
        "R1 and R5, mIoU, mAP",
        f"{HERE}:grounding_scores",
        f"{PER_QUERY}:grounding_columns",
        highlights=False,
        one_moment=True,
        has_legacy=True,
    ),
    Protocol(
        "ego4d-nlq",
        "R1 and R5, mIoU as Ego4D's script counts them",
        f"{HERE}:grounding_scores",
        f"{PER_QUERY}:grounding_columns",
        highlights=False,
        one_moment=True,
        strict=True,
    ),
    Protocol(
        "qv-m2",
        "G-mAP, mAP@k, mR@k of queries with several moments",
        f"{HERE}:multi_moment_scores",
        f"{PER_QUERY}:multi_moment_columns",
        highlights=False,
    ),
    Protocol(
        "soccer-gmr",
        "moments and presence together",
        f"{HERE}:generalised_scores",
        f"{PER_QUERY}:generalised_columns",
        highlights=False,
    ),
    Protocol(
        "tvsum",
        "top-5 AP by domain",
        f"{HERE}:domain_scores",
        f"{PER_QUERY}:domain_columns",
        moments=False,
        by_domain=True,
    ),
    Protocol(
        "youtube-highlights",
        "AP by domain",
        f"{HERE}:domain_scores",
        f"{PER_QUERY}:domain_columns",
        moments=False,
        by_domain=True,
    ),
)
