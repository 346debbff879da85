"""train, sweep and export: train your own heads, on a benchmark or on your own videos."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rdmf_cli.api.arguments import ClipLength, Count, FilePath, checked
from rdmf_cli.errors import MissingExtra, RdmfError, UsageError
from rdmf_cli.heads.learned.config import FusionKind, HeadKind, SlotKind
from rdmf_cli.outputs.payloads import Training, Trainings
from rdmf_cli.text import counted, queries
from rdmf_cli.training.config import CHOICES, RunConfig, as_toml, read_config
from rdmf_cli.training.events import Callback
from rdmf_cli.training.processes import is_main_process, started

if TYPE_CHECKING:
    from rdmf_cli.datasets import Annotations, Dataset, Samples
    from rdmf_cli.heads.learned.torch.network import Network
    from rdmf_cli.training.background import Rows
    from rdmf_cli.training.retrieval import RetrievalTask

DIGITS = 8
MODEL = "model"  # the folder in `out` to give to --checkpoint

__all__ = [
    "as_toml",
    "check_torch",
    "export",
    "is_main_process",
    "open_task",
    "run_config",
    "started",
    "sweep",
    "train",
    "train_config",
]

Progress = Callable[[int, int, str], None]  # videos done, videos in all, the present video
Notify = Callable[[str], None]
PATHS = {
    **{name: f"data.{name}" for name in ("dataset", "split", "val", "encoder", "clip_length")},
    **{name: f"data.{name}" for name in ("features", "videos", "annotations", "skip_bad")},
    **{name: f"data.{name}" for name in ("streams", "text")},
    **{name: f"model.{name}" for name in ("head", "fusion", "slots")},
    **{name: f"training.{name}" for name in ("epochs", "batch_size", "rate", "seed", "device")},
    **{name: f"training.{name}" for name in ("precision", "hold_out", "patience")},
    **{name: name for name in ("init", "seeds", "out")},
}
"""The place in a configuration of each argument of `train`."""


def run_config(
    config: FilePath | None = None, usual: Mapping[str, Any] | None = None, **told: Any
) -> RunConfig:
    """Make the configuration of a run.

    Args:
        config: A TOML file; None: the defaults.
        usual: Arguments of `train` that hold where the file does not say otherwise.
        **told: Arguments of `train`, which override the file; None: not given.

    Raises:
        RdmfError: The file is missing or has an error.
        UsageError: A value does not fit.
    """
    read = RunConfig().having(_by_place(usual or {}))
    if config is not None:
        read = read_config(config, read)
    try:
        return read.having(_by_place(told))
    except UsageError as error:
        raise _of_argument(error, told) from error


def _of_argument(error: UsageError, told: Mapping[str, Any]) -> UsageError:
    """Name the option if the value of an argument is at fault, and not the file."""
    place, _, rule = error.what.partition(" ")
    name = next((name for name in told if PATHS[name] == place), None)
    if name is None or told[name] is None:
        return error
    return UsageError(f"--{name.replace('_', '-')} {rule}", todo="see rdmf train --help")


def _by_place(told: Mapping[str, Any]) -> dict[str, Any]:
    return {PATHS[name]: _plain(value) for name, value in told.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    return list(value) if isinstance(value, list | tuple) else str(value)


@checked
def train(
    *,
    config: FilePath | None = None,
    dataset: str | None = None,
    features: FilePath | None = None,
    streams: Sequence[str] | None = None,
    text: str | None = None,
    videos: FilePath | None = None,
    annotations: FilePath | None = None,
    split: str | None = None,
    val: FilePath | None = None,
    encoder: str | None = None,
    clip_length: ClipLength | None = None,
    init: FilePath | None = None,
    out: FilePath | None = None,
    head: HeadKind | None = None,
    fusion: FusionKind | None = None,
    slots: SlotKind | None = None,
    epochs: Count | None = None,
    batch_size: Count | None = None,
    rate: float | None = None,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal["auto", "float32", "bfloat16"] | None = None,
    hold_out: float | None = None,
    patience: int | None = None,
    restart: bool = False,
    skip_bad: bool | None = None,
    progress: Progress | None = None,
    notify: Notify | None = None,
    callback: Callback | None = None,
    wandb: str | None = None,
) -> Training:
    """Train a head. If the training is interrupted, the same call resumes it.

    If an argument is None, the value in `config` is used, or else the default; see
    `rdmf_cli.training.config.RunConfig`.

    >>> train(dataset="charades", features="charades", epochs=20).scores  # doctest: +SKIP

    Args:
        config: A TOML file with settings for data, model, losses, augmentation and training.
        dataset: A benchmark (default: qvhighlights), or your own annotations (JSON Lines).
        features: Learn from features: a folder with video/ and text/.
        streams: Names of the streams in `features` to read; None: all that rdmf recognises.
        text: Name of the queries' features in `features`; None: the first that rdmf recognises.
        videos: Learn from videos: the folder of the videos. Their features are cached.
        annotations: The annotations; by default FEATURES/SPLIT.jsonl.
        split: The split to learn from; by default train.
        val: An annotation file or a split for choosing the best epoch; it replaces `hold_out`.
        encoder: The encoder for `videos`, as in `query`.
        clip_length: Seconds per clip; None: the clip length of the benchmark, or 2.
        init: The first weights: a run folder, an exported head, or "shipped" (the head of rdmf).
        out: Run folder; by default a folder in runs/, named after the settings.
        head: "universal" works with any encoder (the default); "full" also reads the features of
            the encoder that the head was trained with.
        fusion: The fusion module.
        slots: The spans that the slot decoder starts from: "pattern" or "random".
        epochs: Number of passes over the samples.
        batch_size: Samples per training step, over all processes.
        rate: The highest learning rate.
        seed: Random seed.
        device: The device of the training and of the encoder.
        precision: "auto": bfloat16 on GPUs that support it, float32 on other devices.
        hold_out: Share of the videos that is held out to choose the best epoch; 0: learn from all
            videos and keep the last epoch.
        patience: Stop after this number of epochs without a better score; 0: never.
        restart: Start again in `out`; the earlier training is kept until the new one ends.
        skip_bad: Leave out annotations that have a fault, and note them.
        progress: A function that is called while features are read, with the videos done, the
            videos in all and the present video.
        notify: A function that is called with each note on the data.
        callback: Receives epochs and training steps: a `training.events.Callback`.
        wandb: A Weights & Biases project to which the training curves are also sent.

    Returns:
        The held-out scores of the best epoch, and the folder of the trained head.

    Raises:
        UsageError: Options do not fit together, or have a wrong type or value.
        MissingExtra: torch is not installed.
        RdmfError: A file is missing (the error is then also a FileNotFoundError), or has an error.
    """
    told = {name: value for name, value in locals().items() if name in PATHS}
    return train_config(
        run_config(config, **told),
        restart=restart,
        progress=progress,
        notify=notify,
        callback=callback,
        wandb=wandb,
    )


def train_config(
    run: RunConfig,
    *,
    restart: bool = False,
    progress: Progress | None = None,
    notify: Notify | None = None,
    callback: Callback | None = None,
    wandb: str | None = None,
) -> Training:
    """Train the one head of a configuration; see `train`."""
    check_torch()
    if run.seeds or run.sweep:
        todo = "call sweep, or leave them out"
        raise UsageError("makes several runs, not one", "seeds or sweep", todo)
    return train_one(complete(run), Shared(progress, notify), restart, callback, wandb)


@checked
def sweep(
    config: FilePath | RunConfig,
    *,
    restart: bool = False,
    progress: Progress | None = None,
    notify: Notify | None = None,
    callback: Callback | None = None,
    wandb: str | None = None,
) -> Trainings:
    """Train several heads: one per seed and combination of values of a configuration.

    Complete runs are not trained again, so the same call resumes a sweep. If a run fails (its loss
    is not finite), the remaining runs continue.

    Args:
        config: A TOML file with `seeds` or a table `sweep`, or a configuration object.
        restart: Start every run again.
        progress: The same as in `train`.
        notify: A function that is called with each note on the data and with the name of each run.
        callback: Receives epochs and training steps of every run.
        wandb: A Weights & Biases project to which the training curves are also sent.

    Returns:
        The scores of every run, and their mean and standard deviation per combination of values.

    Raises:
        UsageError: There is neither a seed nor a sweep, or the values of a combination do not fit.
        MissingExtra: torch is not installed.
        RdmfError: A file is missing, or a file has an error.
    """
    check_torch()
    run = complete(config if isinstance(config, RunConfig) else read_config(config))
    if not (run.seeds or run.sweep):
        raise UsageError("no seeds and no sweep", "the configuration", "call train for one run")
    from rdmf_cli.api.sweeping import train_all

    return train_all(run, _usual_folder(run), restart, Shared(progress, notify), callback, wandb)


@checked
def export(run: FilePath, file: FilePath, *, force: bool = False) -> Path:
    """Export a trained head as one file; the file answers queries without torch.

    >>> export("runs/mine", "mine.rdmf")  # doctest: +SKIP
    >>> query("video.mp4", "a dog", checkpoint="mine.rdmf")  # doctest: +SKIP

    Args:
        run: A run folder, or its folder `model`.
        file: The file to write.
        force: Replace a file that rdmf did not write.

    Returns:
        The path of the file.

    Raises:
        MissingExtra: torch is not installed.
        UsageError: The file exists, and rdmf did not write it.
        RdmfError: The run holds no head, or the file cannot be written.
    """
    check_torch()
    from rdmf_cli.heads.learned.torch import checkpoint
    from rdmf_cli.heads.learned.torch.export import export as write

    folder = checkpoint.find(Path(run))
    about = checkpoint.load_about(folder)
    return write(checkpoint.load(folder), Path(file), about, force=force)


def complete(run: RunConfig) -> RunConfig:
    """Check that a configuration says which data to learn from."""
    data = run.data
    if (data.features is None) == (data.videos is None):
        what = "cannot be given together" if data.features is not None else "not given"
        todo = "rdmf train --features FOLDER, or --videos FOLDER --annotations FILE"
        raise UsageError(what, "--features and --videos", todo)
    return run


@dataclass
class Opened:
    """Hold opened data: samples, held-out samples, background sentences, hash of the files."""

    samples: Samples
    held_out: Samples | None
    background: Rows | None
    hash: str


@dataclass
class Shared:
    """Hold what several runs share: their data, opened once."""

    progress: Progress | None = None
    notify: Notify | None = None
    opened: dict[str, Opened] = field(default_factory=dict)

    def open(self, run: RunConfig) -> Opened:
        """Open the data of a run if they are not open yet."""
        key = run.data.model_dump_json() + run.training.device
        if key not in self.opened:
            self.opened[key] = open_data(run, self.progress, self.notify)
        return self.opened[key]


def train_one(
    run: RunConfig,
    shared: Shared,
    restart: bool = False,
    callback: Callback | None = None,
    wandb: str | None = None,
) -> Training:
    """Train the one head of a configuration; see `train`."""
    from rdmf_cli.training.curves import draw
    from rdmf_cli.training.log import with_wandb
    from rdmf_cli.training.loop import train as loop
    from rdmf_cli.training.record import record_of
    from rdmf_cli.training.state import check_own

    folder, about = _usual_folder(run), _about(run)
    check_own(folder)  # check before the long work
    task, data = open_task(run, shared)
    with with_wandb(callback, wandb, folder) as callbacks:
        result = loop(task, run.training, folder, callback=callbacks, about=about, restart=restart)
    if is_main_process():
        device = str(next(task.model.parameters()).device)
        record = record_of(run.tables, data, device)
        task.save(folder / MODEL, {**about, "scores": result.scores, "run": record})
        draw(folder, (callback or Callback()).note)
    ended = {**asdict(result), "checkpoint": str(result.checkpoint)}
    return Training(**ended, model=str(folder / MODEL))


def open_task(run: RunConfig, shared: Shared) -> tuple[RetrievalTask, str]:
    """Open the model and the data of a run; return the task and a hash of the data."""
    from rdmf_cli.training.hyperparameters import Hyperparameters
    from rdmf_cli.training.retrieval import RetrievalTask

    init = _init(run.init)
    data = shared.open(run)
    task = RetrievalTask(
        data.samples,
        _model(run, init),
        run.training,
        held_out=data.held_out,
        hyper=Hyperparameters(**run.losses.model_dump(), **run.augmentation.model_dump()),
        background=data.background,
    )
    if init is not None:
        task.start_from(init)
    return task, data.hash


def _init(name: str | None) -> Network | None:
    if name is None:
        return None
    from rdmf_cli.heads.learned.torch.restore import load_network

    return load_network(name)


def _model(run: RunConfig, init: Network | None) -> dict[str, Any]:
    """Return the settings of the model: from the run, or from `init`, or the defaults."""
    first = {} if init is None else {name: getattr(init.config, name) for name in CHOICES}
    return {"head": "universal", **first, **run.model}


def open_data(run: RunConfig, progress: Progress | None, notify: Notify | None) -> Opened:
    """Open the data of a run, and read all data once, to find errors before the training."""
    from rdmf_cli.datasets import open_annotations, open_samples
    from rdmf_cli.datasets.samples import samples_of_features
    from rdmf_cli.encoders import load_encoder
    from rdmf_cli.training import background
    from rdmf_cli.training.record import data_hash

    data = run.data
    folder = Path(data.features or data.videos or "")
    dataset, annotations = open_annotations(
        data.dataset,
        Path(data.annotations) if data.annotations else None,
        folder=folder,
        split=data.split,
        clip_length=data.clip_length,
        skip_bad=data.skip_bad,
    )
    _check_moments(annotations, notify)
    if data.features:
        samples = samples_of_features(dataset, annotations, data.features, data.streams, data.text)
        unrelated = background.in_folder(folder, samples.space.sentence)
    else:
        encoder = load_encoder(data.encoder, run.training.device)
        samples = open_samples(dataset, annotations, videos=data.videos, encoder=encoder)
        unrelated = background.by_encoder(encoder)
    held_out = samples.of(_val(run, dataset, folder)) if data.val else None
    parts = [samples, *([held_out] if held_out else [])]
    for part in parts:
        part.prepare(progress)
    if notify:
        for note in dict.fromkeys((*(n for part in parts for n in part.notes), *_shared(parts))):
            notify(note)
    files = (path for part in parts for path in part.files())
    digest = data_hash([part.annotations.path for part in parts], files)
    return Opened(samples, held_out, unrelated, digest)


def _check_moments(annotations: Annotations, notify: Notify | None) -> None:
    """Check that the queries to learn from have moments; note how many have none."""
    if annotations.without_moments:
        todo = "list the true moments of each query in relevant_windows"
        what = f"no moment in any of its {queries(len(annotations))}: there is nothing to learn"
        raise RdmfError(what, annotations.path, todo)
    absent = sum(annotation.absent for annotation in annotations)
    if absent and notify:
        have = "has" if absent == 1 else "have"
        name, of = annotations.path.name, queries(len(annotations))
        notify(f"{name}: {absent} of {of} {have} no moment; the head learns presence from them")


def _val(run: RunConfig, dataset: Dataset, folder: Path) -> Annotations:
    """Read the annotations that choose the best epoch: a file, or a split of the data set."""
    from rdmf_cli.datasets import DATASETS, find_annotations

    assert run.data.val is not None
    path = Path(run.data.val)
    if not path.suffix and not path.is_file():
        benchmark = DATASETS.get(dataset.name)
        path = find_annotations(run.data.val, folder, benchmark)
    return dataset.read(path, run.data.skip_bad)


def _shared(parts: Sequence[Samples]) -> Iterator[str]:
    """Yield a note if the same video is in two parts."""
    from rdmf_cli.datasets.split import video_of

    vids = [{video_of(annotation.vid) for annotation in part.annotations} for part in parts]
    both = set.intersection(*vids) if len(parts) > 1 else set()
    if both:
        are = "is" if len(both) == 1 else "are"
        yield (
            f"{counted(len(both), 'video')} {are} both in the train split and in --val "
            f"({min(both)}): its scores are too high"
        )


def check_torch() -> None:
    """Check that torch is installed.

    Raises:
        MissingExtra: torch is not installed.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtra("training", "train") from error


def _about(run: RunConfig) -> dict[str, Any]:
    """Return the settings that must stay the same when a run resumes, without the training options.

    Settings with their default value are left out, because older runs do not have these settings.
    """
    data = run.data.model_dump(exclude={"val", "skip_bad", "streams", "text"})
    model = {name: run.model.get(name, usual) for name, usual in FLAT.items()}
    more: dict[str, Any] = {"skip_bad": True} if run.data.skip_bad else {}
    for name in ("val", "streams", "text"):
        value = getattr(run.data, name)
        more |= {name: list(value) if isinstance(value, tuple) else value} if value else {}
    more |= {"init": run.init} if run.init else {}
    flat = {f"model.{name}" for name in FLAT}
    changes = {name: value for name, value in run.changes.items() if name not in flat}
    return {**data, **model, **more, **changes}


FLAT = {"head": "universal", "fusion": "reaction-diffusion", "slots": "pattern"}
"""The choices of a model that every run states, with their defaults."""


def _usual_folder(run: RunConfig) -> Path:
    """Return runs/NAME; NAME is made from the settings, so the same command finds the folder again.

    NAME ends with digits of a hash of all settings, so a command with other settings has another
    folder.
    """
    if run.out is not None:
        return Path(run.out)
    about = _about(run)
    several = (
        {"seeds": run.seeds, "sweep": run.sweep.model_dump(mode="json")}
        if run.sweep
        else ({"seeds": run.seeds} if run.seeds else {})
    )
    settings = json.dumps({**run.training.as_dict(), **about, **several}, sort_keys=True)
    digits = hashlib.sha256(settings.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
    words = (Path(about["dataset"]).stem, about["head"], about["fusion"], about["slots"])
    last = "sweep" if run.sweep else "seeds" if run.seeds else str(run.training.seed)
    return Path("runs") / "-".join((*words, last, digits))
