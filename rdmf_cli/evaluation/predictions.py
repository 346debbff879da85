"""Prediction files: JSON Lines of `qid, query, vid, pred_relevant_windows, pred_saliency_scores`.

The field's submission format. Windows are [start, end, score], best first, or [start, end] where
there are no scores; saliency is one score for each clip; `pred_exist_score` is how sure it is that
the query is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from rdmf_cli.datasets.annotations import Annotation, Annotations
from rdmf_cli.datasets.lines import LineError, identifier, numbers, records, windows
from rdmf_cli.errors import RdmfError
from rdmf_cli.files import write_whole

Array = npt.NDArray[np.float64]

PRESENCE = "pred_exist_score"
"""The key of a prediction's presence, as the evaluator of Soccer-GMR reads it."""

QIDS_NAMED = 5
WINDOW_DECIMALS = 4
PRESENCE_DECIMALS = 6


@dataclass(frozen=True, eq=False)
class Prediction:
    """What was predicted for one query: (P, 3) windows, (T,) saliency; None: not predicted.

    scored: False where windows were given without scores; all of theirs are 1 then
    presence: how sure it is that the query is shown; None: not predicted
    """

    qid: int | str
    windows: Array | None = None
    saliency: Array | None = None
    vid: str | None = None
    line: int = 0
    scored: bool = True
    presence: float | None = None


@dataclass(frozen=True)
class Predictions:
    """The predictions of one file, in its order."""

    path: Path
    entries: list[Prediction] = field(default_factory=list)

    def paired(self, annotations: Annotations) -> list[Prediction]:
        """One prediction for each annotation, in the annotations' order.

        Predictions of annotations that were skipped are left out.

        RdmfError when a prediction has no annotation, an annotation no prediction, or the two
        are of different videos.
        """
        by_qid = {str(prediction.qid): prediction for prediction in self.entries}
        self._none_unknown(annotations)
        self._none_missing(annotations, by_qid)
        pairs = [by_qid[str(annotation.qid)] for annotation in annotations]
        for prediction, annotation in zip(pairs, annotations, strict=True):
            if prediction.vid is not None and prediction.vid != annotation.vid:
                what = f"qid {prediction.qid!r} is of video {annotation.vid}, not {prediction.vid}"
                raise LineError(self.path, prediction.line, what)
        return pairs

    def _none_unknown(self, annotations: Annotations) -> None:
        known = {str(annotation.qid) for annotation in annotations} | {*annotations.skipped}
        unknown = [p for p in self.entries if str(p.qid) not in known]
        if unknown:
            what = f"qid {unknown[0].qid!r} is not in {annotations.path.name}"
            more = f" (nor are {len(unknown) - 1} others)" if len(unknown) > 1 else ""
            todo = "are both of the same split"
            raise LineError(self.path, unknown[0].line, what + more, todo)

    def _none_missing(self, annotations: Annotations, by_qid: dict[str, Prediction]) -> None:
        missing = [a for a in annotations if str(a.qid) not in by_qid]
        if missing:
            names = ", ".join(repr(a.qid) for a in missing[:QIDS_NAMED])
            names += ", …" if len(missing) > QIDS_NAMED else ""
            what = (
                f"no prediction for {len(missing)} of {len(annotations)} queries: qid {names} "
                f"(line {missing[0].line} of {annotations.path.name})"
            )
            raise RdmfError(what, self.path, "write one line for each query, an empty list too")


def read_predictions(path: Path | str) -> Predictions:
    """Every prediction of a file; RdmfError names the file, the line and what is wrong there."""
    path = Path(path)
    predictions = Predictions(path)
    seen: dict[str, int] = {}
    for line, record in records(path):
        qid = identifier(record, path, line)
        if (first := seen.setdefault(str(qid), line)) != line:
            raise LineError(path, line, f"qid {qid!r} again, it was on line {first}")
        spans, saliency = record.get("pred_relevant_windows"), record.get("pred_saliency_scores")
        scored = not _without_scores(spans)
        predictions.entries.append(
            Prediction(
                qid,
                windows=None if spans is None else _windows(spans, scored, path, line),
                saliency=None if saliency is None else _saliency(saliency, path, line),
                vid=_vid(record, path, line),
                line=line,
                scored=scored,
                presence=_presence(record, path, line),
            )
        )
    return predictions


def _presence(record: dict[str, Any], path: Path, line: int) -> float | None:
    value = record.get(PRESENCE)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise LineError(path, line, f"{PRESENCE} is not a number")
    return float(value)


def _vid(record: dict[str, Any], path: Path, line: int) -> str | None:
    vid = record.get("vid")
    if vid is not None and not isinstance(vid, str):
        raise LineError(path, line, "vid is not a text")
    return vid


def _without_scores(value: object) -> bool:
    """Whether windows are [start, end], as language models write them."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(row, list) and len(row) == 2 for row in value)
    )


def _windows(value: object, scored: bool, path: Path, line: int) -> Array:
    if scored:
        return windows(value, "[start, end, score]", "pred_relevant_windows", path, line)
    spans = windows(value, "[start, end]", "pred_relevant_windows", path, line)
    return np.column_stack([spans, np.ones(len(spans))])


def _saliency(value: object, path: Path, line: int) -> Array:
    scores = numbers(value, "pred_saliency_scores", path, line)
    if scores.ndim != 1:
        raise LineError(path, line, "pred_saliency_scores is not one list of numbers")
    return scores


SUBMISSION = "the submission"


def write_submission(
    path: Path | str,
    pairs: Iterable[tuple[Annotation, Prediction]],
    *,
    inputs: Iterable[Path | str] = (),
    force: bool = False,
) -> None:
    """Write predictions in the field's submission format, windows to four decimals as it does.

    Args:
        inputs: Files that are never replaced, such as the annotations.
        force: Replace a file that rdmf did not write.

    Raises:
        RdmfError: As `files.write_whole`; what was there stays.
    """

    def write(file: BinaryIO) -> None:
        for annotation, prediction in pairs:
            file.write(f"{json.dumps(_submitted(annotation, prediction))}\n".encode())

    write_whole(path, write, inputs=inputs, force=force, what=SUBMISSION)


def _submitted(annotation: Annotation, prediction: Prediction) -> dict[str, object]:
    record: dict[str, object] = {
        "qid": annotation.qid,
        "query": annotation.query,
        "vid": annotation.vid,
    }
    if prediction.windows is not None:
        record["pred_relevant_windows"] = np.round(prediction.windows, WINDOW_DECIMALS).tolist()
    if prediction.saliency is not None:
        record["pred_saliency_scores"] = prediction.saliency.tolist()
    if prediction.presence is not None:
        record[PRESENCE] = round(prediction.presence, PRESENCE_DECIMALS)
    return record
