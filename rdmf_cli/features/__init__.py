"""Features, one row per clip: their extraction, their cache, and the layouts of published files."""

from rdmf_cli.features.extraction import Selection, VideoFeatures, extract
from rdmf_cli.features.files import (
    join_streams,
    load_text_features,
    load_video_features,
    normalise_rows,
    save_video_features,
    temporal_endpoints,
)
from rdmf_cli.features.store import FeatureStore
from rdmf_cli.folders import cache_folder

__all__ = [
    "FeatureStore",
    "Selection",
    "VideoFeatures",
    "cache_folder",
    "extract",
    "join_streams",
    "load_text_features",
    "load_video_features",
    "normalise_rows",
    "save_video_features",
    "temporal_endpoints",
]
