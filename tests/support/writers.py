"""Everything in rdmf that writes a file; for each, a process in which the disk is full."""

from __future__ import annotations

import hashlib
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rdmf_cli.outputs.formats import FORMATS

FULL_AFTER = 200  # bytes that still fit into a file


def _features(folder: Path, version: int) -> None:
    from rdmf_cli.features import save_video_features

    save_video_features(folder, "video", np.full((50, 8), version))


def _cache_entry(folder: Path, version: int) -> None:
    from rdmf_cli.features import FeatureStore

    store = FeatureStore(folder, limit=1 << 20)
    store.put({"content": "a"}, np.full((50, 8), version), {"video": f"{version}.mp4"})


def _unfinished_entry(folder: Path, version: int) -> None:
    from rdmf_cli.features import FeatureStore

    store = FeatureStore(folder, limit=1 << 20)
    store.put_part({"content": "a"}, 0, {"rows": np.full((50, 8), version)}, {})


def _submission(folder: Path, version: int) -> None:
    from rdmf_cli.datasets import Annotation
    from rdmf_cli.evaluation.predictions import Prediction, write_submission

    annotation = Annotation(qid=version, query="a dog", vid="v", duration=10.0, windows=None)
    windows = np.full((50, 3), version, float)
    write_submission(folder / "s.jsonl", [(annotation, Prediction(version, windows, None))])


def _figure(folder: Path, version: int) -> None:
    from rdmf_cli.outputs.figure import DrawnPattern, save_pattern_figure

    clips = np.linspace(0, 1, 20)
    pattern = DrawnPattern(
        similarity=clips,
        change=clips[1:],
        r=clips[None],
        r_star=np.array([0.5]),
        u_trace=np.ones((3, 1, 20)),
        v_trace=np.ones((3, 1, 20)),
        moments=[],
        clip_length=2.0,
        names=["one"],
        title=f"version {version}",
    )
    save_pattern_figure(folder / "pattern.png", pattern)


def _head(folder: Path, version: int) -> None:
    from rdmf_cli.heads.learned.config import ModelConfig
    from rdmf_cli.heads.learned.torch.export import export
    from rdmf_cli.heads.learned.torch.network import Network

    export(Network(ModelConfig()), folder / "head.rdmf", {"version": version})


def _checkpoint(folder: Path, version: int) -> None:
    from rdmf_cli.heads.learned.config import ModelConfig
    from rdmf_cli.heads.learned.torch import checkpoint
    from rdmf_cli.heads.learned.torch.network import Network

    checkpoint.save(folder, Network(ModelConfig()), {"version": version})


def _training_state(folder: Path, version: int) -> None:
    import torch

    from rdmf_cli.training.state import State, save_state

    weights = {"x": torch.full((500,), float(version))}
    save_state(folder, State({}, "float32", weights, weights, {}, 1, best_epoch=1))


def _training_log(folder: Path, version: int) -> None:
    from rdmf_cli.training.log import _keep_epochs

    path = folder / "log.jsonl"
    if not path.exists():
        path.write_text("".join(f'{{"epoch": {i}}}\n' for i in range(100)))
    _keep_epochs(path, 100 - version)


def _log_lines(folder: Path, version: int) -> None:
    from rdmf_cli.training.log import LogFile

    log = LogFile(folder / "log.jsonl", done=version - 1, interval=1)
    log._write("epoch", {"epoch": version, "text": "x" * 500})
    log.ended()


def _curves(folder: Path, version: int) -> None:
    from rdmf_cli.training.events import Step
    from rdmf_cli.training.log import TensorBoard

    curves = TensorBoard(folder, version, 1)
    for step in range(50):
        curves.stepped(Step(step, 1, {"total": 1.0}, 0.1, 1.0, 1.0, 1.0))
    curves.ended()


def _catalogue(folder: Path, version: int) -> None:
    from rdmf_cli.library.catalogue import Catalogue

    catalogue = Catalogue(folder / "catalogue.sqlite")
    try:
        catalogue.keep_fact("settings", f"{version}" * 5000)
    finally:
        catalogue.close()


def _towers(folder: Path, version: int) -> None:
    from rdmf_cli.encoders.open_clip.convert import _keep
    from rdmf_cli.encoders.open_clip.towers import Record

    work = folder.parent / "work"
    if not work.exists():
        work.mkdir()
        (work / "images.onnx").write_bytes(bytes(500))
    record = Record(512, 77, 224, "shortest", "bicubic", (), (), 0, version, {})
    _keep(work, folder, record)


def _truth_and_predictions(folder: Path) -> tuple[Path, Path]:
    import made_up_benchmark as made_up

    truth, given = folder / "truth.jsonl", folder / "given.jsonl"
    if not truth.exists():
        made_up.written(truth, made_up.ANNOTATIONS)
        made_up.written(given, made_up.PREDICTIONS)
    return truth, given


def _comparison(folder: Path, version: int) -> None:
    from rdmf_cli import compare

    truth, given = _truth_and_predictions(folder)
    compare([given, given], truth, html=folder / "page.html", seed=version, resamples=1000)


def _analysis(folder: Path, version: int) -> None:
    from rdmf_cli import analyze
    from rdmf_cli.outputs.analysis_figure import save_analysis_figure

    truth, given = _truth_and_predictions(folder)
    record = analyze(given, truth)
    save_analysis_figure(folder / "analysis.png", record, inputs=(truth, given))


def _rows_of_queries(folder: Path, version: int) -> None:
    from rdmf_cli.outputs.query_rows import write_query_rows

    write_query_rows(folder / "rows.csv", ["qid"], [[version]] * 500)


def _video(folder: Path) -> Path:
    from barcoded import Recipe

    path = folder / "film.mp4"
    return path if path.exists() else Recipe("film", "libx264", "mp4", frames=50).make(folder)


def _answers_as(form: str) -> Callable[[Path, int], None]:
    def write(folder: Path, version: int) -> None:
        from sample_answers import sample_answer

        from rdmf_cli.outputs.files import AnswerFiles

        video = str(_video(folder))
        with AnswerFiles(str(folder / "answer"), form, False, lambda path: None) as files:
            files.write(sample_answer(clips=20, video=video, query=f"door {version} " * 30))

    return write


def _cut_as(copy: bool, montage: bool) -> Callable[[Path, int], None]:
    def write(folder: Path, version: int) -> None:
        from sample_answers import sample_answer, sample_moment

        from rdmf_cli.handover.cutter import Cutter

        moment = sample_moment(1, 20).model_copy(update={"start": 0.0, "end": 1.0})
        answer = sample_answer(clips=20, video=str(_video(folder)), moments=[moment])
        names = (None, folder / "all.mp4") if montage else (str(folder / "cut.mp4"), None)
        cutter = Cutter(*names, copy=copy)
        cutter.cut([answer])
        cutter.join()

    return write


def _fetched_weights(folder: Path, version: int) -> None:
    from rdmf_cli.encoders.index import _update

    _update(folder / "fetched.json", "name", f"{version}" * 500)


def _schemas(folder: Path, version: int) -> None:
    from rdmf_cli.outputs.schema import publish

    publish(folder)


# Streams cannot be written completely or not at all: each new file keeps what fits.
STREAMS = {"TensorBoard's curves"}
WRITERS: dict[str, Callable[[Path, int], None]] = {
    "features": _features,
    "cache entry": _cache_entry,
    "unfinished entry": _unfinished_entry,
    "submission": _submission,
    "figure": _figure,
    "head": _head,
    "checkpoint": _checkpoint,
    "training state": _training_state,
    "training log": _training_log,
    "lines of the log": _log_lines,
    "TensorBoard's curves": _curves,
    "fetched weights": _fetched_weights,
    "converted towers": _towers,
    "catalogue of a library": _catalogue,
    "schemas": _schemas,
    "page of a comparison": _comparison,
    "figure of an analysis": _analysis,
    "rows of queries": _rows_of_queries,
    **{f"answers as {form}": _answers_as(form) for form in FORMATS if form != "table"},
    "cut": _cut_as(copy=False, montage=False),
    "copied cut": _cut_as(copy=True, montage=False),
    "montage": _cut_as(copy=False, montage=True),
}


def contents(folder: Path) -> dict[str, str]:
    """Return the hash of every file, without locks."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def on_a_full_disk(name: str, folder: Path) -> dict[str, object]:
    """Return the files before and after a second write that does not fit, and the error."""
    folder.mkdir()
    WRITERS[name](folder, 1)
    before, said = contents(folder), ""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_AFTER, limits[1]))
    try:
        WRITERS[name](folder, 2)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    return {"before": before, "after": contents(folder), "said": said}


if __name__ == "__main__":  # FOLDER: prints what happened to each writer
    found = {name: on_a_full_disk(name, Path(sys.argv[1]) / name) for name in WRITERS}
    print(json.dumps(found))
