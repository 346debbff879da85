"""Texts whose characters are known to every library.

Libraries differ in the treatment of unassigned code points, so tokens of such texts are undefined.
"""

from __future__ import annotations

import unicodedata

from hypothesis import assume
from hypothesis import strategies as st

from rdmf_cli.encoders.open_clip.towers import cleaned

UNKNOWN = ("Cs", "Cn", "Co")
ASSIGNED = st.characters(exclude_categories=list(UNKNOWN))


def assume_assigned(*texts: str) -> None:
    r"""Leave out texts that repairing makes unknown: it reads "\u00d5\u0098" as U+0558."""
    read = "".join(map(cleaned, texts))
    assume(all(unicodedata.category(sign) not in UNKNOWN for sign in read))
