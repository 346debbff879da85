"""Hints about queries that encoders read badly: negation, and languages other than English."""

from __future__ import annotations

import re
import unicodedata


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


NEGATIONS = _words(
    "no not never without nobody nothing none neither nor except cannot isn't aren't doesn't",
    "don't didn't wasn't weren't won't can't",
)
MULTILINGUAL = ("xlm", "nllb", "multilingual", "siglip2", "i18n")
"""Parts of the names of encoders that read many languages."""

ENGLISH = _words(
    "a an the of in on at to with and or is are was were his her their its it he she they this",
    "that who which while into from by for under over man woman dog cat",
)
FOREIGN = (
    # German, French, Spanish, Italian, Portuguese, Dutch: articles, prepositions, conjunctions.
    _words(
        "der die das ein eine einen einem einer und mit auf im am zum ist sind von bei",
        "le la les un une des du et avec dans sur est sont qui au aux",
        "el los las una unos del con en y está es por para que",
        "il lo gli uno della dello nel con sul sulla che",
        "o os um uma do da no na com em e são",
        "het een van op en met naar is zijn door",
    )
    - ENGLISH
)


def hint(query: str, encoder: str) -> str:
    """Return a hint about the wording of a query; "" if there is none.

    Models such as CLIP read "a street without cars" almost as "a street with cars", and most of
    these models were trained on English alone.

    >>> hint("a street without cars", "embedded")
    "encoders hardly read 'without': describe what is shown, or use --subtract"

    Args:
        query: The query in words.
        encoder: The name of the encoder that reads it.
    """
    words = [word.replace("’", "'") for word in re.findall(r"[\w'’]+", query.lower())]
    if not _is_multilingual(encoder) and not _is_english(query, words):
        return "the query does not look like English; this encoder was trained on English"
    for word in words:
        if word in NEGATIONS and not (word == "no" and _is_foreign(words)):
            todo = "describe what is shown, or use --subtract"
            return f"encoders hardly read {word!r}: {todo}"
    return ""


def _is_multilingual(encoder: str) -> bool:
    return any(part in encoder.lower() for part in MULTILINGUAL)


def _is_english(query: str, words: list[str]) -> bool:
    letters = [sign for sign in query if sign.isalpha()]
    latin = sum("LATIN" in unicodedata.name(sign, "") for sign in letters)
    return 2 * latin >= len(letters) and not _is_foreign(words)


def _is_foreign(words: list[str]) -> bool:
    """Return whether a text has at least two foreign function words, and fewer English ones."""
    foreign = len({word for word in words if word in FOREIGN})
    return foreign >= 2 and foreign > sum(word in ENGLISH for word in words)
