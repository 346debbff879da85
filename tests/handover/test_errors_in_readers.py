"""The table of errors in `docs/formats.md`: every export in every reader, at all frame rates."""

from __future__ import annotations

import pytest
from handover_errors import READERS, errors, films

ALMOST_NONE = 0.05  # frames; subtitles and chapters are written in milliseconds
WRONG = "otio-fcpx-xml-adapter"  # test_otio_readers has its values


@pytest.mark.parametrize("film", films(), ids=lambda film: film.name)
def test_ends_are_exact_in_every_reader_that_is_not_listed_as_wrong(film, made):
    allowed = 0.5 if film.name == "variable" else ALMOST_NONE
    video = made(film.recipe)
    found = {key: errors(*key, film, video) for key in READERS}
    for (form, reader), ends in found.items():
        if reader != WRONG:
            assert max(ends) <= allowed, (form, reader, ends)
    if film.name in ("23.976", "29.97 DF", "29.97 NDF", "59.94 DF", "59.94 NDF"):
        assert min(found["fcpxml", WRONG]) > 1
