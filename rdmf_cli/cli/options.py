"""The options that several commands share: one wording, one meaning."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from rdmf_cli.encoders.registry import FAMILIES
from rdmf_cli.registry import Choice, Registry


def choice(
    registry: Registry[Choice], option: str, help: str, *also: str
) -> typer.models.OptionInfo:
    """Make the option that takes one of the names in a registry; its help lists them.

    Args:
        registry: The choices.
        option: Its name: "--format".
        help: What it chooses; what each name means is added.
        *also: Names that stand for no entry, such as "auto".
    """

    def known(name: str) -> str:
        return name if name in also else registry.find(name).name

    def completed(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    names = (*also, *registry)
    return typer.Option(
        option,
        parser=known,
        metavar=f"[{'|'.join(names)}]",
        autocompletion=completed,
        help=f"{help} {registry.described()}.",
    )


class Head(str, Enum):
    auto = "auto"
    learned = "learned"
    training_free = "training-free"


ClipLength = Annotated[
    float,
    typer.Option(
        "--clip-length", min=0.05, max=3600, help="Seconds a clip; one frame is seen a clip."
    ),
]
OwnClipLength = Annotated[
    Optional[float],  # noqa: UP045  (typer reads this at run time on Python 3.10)
    typer.Option(
        "--clip-length",
        min=0.05,
        max=3600,
        help="Seconds a clip; by default the benchmark's, or 2.",
    ),
]
EncoderName = Annotated[
    str,
    typer.Option(
        "--encoder",
        help=f"auto, or the name of an encoder: {FAMILIES.described()}.",
    ),
]
Device = Annotated[
    str, typer.Option("--device", help="auto, cpu, cuda, mps: where open_clip runs.")
]
Decoder = Annotated[str, typer.Option("--decoder", help="auto, pyav, ffmpeg or decord.")]
Checkpoint = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--checkpoint",
        help="A head of your own: rates, an exported head, or the folder of a trained one.",
    ),
]
HeadName = Annotated[
    Head, typer.Option("--head", help="Which shipped head answers; auto: learned where it ships.")
]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="Look into the folders inside a folder, too.")
]
FilesFrom = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--files-from", help="Read paths from this file, one per line; - for stdin."),
]
Null = Annotated[
    bool, typer.Option("-0", "--null", help="Paths of --files-from end with a zero byte.")
]
Exclude = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--exclude", help="Leave out files and folders of this name (*, ?, [abc])."),
]
Start = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--start", help="Look only from here: seconds, m:ss or h:mm:ss."),
]
End = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--end", help="Look only up to here."),
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Neither look into the feature cache nor add to it.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that rdmf did not write.")]
Json = Annotated[bool, typer.Option("--json", help="JSON Lines on stdout, and nothing else there.")]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Leave out annotations with a fault, such as a window outside its video, and "
        "name them.",
    ),
]
