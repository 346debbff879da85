"""The benchmarks by name: how each is read, cut into clips, rounded and scored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rdmf_cli.datasets.annotations import Annotations, read_annotations
from rdmf_cli.errors import RdmfError, UsageError

OWN_CLIP_LENGTH = 2.0  # seconds, of annotations of one's own, as in QVHighlights


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

    def with_clips_of(self, seconds: float | None) -> Dataset:
        """Itself, where that is its clip length (None: any); else UsageError."""
        if seconds not in (None, self.clip_length):
            what = f"clips of {self.name} last {self.clip_length:g} s"
            raise UsageError(what, "--clip-length", "leave it out: it is for one's own data")
        return self

    def read(self, path: Path | str, skip_bad: bool = False) -> Annotations:
        """Read the annotations of a file, in any form the benchmark is published in."""
        return read_annotations(path, self.clip_length, skip_bad)

    def limit(self, duration: float | None) -> float | None:
        """Tell where windows of a video end at the latest, in seconds; None: anywhere.

        A video may be longer than those of the benchmark. `duration`: None where it is not known.
        """
        return None if self.clamp is None else max(self.clamp, duration or 0.0)


MOMENT_DETR = "github.com/jayleicn/moment_detr"
LIGHTHOUSE = "github.com/line/lighthouse"
CG_DETR = "github.com/wjun0830/CGDETR"
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
    "tvsum": ("tvsum_{split}.jsonl", "tvsum_{split}_release.jsonl"),
    "youtube-highlights": ("youtube_{split}.jsonl", "youtube_highlight_{split}_release.jsonl"),
}
"""How the benchmarks' annotation files are called, for a split such as train, val or test."""


def dataset_named(name: str) -> Dataset:
    """The benchmark of that name; UsageError names those there are."""
    if name not in DATASETS:
        raise UsageError("no such dataset", name, f"choose one of: {', '.join(DATASETS)}")
    return DATASETS[name]


SPELLINGS = {"val": ("val", "valid")}  # YouTube Highlights' authors write "valid"


def find_annotations(split: str, folder: Path, dataset: Dataset | None = None) -> Path:
    """The annotations of a split: `<split>.jsonl`, or as the benchmark's files are called.

    They are looked for in the folder, then in the one that holds it, plain before gzipped;
    RdmfError says what was looked for.
    """
    names = list(_names(split, dataset))
    for place in (folder, folder.absolute().parent):
        for name in names:
            if (found := place / name).is_file():
                return found
    what = f"no annotations of the split {split} here or in the folder above"
    looked = ", ".join(name for name in names if not name.endswith(".gz"))
    where = f"; see {dataset.where}" if dataset and dataset.where else ""
    raise RdmfError(what, folder, f"put one of these there, or name the file: {looked}{where}")


def _names(split: str, dataset: Dataset | None) -> Iterator[str]:
    patterns = ("{split}.jsonl", *FILES.get(dataset.name if dataset else "", ()))
    for pattern in patterns:
        for spelled in SPELLINGS.get(split, (split,)):
            name = pattern.format(split=spelled)
            yield from (name, f"{name}.gz")


def own_dataset(annotations: Annotations, clip_length: float = OWN_CLIP_LENGTH) -> Dataset:
    """Annotations of one's own, scored as QVHighlights are.

    Where no video is longer than QVHighlights' 150 s, predictions may reach up to there, as the
    published ones do.
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
    """The data set and the annotations that a command line means.

    dataset:     a benchmark's name, or the path of annotations of one's own
    annotations: their file; None: the split's, found in or above `folder`, or one's own
    clip_length: seconds, for annotations of one's own; None: OWN_CLIP_LENGTH
    skip_bad:    leave out entries that cannot be taken as they are

    Raises UsageError where a benchmark is to have other clips than it has.
    """
    if dataset in DATASETS or not Path(dataset).suffix:
        benchmark = dataset_named(dataset).with_clips_of(clip_length)
        path = annotations or find_annotations(split, folder, benchmark)
        return benchmark, benchmark.read(path, skip_bad)
    return open_own(annotations or dataset, clip_length, skip_bad)


def open_own(
    path: Path | str, clip_length: float | None = None, skip_bad: bool = False
) -> tuple[Dataset, Annotations]:
    """Annotations of one's own, and the data set that they are."""
    seconds = OWN_CLIP_LENGTH if clip_length is None else clip_length
    annotations = read_annotations(path, seconds, skip_bad)
    return own_dataset(annotations, seconds), annotations
