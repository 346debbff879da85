"""evaluate: score predictions, read from a file or made by a head before scoring."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Field

from rdmf_cli.api.arguments import ClipLength, Device, FilePath, Share, checked
from rdmf_cli.errors import UsageError
from rdmf_cli.outputs.payloads import Evaluation
from rdmf_cli.text import counted

if TYPE_CHECKING:
    from rdmf_cli.datasets import Annotations, Dataset, Samples
    from rdmf_cli.evaluation import GroundTruth, Options, Predictions
    from rdmf_cli.heads.base import Head

Progress = Callable[[int, int, str], None]  # videos done, videos in all, the present video

USAGE = "rdmf eval --predictions P.jsonl --ground-truth G.jsonl [--dataset NAME]"


@checked
def evaluate(
    predictions: FilePath | None = None,
    ground_truth: FilePath | None = None,
    *,
    dataset: str | None = None,
    features: FilePath | None = None,
    streams: Sequence[str] | None = None,
    text: str | None = None,
    videos: FilePath | None = None,
    split: str = "val",
    encoder: str = "auto",
    clip_length: ClipLength | None = None,
    device: Device = "auto",
    head: str = "auto",
    checkpoint: FilePath | None = None,
    submission: FilePath | None = None,
    only: Literal["moments", "highlights"] | None = None,
    legacy: bool = False,
    nms: Share | None = None,
    round_to: Annotated[float, Field(ge=0.001)] | None = None,
    outside: Literal["refuse", "keep", "cut"] = "refuse",
    skip_bad: bool = False,
    only_qids: FilePath | None = None,
    csv: FilePath | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Score predictions by the protocol of the benchmark.

    >>> evaluate("predictions.jsonl", "highlight_val_release.jsonl").brief  # doctest: +SKIP
    >>> evaluate(features="charades", dataset="charades", split="test").brief  # doctest: +SKIP

    Args:
        predictions: JSON Lines in the field's submission format.
        ground_truth: The annotations, as the benchmark publishes them. With `features` or `videos`,
            the default is FOLDER/SPLIT.jsonl.
        dataset: A benchmark, or your own annotations (JSON Lines); by default QVHighlights.
        features: A folder of features, with video/ and text/ in it; a head makes the predictions
            from it.
        streams: Names of the streams in `features` to read; None: all that rdmf recognises.
        text: Name of the queries' features in `features`; None: the first that rdmf recognises.
        videos: A folder of videos; a head makes the predictions from it.
        split: The split to score; its annotations are used.
        encoder: The encoder for `videos`, as in `query`.
        clip_length: Seconds per clip; None: the clip length of the benchmark, or 2.
        device: The device of the encoder, as in `query`.
        head: The head that predicts, as in `query`.
        checkpoint: The same as in `query`.
        submission: A file to write the predictions to.
        only: Score only the moments or only the highlights.
        legacy: The rules of 2D-TAN: IoU above the threshold (not equal), after suppression.
        nms: With `legacy`: suppress windows that overlap by more than this IoU.
        round_to: Move predicted windows to multiples of this number of seconds.
        outside: What to do with windows that reach outside their video: refuse the file, keep the
            windows, or cut them.
        skip_bad: Leave out annotations that have a fault, and note them.
        only_qids: A file with the qids to predict and score; None: all.
        csv: A file; one row per query is written there.
        force: Replace a submission or a table that rdmf did not write.
        progress: A function that is called while features are read, with the videos done, the
            videos in all and the present video.

    Returns:
        The scores in per cent, not rounded.

    Raises:
        UsageError: Options do not fit together, or have a wrong type or value.
        RdmfError: A file is missing (the error is then also a FileNotFoundError), or has an error.
    """
    from rdmf_cli.datasets import open_annotations, open_samples
    from rdmf_cli.datasets.qids import read_qids
    from rdmf_cli.datasets.samples import samples_of_features
    from rdmf_cli.evaluation import GroundTruth, Options
    from rdmf_cli.evaluation.truth import is_own
    from rdmf_cli.heads.registry import load_head

    _check_sources({"--predictions": predictions, "--features": features, "--videos": videos})
    if nms is not None and not legacy:
        raise UsageError("needs --legacy", "--nms", "without --legacy, no window is suppressed")
    if round_to is not None and not math.isfinite(round_to):
        raise UsageError(
            "is not a number of seconds", "--round-to", "give the clip length, for example"
        )
    how = Options(only=only, legacy=legacy, nms=nms, round_to=round_to, outside=outside)
    if predictions is not None:
        if submission is not None:
            todo = "give --features or --videos, so that a head makes the predictions"
            raise UsageError("cannot be given with --predictions", "--submission", todo)
        truth = ground_truth or (dataset if dataset is not None and is_own(dataset) else None)
        if truth is None:
            raise UsageError("not given", "--ground-truth", USAGE)
        file = GroundTruth(truth, dataset, clip_length, skip_bad, only_qids)
        rows = _Rows.of(csv, force, [Path(predictions), Path(truth)])
        return _scored_file(Path(predictions), file, how, rows)
    folder = features if features is not None else videos
    assert folder is not None
    opened = open_annotations(
        dataset or "qvhighlights",
        None if ground_truth is None else Path(ground_truth),
        folder=Path(folder),
        split=split,
        clip_length=clip_length,
        skip_bad=skip_bad,
    )
    if only_qids is not None:
        opened = opened[0], opened[1].select(read_qids(only_qids))
    own = None if checkpoint is None else Path(checkpoint)
    reads = [Path(folder), opened[1].path, Path(encoder), *filter(None, [own])]
    wanted = _Submission.of(submission, reads, force)
    wanted.check(opened[1])  # check before the long work
    rows = _Rows.of(csv, force, [*wanted.inputs, opened[1].path])
    rows.check(submission)
    if features is not None:
        samples = samples_of_features(*opened, features, streams, text)
    else:
        samples = open_samples(*opened, videos=videos, encoder=encoder, device=device)
    samples.prepare(progress)
    return _predicted(samples, load_head(head, own), wanted, how, rows)


def _check_sources(sources: Mapping[str, object]) -> None:
    given = [name for name, path in sources.items() if path is not None]
    if not given:
        raise UsageError("not given", "--predictions, --features or --videos", USAGE)
    if len(given) > 1:
        raise UsageError("cannot be given together", " and ".join(given), "give one of them")


class _Rows(NamedTuple):
    """Hold the file for one row per query, if any, and the files that must not be replaced."""

    path: Path | None
    inputs: list[Path]
    force: bool

    @classmethod
    def of(cls, path: FilePath | None, force: bool, reads: Iterable[Path] = ()) -> _Rows:
        return cls(None if path is None else Path(path), list(reads), force)

    def check(self, submission: FilePath | None = None) -> None:
        """Check that the table can be written, beside the submission."""
        from rdmf_cli.files import check_target
        from rdmf_cli.outputs.query_rows import WHAT

        if self.path is None:
            return
        if submission is not None and Path(submission).absolute() == self.path.absolute():
            raise UsageError("must be two files", "--csv and --submission", "name another file")
        check_target(self.path, inputs=self.inputs, force=self.force, what=WHAT)

    def write(
        self, predictions: Predictions, annotations: Annotations, dataset: Dataset, how: Options
    ) -> None:
        from rdmf_cli.evaluation import query_table
        from rdmf_cli.outputs.query_rows import write_query_rows

        if self.path is not None:
            made = query_table(predictions, annotations, dataset, how)
            write_query_rows(
                self.path, made.names, made.rows(), inputs=self.inputs, force=self.force
            )


def _scored_file(predictions: Path, truth: GroundTruth, how: Options, rows: _Rows) -> Evaluation:
    """Score the predictions of a file."""
    from rdmf_cli.evaluation import evaluate as score
    from rdmf_cli.evaluation import read_predictions

    rows.check()  # check before the long work
    dataset, annotations = truth.read()
    found = read_predictions(predictions)
    scored = score(found, annotations, dataset, how)
    rows.write(found, annotations, dataset, how)
    return Evaluation(**scored)


class _Submission(NamedTuple):
    """Hold the file for the predictions, if any, and the files that must not be replaced."""

    path: Path | None
    inputs: list[Path]
    force: bool

    @classmethod
    def of(cls, path: FilePath | None, reads: Iterable[Path], force: bool) -> _Submission:
        """Collect the files that the command reads and that the submission could replace.

        For a folder, the files below it are collected, except JSON Lines files: an earlier
        submission may lie among the features or beside the head, and a later submission may
        replace it.
        """
        if path is None or not Path(path).exists():  # nothing to replace: no folder is searched
            return cls(None if path is None else Path(path), [], force)
        return cls(Path(path), [file for read in reads for file in _files_of(read)], force)

    def check(self, annotations: Annotations) -> None:
        """Check that the submission can be written, or that there is a ground truth to score with.

        The annotations of a blind test split hold no ground truth, so they allow only a submission.
        """
        from rdmf_cli.evaluation.predictions import SUBMISSION
        from rdmf_cli.files import check_target

        if self.path is not None:
            check_target(self.path, inputs=self.inputs, force=self.force, what=SUBMISSION)
        elif all(annotation.blind for annotation in annotations):
            todo = "write predictions with --submission FILE, or give a split with ground truth"
            raise UsageError("holds no ground truth to score", annotations.path, todo)


def _files_of(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path, followlinks=True):
        yield from (Path(folder, name) for name in names if not name.endswith(".jsonl"))


def _predicted(
    samples: Samples, head: Head, submission: _Submission, how: Options, rows: _Rows
) -> Evaluation:
    """Predict every query of the annotations, write the submission if requested, and score."""
    from rdmf_cli.evaluation import evaluate as score
    from rdmf_cli.evaluation import nothing_scored, write_submission
    from rdmf_cli.evaluation.predict import predict

    head.require(samples.space, samples.first_file)
    made = predict(samples, samples.dataset, head)
    notes = list(samples.notes)
    about: dict[str, Any] = {"head": head.name}
    if submission.path is not None:
        pairs = zip(samples.annotations, made.entries, strict=True)
        write_submission(submission.path, pairs, inputs=submission.inputs, force=submission.force)
        about["submission"] = str(submission.path)
        notes.append(f"{counted(len(made.entries), 'prediction')} written to {submission.path}")
    if all(annotation.blind for annotation in samples.annotations):
        notes.append(f"{samples.annotations.path.name} holds no ground truth: nothing is scored")
        scored = nothing_scored(samples.annotations, samples.dataset)
    else:
        scored = score(made, samples.annotations, samples.dataset, how)
        rows.write(made, samples.annotations, samples.dataset, how)
    notes = list(dict.fromkeys([*notes, *scored["notes"]]))
    return Evaluation(**{**scored, **about, "notes": tuple(notes)})
