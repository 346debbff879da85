"""Prediction files: JSON Lines of `qid, query, vid, pred_relevant_windows, pred_saliency_scores`.

This is the field's submission format. Windows are [start, end, score], best first; saliency is one
score per clip.
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
from rdmf_cli.text import queries

Array = npt.NDArray[np.float64]

PRESENCE = "pred_exist_score"
"""The key of a prediction's presence, as in the evaluator of Soccer-GMR."""

QIDS_NAMED = 5
WINDOW_DECIMALS = 4
PRESENCE_DECIMALS = 6


@dataclass(frozen=True, eq=False)
class Prediction:
    """Hold the prediction for one query.

    Attributes:
        qid: the qid of its annotation.
        windows: (P, 3) [start, end, score] in seconds, best first; None: not predicted.
        saliency: (T,) one score per clip; None: not predicted.
        vid: name of the video.
        line: the number of its line in the file.
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
    """Hold the predictions of one file, in the order of the file."""

    path: Path
    entries: list[Prediction] = field(default_factory=list)

    def paired(self, annotations: Annotations) -> list[Prediction]:
        """Return one prediction per annotation, in the annotations' order.

        Predictions for annotations that were skipped are left out.

        Raises:
            RdmfError: a prediction has no annotation, an annotation has no prediction, or a
                prediction and its annotation name different videos.
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
            todo = "check that both files are of the same split"
            raise LineError(self.path, unknown[0].line, what + more, todo)

    def _none_missing(self, annotations: Annotations, by_qid: dict[str, Prediction]) -> None:
        missing = [a for a in annotations if str(a.qid) not in by_qid]
        if missing:
            names = ", ".join(repr(a.qid) for a in missing[:QIDS_NAMED])
            names += ", …" if len(missing) > QIDS_NAMED else ""
            what = (
                f"no prediction for {len(missing)} of {queries(len(annotations))}: qid {names} "
                f"(line {missing[0].line} of {annotations.path.name})"
            )
            raise RdmfError(
                what, self.path, "write one line per query; its list of windows may be empty"
            )


def read_predictions(path: Path | str) -> Predictions:
    """Read a prediction file.

    Raises:
        RdmfError: the file cannot be read or has an error; the error names the file and the line.
    """
    path = Path(path)
    predictions = Predictions(path)
    seen: dict[str, int] = {}
    for line, record in records(path):
        qid = identifier(record, path, line)
        if (first := seen.setdefault(str(qid), line)) != line:
            raise LineError(path, line, f"duplicate qid {qid!r} (first on line {first})")
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
    if not 0 <= value <= 1:
        raise LineError(path, line, f"{PRESENCE} must be from 0 to 1, not {value:g}")
    return float(value)


def _vid(record: dict[str, Any], path: Path, line: int) -> str | None:
    vid = record.get("vid")
    if vid is not None and not isinstance(vid, str):
        raise LineError(path, line, "vid is not a string")
    return vid


def _without_scores(value: object) -> bool:
    """Return whether windows are [start, end] without scores, as language models write windows."""
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
    """Write predictions in the field's submission format, with four decimals for windows.

    Args:
        path: the file.
        pairs: annotations with their predictions.
        inputs: files that must not be replaced, such as the annotations.
        force: replace a file that rdmf did not write.

    Raises:
        RdmfError: the file cannot be written; see `files.write_whole`. An older file then stays.
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
