"""train: a head of your own, on a benchmark or on your own footage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rdmf_cli.api.arguments import ClipLength, Count, FilePath, checked
from rdmf_cli.errors import MissingExtra, UsageError
from rdmf_cli.heads.learned.config import FusionKind, HeadKind, SlotKind
from rdmf_cli.outputs.payloads import Training
from rdmf_cli.training.events import Callback
from rdmf_cli.training.options import TrainingOptions
from rdmf_cli.training.processes import is_main_process, started

if TYPE_CHECKING:
    from rdmf_cli.training.retrieval import RetrievalTask

DIGITS = 8
MODEL = "model"  # the folder in `out` that --checkpoint takes
USUAL = TrainingOptions()

__all__ = ["check_torch", "is_main_process", "open_task", "started", "train"]

Progress = Callable[[int, int, str], None]  # videos done, videos in all, the one at hand


@checked
def train(
    *,
    dataset: str = "qvhighlights",
    features: FilePath | None = None,
    videos: FilePath | None = None,
    annotations: FilePath | None = None,
    split: str = "train",
    encoder: str = "auto",
    clip_length: ClipLength | None = None,
    out: FilePath | None = None,
    head: HeadKind = "universal",
    fusion: FusionKind = "reaction-diffusion",
    slots: SlotKind = "pattern",
    epochs: Count = USUAL.epochs,
    batch_size: Count = USUAL.batch_size,
    rate: float = USUAL.rate,
    seed: int = USUAL.seed,
    device: str = USUAL.device,
    precision: Literal["auto", "float32", "bfloat16"] = USUAL.precision,
    hold_out: float = USUAL.hold_out,
    patience: int = USUAL.patience,
    restart: bool = False,
    skip_bad: bool = False,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
    callback: Callback | None = None,
) -> Training:
    """Train a head. If it is interrupted, the same call resumes it.

    >>> train(dataset="charades", features="charades", epochs=20).scores  # doctest: +SKIP

    Args:
        dataset: A benchmark, or your own annotations (JSON Lines).
        features: Learn from features: a folder with video/ and text/.
        videos: Learn from videos: their folder. Features are cached.
        annotations: The annotations; by default FEATURES/SPLIT.jsonl.
        split: The part to learn from.
        encoder: Of `videos`, as for `query`.
        clip_length: Seconds per clip; None: the benchmark's, or 2.
        out: Run folder; by default one in runs/, named after the settings.
        head: "universal" serves any encoder; "full" also reads the features of the encoder it
            was trained with.
        fusion: The fusion module.
        slots: Where the decoder's slots start: "pattern" or "random".
        epochs: Passes over the samples.
        batch_size: Samples per step, over all processes.
        rate: The highest learning rate.
        seed: Random seed.
        device: Device to train on, and of the encoder.
        precision: "auto": bfloat16 on GPUs that can, float32 elsewhere.
        hold_out: Share of the videos that chooses the epoch; 0: learn from all, keep the last.
        patience: Stop after so many epochs without a better score; 0: never.
        restart: Start again in `out`; what was trained there is kept until the end.
        skip_bad: Leave out annotations with a fault, and note them.
        progress: Is called with the videos done, the videos in all and the one at hand while
            features are read.
        notify: Is called with each note on the data.
        callback: Receives epochs and steps: a `training.events.Callback`.

    Returns:
        The held-out scores of the best epoch, and where the head lies.

    Raises:
        UsageError: Options do not go together, or are of a wrong type or value.
        MissingExtra: torch is not installed.
        RdmfError: A file is not there (a FileNotFoundError, too), or something in it is wrong.
    """
    check_torch()
    if (features is None) == (videos is None):
        what = "cannot be given together" if features is not None else "not given"
        todo = "rdmf train --features FOLDER, or --videos FOLDER --annotations FILE"
        raise UsageError(what, "--features and --videos", todo)
    from rdmf_cli.training.loop import train as run
    from rdmf_cli.training.state import check_own

    how = TrainingOptions(
        epochs=epochs,
        batch_size=batch_size,
        rate=rate,
        precision=precision,
        hold_out=hold_out,
        patience=patience,
        seed=seed,
        device=device,
    )
    about = {
        "dataset": dataset,
        "features": _name(features),
        "videos": _name(videos),
        "annotations": _name(annotations),
        "split": split,
        "encoder": encoder,
        "clip_length": clip_length,
        "head": head,
        "fusion": fusion,
        "slots": slots,
    }
    if skip_bad:  # absent where it is off, as in trainings from before there was the option
        about["skip_bad"] = True
    folder = Path(out) if out is not None else _usual_folder(about, how)
    check_own(folder)  # before the long work
    task = open_task(about, how, progress, notify)
    result = run(task, how, folder, callback=callback, about=about, restart=restart)
    if is_main_process():
        task.save(folder / MODEL, {**about, "scores": result.scores})
    ended = {**asdict(result), "checkpoint": str(result.checkpoint)}
    return Training(**ended, model=str(folder / MODEL))


def open_task(
    about: dict[str, Any],
    how: TrainingOptions,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
) -> RetrievalTask:
    """Open the model and its data, as `about` names them, and read all of the data once."""
    from rdmf_cli.datasets import open_annotations, open_samples
    from rdmf_cli.encoders import load_encoder
    from rdmf_cli.training import background
    from rdmf_cli.training.retrieval import RetrievalTask

    dataset, annotations = open_annotations(
        about["dataset"],
        Path(about["annotations"]) if about["annotations"] else None,
        folder=Path(about["features"] or about["videos"]),
        split=about["split"],
        clip_length=about["clip_length"],
        skip_bad=about.get("skip_bad", False),
    )
    if about["features"]:
        samples = open_samples(dataset, annotations, features=about["features"])
        unrelated = background.in_folder(Path(about["features"]), samples.space.sentence)
    else:
        encoder = load_encoder(about["encoder"], how.device)
        samples = open_samples(dataset, annotations, videos=about["videos"], encoder=encoder)
        unrelated = background.by_encoder(encoder)
    samples.prepare(progress)
    if notify:
        for note in dict.fromkeys(samples.notes):
            notify(note)
    config = {name: about[name] for name in ("head", "fusion", "slots")}
    return RetrievalTask(samples, config, how, background=unrelated)


def check_torch() -> None:
    """Check that torch is installed.

    Raises:
        MissingExtra: It is not.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtra("training", "train") from error


def _name(path: FilePath | None) -> str | None:
    return None if path is None else str(path)


def _usual_folder(about: dict[str, Any], how: TrainingOptions) -> Path:
    """Name runs/… by what is trained, so that the same command finds its own folder again.

    The digits at its end are those of a hash of all settings: no other command has this folder.
    """
    settings = json.dumps({**how.as_dict(), **about}, sort_keys=True)
    digits = hashlib.sha256(settings.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
    words = (Path(about["dataset"]).stem, about["head"], about["fusion"], about["slots"])
    return Path("runs") / "-".join((*words, str(how.seed), digits))
