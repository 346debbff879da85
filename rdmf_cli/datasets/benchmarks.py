"""The benchmarks by name: their files, clip lengths, rounding and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rdmf_cli.datasets.annotations import Annotations, read_annotations
from rdmf_cli.errors import MissingFileError, UsageError

OWN_CLIP_LENGTH = 2.0  # seconds; default for the user's own annotations, as in QVHighlights


@dataclass(frozen=True)
class Dataset:
    """A benchmark.

    Attributes:
        name: Its name on the command line.
        clip_length: Length of a clip of the published features, in seconds.
        protocol: Name of its metrics, a key of `scoring.PROTOCOLS`.
        clamp: Published predictions are clamped to [0, clamp] seconds, whatever the length of the
            video; None: they are not.
        rounded: Whether published predictions are rounded to multiples of the clip length.
        legacy_nms: IoU above which 2D-TAN's evaluation suppresses a window (of its pooling model).
        where: Where annotations and features are published.
    """

    name: str
    clip_length: float
    protocol: str
    clamp: float | None = None
    rounded: bool = True
    legacy_nms: float | None = None
    where: str = ""

    def require_clip_length(self, seconds: float | None) -> Dataset:
        """Check a clip length against the benchmark's; return the benchmark.

        Args:
            seconds: Clip length; None: not given.

        Raises:
            UsageError: It is not the benchmark's.
        """
        if seconds not in (None, self.clip_length):
            what = f"must be {self.clip_length:g} s for {self.name}"
            raise UsageError(what, "--clip-length", "leave it out: it is for your own data")
        return self

    def read(self, path: Path | str, skip_bad: bool = False) -> Annotations:
        """Read the annotations of a file; see `read_annotations`."""
        return read_annotations(path, self.clip_length, skip_bad)

    def limit(self, duration: float | None) -> float | None:
        """Return the latest end of a predicted window, in seconds; None: no limit.

        Args:
            duration: Length of the video in seconds; None: unknown. A video may be longer than
                `clamp`.
        """
        return None if self.clamp is None else max(self.clamp, duration or 0.0)


MOMENT_DETR = "github.com/jayleicn/moment_detr"
LIGHTHOUSE = "github.com/line/lighthouse"
CG_DETR = "github.com/wjun0830/CGDETR"
QV_M2 = "github.com/Zhuo-Cao/QV-M2"
SOCCER_GMR = "github.com/dymm9977/generalized-moment-retrieval"
EGO4D = "ego4d-data.org, or github.com/wjun0830/CGDETR"

DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset("qvhighlights", 2.0, "qvhighlights", clamp=150.0, where=MOMENT_DETR),
        Dataset("charades", 1.0, "grounding", clamp=150.0, legacy_nms=0.45, where=LIGHTHOUSE),
        Dataset("charades-vgg", 1 / 6, "grounding", clamp=360.0, legacy_nms=0.45, where=CG_DETR),
        Dataset("tacos", 2.0, "grounding", legacy_nms=0.4, where=LIGHTHOUSE),
        Dataset("activitynet", 2.0, "grounding", legacy_nms=0.5, where=LIGHTHOUSE),
        Dataset("nlq", 2.0, "grounding", where=CG_DETR),
        Dataset("ego4d-nlq", 2.0, "ego4d-nlq", rounded=False, where=EGO4D),
        Dataset("qv-m2", 2.0, "qv-m2", clamp=150.0, where=QV_M2),
        Dataset("soccer-gmr", 2.0, "soccer-gmr", where=SOCCER_GMR),
        Dataset("tvsum", 2.0, "tvsum", rounded=False, where=LIGHTHOUSE),
        Dataset("youtube-highlights", 1.0, "youtube-highlights", rounded=False, where=LIGHTHOUSE),
    )
}

CHARADES_FILES = (
    "charades_sta_{split}_tvr_format.jsonl",
    "charades_sta_{split}.txt",
    "charades_{split}_release.jsonl",
)
FILES = {
    "qvhighlights": (
        "highlight_{split}_release.jsonl",
        "qvhighlights_{split}.jsonl",
        "qvhighlights_{split}_with_gt.jsonl",
    ),
    "charades": CHARADES_FILES,
    "charades-vgg": CHARADES_FILES,
    "tacos": ("tacos/{split}.jsonl", "tacos_{split}.jsonl", "tacos_{split}_release.jsonl"),
    "activitynet": (
        "activitynet_{split}.json",
        "{split}.json",
        "{split}_1.json",
        "activitynet_{split}_release.jsonl",
    ),
    **dict.fromkeys(("nlq", "ego4d-nlq"), ("nlq_{split}.jsonl",)),
    "qv-m2": ("QV-M2/{split}.jsonl", "qv_m2_{split}.jsonl"),
    "soccer-gmr": ("Standard/{split}.jsonl", "soccer_gmr_{split}.jsonl"),
    "tvsum": ("tvsum_{split}.jsonl", "tvsum_{split}_release.jsonl"),
    "youtube-highlights": ("youtube_{split}.jsonl", "youtube_highlight_{split}_release.jsonl"),
}
"""The names of the benchmarks' annotation files; split is train, val or test."""


def dataset_named(name: str) -> Dataset:
    """Return the benchmark of a name.

    Raises:
        UsageError: There is none of this name; the error lists them.
    """
    if name not in DATASETS:
        raise UsageError("no such dataset", name, f"choose one of: {', '.join(DATASETS)}")
    return DATASETS[name]


SPELLINGS = {"val": ("val", "valid")}  # YouTube Highlights' authors write "valid"


def find_annotations(split: str, folder: Path, dataset: Dataset | None = None) -> Path:
    """Find the annotation file of a split: `<split>.jsonl`, or a name that the benchmark uses.

    The file is looked for in the folder, then in the folder above; plain files come before gzipped
    ones.

    Args:
        split: Name of the split: train, val, test.
        folder: The folder of the features or videos.
        dataset: The benchmark; None: own annotations.

    Raises:
        RdmfError: There is no such file; the error lists the names.
    """
    names = list(_names(split, dataset))
    for place in (folder, folder.absolute().parent):
        for name in names:
            if (found := place / name).is_file():
                return found
    what = f"no annotations of the split {split} here or in the folder above"
    looked = ", ".join(name for name in names if not name.endswith(".gz"))
    where = f"; see {dataset.where}" if dataset and dataset.where else ""
    todo = f"put one of these there, or name the file: {looked}{where}"
    raise MissingFileError(what, folder, todo)


def _names(split: str, dataset: Dataset | None) -> Iterator[str]:
    patterns = ("{split}.jsonl", *FILES.get(dataset.name if dataset else "", ()))
    for pattern in patterns:
        for spelled in SPELLINGS.get(split, (split,)):
            name = pattern.format(split=spelled)
            yield from (name, f"{name}.gz")


def own_dataset(annotations: Annotations, clip_length: float = OWN_CLIP_LENGTH) -> Dataset:
    """Return a dataset for the user's own annotations; its metrics are those of QVHighlights.

    If no video is longer than QVHighlights' 150 s, predictions are clamped to 150 s, as published
    ones are.

    Args:
        annotations: The annotations.
        clip_length: Length of a clip in seconds.
    """
    qvhighlights = DATASETS["qvhighlights"]
    durations = [annotation.duration or 0.0 for annotation in annotations]
    clamp = qvhighlights.clamp if max(durations) <= (qvhighlights.clamp or 0.0) else None
    return Dataset(annotations.path.name, clip_length, qvhighlights.protocol, clamp, rounded=False)


def open_annotations(
    dataset: str,
    annotations: Path | None = None,
    *,
    folder: Path,
    split: str = "val",
    clip_length: float | None = None,
    skip_bad: bool = False,
) -> tuple[Dataset, Annotations]:
    """Open the dataset and the annotations that the options of a command name.

    Args:
        dataset: Name of a benchmark, or path of the user's own annotations.
        annotations: The annotation file; None: that of the split, or `dataset` itself.
        folder: The folder of the features or videos, where the split's file is looked for.
        split: Name of the split: train, val, test.
        clip_length: Length of a clip in seconds, for own annotations; None: OWN_CLIP_LENGTH.
        skip_bad: Skip entries with errors.

    Returns:
        The dataset and its annotations.

    Raises:
        UsageError: There is no such benchmark, or its clip length is another.
        RdmfError: The annotations cannot be found or read.
    """
    if dataset in DATASETS or not Path(dataset).suffix:
        benchmark = dataset_named(dataset).require_clip_length(clip_length)
        path = annotations or find_annotations(split, folder, benchmark)
        return benchmark, benchmark.read(path, skip_bad)
    return open_own(annotations or dataset, clip_length, skip_bad)


def open_own(
    path: Path | str, clip_length: float | None = None, skip_bad: bool = False
) -> tuple[Dataset, Annotations]:
    """Open the user's own annotations as a dataset.

    Args:
        path: The annotation file.
        clip_length: Length of a clip in seconds; None: OWN_CLIP_LENGTH.
        skip_bad: Skip entries with errors.

    Returns:
        The dataset and its annotations.

    Raises:
        RdmfError: The annotations cannot be read.
    """
    seconds = OWN_CLIP_LENGTH if clip_length is None else clip_length
    annotations = read_annotations(path, seconds, skip_bad)
    return own_dataset(annotations, seconds), annotations
