"""LIBRARY FOLDER: indexes videos slowly, for tests that stop it. Prints a line when it begins."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "features"))
from mean_colours import MeanColours

from rdmf_cli.features import Selection, extract, extraction
from rdmf_cli.library.indexing import Extraction, Refreshed, absolute_root, refresh
from rdmf_cli.library.library import Library


def index(folder: Path, videos: Path, seconds_per_batch: float = 0.0) -> Refreshed:
    encoder = MeanColours(seconds_per_batch)
    with Library.make(folder) as library, library.writing(lambda line: print(line, flush=True)):
        print("begun", flush=True)
        how = Extraction(
            lambda video, *, progress=None: extract(
                video, encoder, Selection(0.5), store=library.store, progress=progress
            ),
            partial(extraction.feature_key, encoder=encoder, clips=Selection(0.5)),
        )
        return refresh(library, [absolute_root(videos, ())], how)


if __name__ == "__main__":
    extraction.KEEP_SECONDS = 0.0
    index(Path(sys.argv[1]), Path(sys.argv[2]), seconds_per_batch=0.02)
