"""Speech in a video: lines of subtitles, from subtitle files or from inside the video file."""

from rdmf_cli.features.said.encoded import SpokenFeatures, encoded, said_in, spoken_features
from rdmf_cli.features.said.lines import AUTO, NONE, Line, Said

__all__ = [
    "AUTO",
    "NONE",
    "Line",
    "Said",
    "SpokenFeatures",
    "encoded",
    "said_in",
    "spoken_features",
]
