"""The benchmarks by name: how each is read, cut into clips, rounded and scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rdmf_cli.errors import UsageError
from rdmf_cli.evaluation.annotations import Annotations, read_annotations


@dataclass(frozen=True)
class Dataset:
    """One benchmark.

    clip_length: seconds a clip of the published features
    protocol:    the name of its metrics in `scoring.PROTOCOLS`
    clamp:       its published predictions lie in [0, clamp] seconds, whatever the video's
                 length; None: they are only rounded
    rounded:     published predictions lie on multiples of the clip length
    legacy_nms:  overlap above which 2D-TAN's evaluation suppresses a window (its pooling model)
    where:       where annotations and features are to be had
    """

    name: str
    clip_length: float
    protocol: str
    clamp: float | None = None
    rounded: bool = True
    legacy_nms: float | None = None
    where: str = ""

    def read(self, path: Path | str) -> Annotations:
        """The annotations of a file, in any form the benchmark is published in."""
        return read_annotations(path, self.clip_length)


MOMENT_DETR = "github.com/jayleicn/moment_detr"
LIGHTHOUSE = "github.com/line/lighthouse"
CG_DETR = "github.com/wjun0830/CGDETR"

DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset("qvhighlights", 2.0, "qvhighlights", clamp=150.0, where=MOMENT_DETR),
        Dataset("charades", 1.0, "grounding", clamp=150.0, legacy_nms=0.45, where=LIGHTHOUSE),
        Dataset("charades-vgg", 1 / 6, "grounding", clamp=360.0, legacy_nms=0.45, where=CG_DETR),
        Dataset("tacos", 2.0, "grounding", legacy_nms=0.4, where=LIGHTHOUSE),
        Dataset("activitynet", 2.0, "grounding", legacy_nms=0.5, where=LIGHTHOUSE),
        Dataset("nlq", 2.0, "grounding", where=CG_DETR),
        Dataset("tvsum", 2.0, "tvsum", rounded=False, where=LIGHTHOUSE),
        Dataset("youtube-highlights", 1.0, "youtube-highlights", rounded=False, where=LIGHTHOUSE),
    )
}


def dataset_named(name: str) -> Dataset:
    """The benchmark of that name; UsageError names those there are."""
    if name not in DATASETS:
        raise UsageError("no such dataset", name, f"choose one of: {', '.join(DATASETS)}")
    return DATASETS[name]


def own_dataset(annotations: Annotations, clip_length: float = 2.0) -> Dataset:
    """Annotations of one's own, scored as QVHighlights are.

    Where no video is longer than QVHighlights' 150 s, predictions may reach up to there, as the
    published ones do.
    """
    qvhighlights = DATASETS["qvhighlights"]
    durations = [annotation.duration or 0.0 for annotation in annotations]
    clamp = qvhighlights.clamp if max(durations) <= (qvhighlights.clamp or 0.0) else None
    return Dataset(annotations.path.name, clip_length, qvhighlights.protocol, clamp, rounded=False)
