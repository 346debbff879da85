"""The protocols of the benchmarks by name: what each protocol scores, and by which rules.

To add a protocol, write: its metrics in a file beside this file, for all queries together (`Score`)
and for each query alone (`QueryScores`); an entry here; tests against published numbers; a line in
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
"""Score predictions of a dataset: "brief", "queries", and the protocol's own metrics."""

QueryScores = Callable[["Pairs", "Dataset", "Options"], "Columns"]
"""Score every query alone: (Q,) of each metric in per cent; NaN if the query does not count."""


@dataclass(frozen=True)
class Protocol(Entry[Score]):
    """Hold the rules of a benchmark; `load` imports the function that applies the rules.

    Attributes:
        per_query: Module and name of the function that scores every query alone, a `QueryScores`.
        moments: The protocol scores moments.
        highlights: The protocol scores highlights.
        one_moment: The queries have one moment each.
        by_domain: The protocol scores every video by its labels, and averages over domains.
        strict: A window is right if its IoU is above the threshold; an equal IoU is not enough.
        has_legacy: 2D-TAN's rules exist for the benchmarks of this protocol.
    """

    per_query: str
    moments: bool = True
    highlights: bool = True
    one_moment: bool = False
    by_domain: bool = False
    strict: bool = False
    has_legacy: bool = False

    def load_per_query(self) -> QueryScores:
        """Import the function that scores every query alone."""
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
