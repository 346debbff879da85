"""The configuration of a run: every choice of data, model, losses, augmentation and training.

One TOML file holds the configuration (`rdmf train --config FILE.toml`); `--print-config` writes
such a file. The tables of the file are the fields of `RunConfig`. This module works without torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from rdmf_cli.errors import MissingExtra, RdmfError, UsageError, first_problem, place_of
from rdmf_cli.files import MIB, content_of
from rdmf_cli.heads.learned.config import HeadKind, ModelConfig
from rdmf_cli.moments.types import Record
from rdmf_cli.registry import nearest
from rdmf_cli.training.hyperparameters import Augmentation, Losses
from rdmf_cli.training.options import TrainingOptions
from rdmf_cli.training.sweep import Sweep

MOST_CONFIG: Final = MIB  # bytes

BY_FEATURES = frozenset(
    ("channels", "encoder", "clip_length", "video_width", "sentence_width", "words_width")
) | {"matching"}
"""Fields of a ModelConfig that the features determine, so that no user sets them."""

CHOICES: Final[dict[str, Any]] = {
    name: field for name, field in ModelConfig.model_fields.items() if name not in BY_FEATURES
}
"""The fields of a ModelConfig that the configuration of a run may set."""


HEAD: Final[TypeAdapter[HeadKind]] = TypeAdapter(HeadKind)


def _model_choices(given: dict[str, Any]) -> dict[str, Any]:
    """Check the choices of a model that do not depend on the features."""
    for name in given:
        if name not in CHOICES:
            raise ValueError(f"model.{name}: {_no_such(name, CHOICES)}")
    try:
        made = ModelConfig.model_validate({**given, "head": "universal"})
    except ValidationError as error:
        inside = "model." if error.errors()[0]["loc"] else ""
        raise ValueError(inside + first_problem(error, "model")) from error
    try:
        HEAD.validate_python(given.get("head", "universal"))
    except ValidationError as error:
        raise ValueError(first_problem(error, "model.head")) from error
    return {name: getattr(made, name) for name in given} | _head(given)


def _head(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"head": given["head"]} if "head" in given else {}


Choices = Annotated[dict[str, Any], AfterValidator(_model_choices)]


class DataConfig(Record):
    """Hold the data of a run."""

    dataset: str = Field(default="qvhighlights", description="a benchmark, or own annotations")
    features: str | None = Field(default=None, description="folder of features to learn from")
    streams: tuple[str, ...] | None = Field(
        default=None, description="streams of video features to read; missing: all"
    )
    text: str | None = Field(default=None, description="features of queries to read")
    videos: str | None = Field(default=None, description="folder of videos to learn from")
    annotations: str | None = Field(default=None, description="annotation file of the train split")
    split: str = Field(default="train", description="split to train on")
    val: str | None = Field(
        default=None, description="annotation file or split that chooses the epoch"
    )
    encoder: str = Field(default="auto", description="encoder of videos")
    clip_length: Annotated[float, Field(ge=0.05, le=3600)] | None = Field(
        default=None, description="clip length of own data, seconds"
    )
    skip_bad: bool = Field(default=False, description="leave out annotations with errors")


class RunConfig(Record):
    """Hold all settings of a run of `rdmf train`.

    >>> RunConfig(losses={"iou": 2.0}).changes
    {'losses.iou': 2.0}

    Attributes:
        data: the data to learn from.
        model: fields of `ModelConfig` that differ from its defaults.
        losses: weights of the losses.
        augmentation: probabilities of augmentation.
        training: the options of training, such as its length and its learning rate.
        init: the first weights: a run folder, an exported head, or "shipped" (the head of rdmf);
            None: random weights.
        seeds: one run per seed; empty: one run with `training.seed`.
        out: the run folder.
        sweep: one run per combination of values; None: no sweep.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    data: DataConfig = DataConfig()
    model: Choices = Field(default_factory=dict)
    losses: Losses = Losses()
    augmentation: Augmentation = Augmentation()
    training: TrainingOptions = TrainingOptions()
    init: str | None = None
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = ()
    out: str | None = None
    sweep: Sweep | None = None

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """Return every choice by table and name, including defaults, as JSON values."""
        model = ModelConfig(**{**self.model, "head": "universal"}).model_dump(mode="json")
        return {
            "data": self.data.model_dump(mode="json"),
            "model": {name: model[name] for name in CHOICES} | _head(self.model),
            "losses": self.losses.model_dump(mode="json"),
            "augmentation": self.augmentation.model_dump(mode="json"),
            "training": self.training.as_dict(),
        }

    @property
    def changes(self) -> dict[str, Any]:
        """Return the choices of model, losses and augmentation that differ from the defaults.

        Returns:
            Values by "table.name".
        """
        usual = RunConfig().tables
        return {
            f"{table}.{name}": value
            for table in ("model", "losses", "augmentation")
            for name, value in self.tables[table].items()
            if value != usual[table][name]
        }

    def having(self, values: Mapping[str, Any]) -> RunConfig:
        """Return a checked copy of the configuration with other values.

        Args:
            values: by "table.name" ("training.rate"), or by name ("init", "seeds", "out").

        Raises:
            UsageError: there is no such choice, or the choice cannot have this value.
        """
        told = self.as_told()
        for path, value in values.items():
            table, _, name = path.rpartition(".")
            (told.setdefault(table, {}) if table else told)[name] = value
        return _checked(told, None)

    def as_told(self) -> dict[str, Any]:
        """Return the settings that differ from the defaults, as JSON values for a file."""
        usual, own = RunConfig().tables, self.tables
        told: dict[str, Any] = {
            table: {k: v for k, v in own[table].items() if v != usual[table][k]} for table in own
        }
        told = {table: values for table, values in told.items() if values}
        rest = self.model_dump(mode="json", exclude={*own}, exclude_none=True)
        return told | {name: value for name, value in rest.items() if value != []}


def read_config(path: str | PathLike[str], usual: RunConfig | None = None) -> RunConfig:
    """Read a configuration.

    Args:
        path: a TOML file.
        usual: holds the choices that the file leaves out; None: the defaults.

    Raises:
        RdmfError: the file is missing or not TOML.
        UsageError: the file holds an unknown table, an unknown name or a wrong value.
        MissingExtra: tomlkit is not installed.
    """
    path = Path(path)
    content = content_of(path, "the configuration", "give a TOML file", most=MOST_CONFIG)
    try:
        from tomlkit import parse
        from tomlkit.exceptions import ParseError
    except ImportError as error:
        raise MissingExtra("a configuration file", "train") from error
    try:
        told = parse(content.decode("utf-8-sig")).unwrap()
    except (ParseError, UnicodeDecodeError) as error:
        raise RdmfError(
            f"is not TOML ({error})", path, "rdmf train --print-config prints a valid file"
        ) from (error)
    read = _checked(told if usual is None else _over(usual.as_told(), told), path)
    _check_sweep(read, path)
    return read


def _check_sweep(read: RunConfig, path: Path) -> None:
    """Check each value of a sweep by itself, so that an error names the file."""
    if read.sweep is None:
        return
    alone = read.model_copy(update={"sweep": None})
    for name, tried in read.sweep.values.items():
        for value in tried if isinstance(tried, list) else (tried.low, tried.high):
            try:
                alone.having({name: value})
            except UsageError as error:
                raise UsageError(f"sweep.values: {error.what}", path, error.todo) from error


def _over(usual: dict[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """Return all choices; those of `told` win, name by name in each table."""
    merged = dict(usual)
    for name, value in told.items():
        tables = isinstance(value, Mapping) and isinstance(usual.get(name), Mapping)
        merged[name] = {**usual[name], **value} if tables else value
    return merged


def _checked(told: Mapping[str, Any], path: Path | None) -> RunConfig:
    todo = "rdmf train --print-config shows all choices"
    try:
        return RunConfig.model_validate_json(json.dumps(told, default=str))
    except ValidationError as error:
        raise UsageError(_problem(error), path or "configuration", todo) from error
    except UsageError as error:  # from TrainingOptions
        raise UsageError(f"training.{error.what}", path or "configuration", todo) from error


def _problem(error: ValidationError) -> str:
    """Describe the first problem: the table and the setting, and what is wrong."""
    first = error.errors()[0]
    *tables, name = first["loc"] or ("",)
    if first["loc"] == ("model",) and first["type"] == "value_error":  # of _model_choices
        return str(first["ctx"]["error"])
    if first["type"] not in ("extra_forbidden", "unexpected_keyword_argument"):
        return first_problem(error, "the configuration")
    return f"{place_of(first)}: {_no_such(str(name), SETTINGS['.'.join(map(str, tables))])}"


def _no_such(name: str, known: Iterable[str]) -> str:
    """Describe an unknown setting, with the settings that its table has."""
    names = list(known)
    near = nearest(name, names)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"there is no such setting; {meant}the settings here are: {', '.join(names)}"


def as_toml(config: RunConfig) -> str:
    """Write a configuration as TOML: every choice, with a comment on its meaning.

    Raises:
        MissingExtra: tomlkit is not installed.
    """
    try:
        import tomlkit
    except ImportError as error:
        raise MissingExtra("a configuration file", "train") from error
    document = tomlkit.document()
    document.add(tomlkit.comment("rdmf train --config FILE: a missing line stands for its default"))
    for name in ("init", "out"):
        if (value := getattr(config, name)) is not None:
            document.add(name, value)
    if config.seeds:
        document.add("seeds", list(config.seeds))
    for table, values in config.tables.items():
        document.add(table, _table(values, ABOUT[table]))
    if config.sweep is not None:
        document.add("sweep", tomlkit.item(config.sweep.model_dump(mode="json", exclude_none=True)))
    text: str = tomlkit.dumps(document)
    return text


def _table(values: Mapping[str, Any], about: Mapping[str, str]) -> Any:
    import tomlkit

    table = tomlkit.table()
    for name, value in values.items():
        said = about.get(name, "")
        if value is None:
            table.add(tomlkit.comment(f"{name} =" + (f"  # {said}" if said else "")))
            continue
        item = tomlkit.item(value)
        table.add(name, item.comment(said) if said else item)
    return table


SETTINGS: Final[dict[str, tuple[str, ...]]] = {
    "": tuple(RunConfig.model_fields),
    "data": tuple(DataConfig.model_fields),
    "losses": tuple(Losses.model_fields),
    "augmentation": tuple(Augmentation.model_fields),
    "training": tuple(option.name for option in fields(TrainingOptions)),
    "sweep": tuple(Sweep.model_fields),
}
"""The settings of each table of a file; "": the tables, and the settings outside of tables."""


def _descriptions(record: type[Record]) -> dict[str, str]:
    return {name: field.description or "" for name, field in record.model_fields.items()}


ABOUT: Final[dict[str, dict[str, str]]] = {
    "data": _descriptions(DataConfig),
    "model": _descriptions(ModelConfig),
    "losses": _descriptions(Losses),
    "augmentation": _descriptions(Augmentation),
    "training": {},
}
"""The meaning of each choice, by table and name."""
