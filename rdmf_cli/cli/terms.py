"""Read the parts of a query as the user typed them: words, pictures and moments, with weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rdmf_cli.errors import UsageError

if TYPE_CHECKING:
    from rdmf_cli.channels.query import Term

WEIGHT = re.compile(r"(\d+(?:\.\d*)?|\.\d+):(.+)", re.DOTALL)
MOMENT = re.compile(r"(.+)@([\d:.]+)", re.DOTALL)


def terms_of(
    sentences: Sequence[str],
    images: Sequence[str],
    moments: Sequence[str],
    added: Sequence[str],
    subtracted: Sequence[str],
    decoder: str = "auto",
) -> list[Term]:
    """Make the parts of a query, in this order: sentence, pictures, moments, added, subtracted.

    Args:
        sentences: Words.
        images: Image files (--image).
        moments: Moments of videos, "VIDEO@m:ss" (--like).
        added: Words or image files, with or without a weight before a colon (--add).
        subtracted: Words or image files in the same form; clips that resemble them are ranked lower
            (--subtract).
        decoder: The decoder for the moments.

    Raises:
        UsageError: A moment or a weight cannot be read.
        RdmfError: A picture or a video cannot be read.
    """
    from rdmf_cli.channels.query import Term
    from rdmf_cli.features.pictures import read_picture

    terms = [Term(text) for text in sentences]
    terms += [Term(Path(image).name, read_picture(Path(image))) for image in images]
    terms += [_moment(moment, decoder) for moment in moments]
    terms += _weighted(added, 1.0)
    terms += _weighted(subtracted, -1.0)
    return terms


def mixtures_of(
    sentences: Sequence[str],
    images: Sequence[str],
    moments: Sequence[str],
    added: Sequence[str],
    subtracted: Sequence[str],
    decoder: str = "auto",
) -> list[list[Term]]:
    """Make one query of each sentence and all further parts; without a sentence, make one query.

    Args:
        sentences: Words.
        images: The same as in `terms_of`, and so are all arguments below.
        moments: The same as in `terms_of`.
        added: The same as in `terms_of`.
        subtracted: The same as in `terms_of`.
        decoder: The same as in `terms_of`.
    """
    from rdmf_cli.channels.query import Term

    others = terms_of((), images, moments, added, subtracted, decoder)
    return [[Term(sentence), *others] for sentence in sentences] or [others]


def _weighted(typed: Sequence[str], sign: float) -> Iterator[Term]:
    from rdmf_cli.channels.query import Term
    from rdmf_cli.features.pictures import is_picture, read_picture

    for text in typed:
        found = WEIGHT.fullmatch(text)
        weight, what = (float(found[1]), found[2]) if found else (1.0, text)
        if weight == 0:
            raise UsageError("a part of the query has the weight 0", text, "leave it out")
        picture = read_picture(Path(what)) if is_picture(what) else None
        yield Term(what if picture is None else Path(what).name, picture, sign * weight)


def _moment(typed: str, decoder: str) -> Term:
    from rdmf_cli.api.arguments import seconds
    from rdmf_cli.channels.query import Term
    from rdmf_cli.features.pictures import frame_at

    found = MOMENT.fullmatch(typed)
    if found is None:
        todo = "write the video, @ and the time: talk.mp4@1:30"
        raise UsageError(f"{typed!r} is not a moment of a video", "--like", todo)
    video = Path(found[1])
    at = seconds(found[2], "--like")
    assert at is not None
    return Term(f"{video.name}@{found[2]}", frame_at(video, at, decoder))
