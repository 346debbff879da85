"""Everything in rdmf that writes a file, and a process in which the disk is full for each."""

from __future__ import annotations

import hashlib
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

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


def _fetched_weights(folder: Path, version: int) -> None:
    from rdmf_cli.encoders.index import _update

    _update(folder / "fetched.json", "name", f"{version}" * 500)


def _schemas(folder: Path, version: int) -> None:
    from rdmf_cli.outputs.schema import publish

    publish(folder)


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
    "fetched weights": _fetched_weights,
    "schemas": _schemas,
}


def contents(folder: Path) -> dict[str, str]:
    """The hash of every file, locks left out."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def on_a_full_disk(name: str, folder: Path) -> dict[str, object]:
    """What is there before and after a second write that does not fit, and how it was refused."""
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
