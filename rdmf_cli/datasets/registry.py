"""The benchmarks by name: their files, clip lengths, rounding and metrics.

To add a benchmark, add an entry here, a line in `docs/evaluation.md`, and the benchmark's layout in
`tests/support/made_up_sets.py` (the tests of data sets are made from the layouts). New metrics are
a protocol: `rdmf_cli/evaluation/protocols.py`. This module does not import numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rdmf_cli.errors import UsageError
from rdmf_cli.registry import Registry

if TYPE_CHECKING:
    from rdmf_cli.datasets.annotations import Annotations


@dataclass(frozen=True)
class Dataset:
    """A benchmark.

    Attributes:
        name: The benchmark's name on the command line.
        clip_length: Length of a clip of the published features, in seconds.
        protocol: Name of its metrics, a key of `evaluation.protocols.PROTOCOLS`.
        files: Names of its annotation files; {split} is train, val or test.
        clamp: Published predictions are clamped to [0, clamp] seconds: an end after `clamp` becomes
            `clamp`. This bound is the same for videos of any length. None: there is no bound.
        rounded: Whether published predictions are rounded to multiples of the clip length.
        legacy_nms: 2D-TAN's evaluation (of its pooling model) suppresses a window above this IoU.
        where: The place where annotations and features are published.
        overrun: The largest time in seconds from the end of a video to a later end of a published
            window, if this is more than one clip.
    """

    name: str
    clip_length: float
    protocol: str
    files: tuple[str, ...] = ()
    clamp: float | None = None
    rounded: bool = True
    legacy_nms: float | None = None
    where: str = ""
    overrun: float = 0.0

    @property
    def about(self) -> str:
        """The description of the benchmark, a clause for help texts."""
        return f"clips of {self.clip_length:.3g} s, scored by the rules of {self.protocol}"

    def require_clip_length(self, seconds: float | None) -> Dataset:
        """Check that a clip length is the benchmark's clip length; return the benchmark.

        Args:
            seconds: Clip length; None: not given.

        Raises:
            UsageError: The benchmark has another clip length.
        """
        if seconds not in (None, self.clip_length):
            what = f"must be {self.clip_length:g} s for {self.name}"
            raise UsageError(
                what,
                "--clip-length",
                "leave it out; only your own data can have another clip length",
            )
        return self

    def read(self, path: Path | str, skip_bad: bool = False) -> Annotations:
        """Read the annotations of a file; see `read_annotations`."""
        from rdmf_cli.datasets.annotations import read_annotations

        return read_annotations(path, self.clip_length, skip_bad, self.overrun)

    def limit(self, duration: float | None) -> float | None:
        """Return the latest end of a predicted window, in seconds; None: no limit.

        Args:
            duration: Length of the video in seconds; None: unknown. For a video longer than
                `clamp`, this is the end of the video.
        """
        return None if self.clamp is None else max(self.clamp, duration or 0.0)


MOMENT_DETR = "github.com/jayleicn/moment_detr"
LIGHTHOUSE = "github.com/line/lighthouse"
CG_DETR = "github.com/wjun0830/CGDETR"
QV_M2 = "github.com/Zhuo-Cao/QV-M2"
SOCCER_GMR = "github.com/dymm9977/generalized-moment-retrieval"
DIDEMO_AT = "github.com/LisaAnne/TemporalLanguageRelease"
HIREST_AT = "github.com/j-min/HiREST"
EGO4D = "ego4d-data.org, or github.com/wjun0830/CGDETR"

QVHIGHLIGHTS = (
    "highlight_{split}_release.jsonl",
    "qvhighlights_{split}.jsonl",
    "qvhighlights_{split}_with_gt.jsonl",
)
CHARADES = (
    "charades_sta_{split}_tvr_format.jsonl",
    "charades_sta_{split}.txt",
    "charades_{split}_release.jsonl",
)
TACOS = (
    *("tacos/{split}.jsonl", "tacos_{split}.jsonl", "tacos_{split}_release.jsonl"),
    *("tacos_{split}.json", "{split}.json"),
)
ACTIVITYNET = (
    "activitynet_{split}.json",
    "{split}.json",
    "{split}_1.json",
    "activitynet_{split}_release.jsonl",
)
NLQ = ("nlq_{split}.jsonl", "nlq_{split}.json")
DIDEMO = ("didemo_{split}.json", "{split}_data.json")
HIREST = ("hirest_{split}.json", "all_data_{split}.json")
MULTI_MOMENT = ("QV-M2/{split}.jsonl", "qv_m2_{split}.jsonl")
SOCCER = ("Standard/{split}.jsonl", "soccer_gmr_{split}.jsonl")
CASTELLA = ("castella_{split}_release.jsonl",)
CLOTHO = ("clotho_moment_{split}_release.jsonl",)
UNAV = ("unav100-subset_{split}_release.jsonl",)
TUT = ("tut2017_{split}_release.jsonl",)
TVSUM = ("tvsum_{split}.jsonl", "tvsum_{split}_release.jsonl")
YOUTUBE = ("youtube_{split}.jsonl", "youtube_highlight_{split}_release.jsonl")

DATASETS: Registry[Dataset] = Registry(
    "dataset",
    Dataset("qvhighlights", 2.0, "qvhighlights", QVHIGHLIGHTS, clamp=150.0, where=MOMENT_DETR),
    Dataset("charades", 1.0, "grounding", CHARADES, 150.0, legacy_nms=0.45, where=LIGHTHOUSE),
    Dataset("charades-vgg", 1 / 6, "grounding", CHARADES, 360.0, legacy_nms=0.45, where=CG_DETR),
    Dataset("tacos", 2.0, "grounding", TACOS, legacy_nms=0.4, where=LIGHTHOUSE),
    Dataset("activitynet", 2.0, "grounding", ACTIVITYNET, legacy_nms=0.5, where=LIGHTHOUSE),
    Dataset("nlq", 2.0, "grounding", NLQ, where=CG_DETR),
    Dataset("ego4d-nlq", 2.0, "ego4d-nlq", NLQ, rounded=False, where=EGO4D),
    Dataset("didemo", 1.0, "grounding", DIDEMO, 30.0, where=DIDEMO_AT),
    Dataset("hirest", 1.0, "grounding", HIREST, where=HIREST_AT),
    Dataset("qv-m2", 2.0, "qv-m2", MULTI_MOMENT, clamp=150.0, where=QV_M2),
    Dataset("soccer-gmr", 2.0, "soccer-gmr", SOCCER, where=SOCCER_GMR),
    Dataset("castella", 1.0, "qvhighlights", CASTELLA, 300.0, where=LIGHTHOUSE, overrun=2.0),
    Dataset("clotho-moment", 1.0, "qvhighlights", CLOTHO, 150.0, where=LIGHTHOUSE),
    Dataset("unav100-subset", 1.0, "qvhighlights", UNAV, 150.0, where=LIGHTHOUSE, overrun=2.0),
    Dataset("tut2017", 1.0, "qvhighlights", TUT, 150.0, where=LIGHTHOUSE),
    Dataset("tvsum", 2.0, "tvsum", TVSUM, rounded=False, where=LIGHTHOUSE),
    Dataset(
        "youtube-highlights", 1.0, "youtube-highlights", YOUTUBE, rounded=False, where=LIGHTHOUSE
    ),
)
