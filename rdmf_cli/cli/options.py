"""The options that several commands share; they have the same name and meaning everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from rdmf_cli.datasets.registry import DATASETS
from rdmf_cli.encoders.registry import FAMILIES, PREFERRED
from rdmf_cli.heads.registry import HEADS
from rdmf_cli.registry import Choice, Registry
from rdmf_cli.video.decoders import DECODERS


def choice(
    registry: Registry[Choice], option: str, help: str, *also: str
) -> typer.models.OptionInfo:
    """Make an option that takes a name from a registry; the help text lists the names.

    Args:
        registry: The choices.
        option: The name of the option: "--format".
        help: What the option chooses; the meaning of each name is added.
        *also: Further valid names without an entry, such as "auto".
    """

    def known(name: str) -> str:
        if name not in names:
            raise registry.unknown(name, *also)
        return name

    def completed(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    names = (*also, *registry)
    made: typer.models.OptionInfo = typer.Option(
        option,
        parser=known,
        metavar=f"[{'|'.join(names)}]",
        autocompletion=completed,
        help=f"{help} {registry.described()}.",
    )
    return made


DATASET = typer.Option(
    "--dataset",
    metavar="NAME",
    autocompletion=lambda: list(DATASETS),
    help=f"A benchmark ({DATASETS.names()}), or your own annotations (JSON Lines).",
)


ClipLength = Annotated[
    float,
    typer.Option(
        "--clip-length",
        min=0.05,
        max=3600,
        help="Clip length in seconds; one frame per clip is encoded.",
    ),
]
OwnClipLength = Annotated[
    Optional[float],  # noqa: UP045  (typer reads this at run time on Python 3.10)
    typer.Option(
        "--clip-length",
        min=0.05,
        max=3600,
        help="Clip length in seconds; default: as in the benchmark or library, otherwise 2.",
    ),
]
EncoderName = Annotated[
    str,
    typer.Option(
        "--encoder",
        help=f"Encoder. auto: {PREFERRED[0]} if usable, else embedded; {FAMILIES.described()}.",
    ),
]
Device = Annotated[
    str, typer.Option("--device", help="Device of open_clip encoders: auto, cpu, cuda, mps.")
]
Decoder = Annotated[
    str,
    choice(DECODERS, "--decoder", "Video decoder. auto: the first that can open the file;", "auto"),
]
Checkpoint = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--checkpoint",
        help="Your own head: a file of rates, an exported head, or the folder of a trained head.",
    ),
]
HeadName = Annotated[
    str,
    choice(HEADS, "--head", "Head to use. auto: learned, if this release contains it;", "auto"),
]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="Also search the folders inside a folder.")
]
FilesFrom = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--files-from", help="Read paths from this file, one per line; -: from stdin."),
]
Null = Annotated[
    bool, typer.Option("-0", "--null", help="The paths in --files-from end with a zero byte.")
]
Exclude = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--exclude", help="Leave out files and folders with this name (wildcards: *, ?, [abc])."
    ),
]
Start = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--start", help="Start of the part to use: seconds, m:ss or h:mm:ss."),
]
End = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--end", help="End of the part to use; same forms as --start."),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Do not use the feature cache.")]
Refine = Annotated[
    bool,
    typer.Option(
        "--refine", help="Move starts and ends of moments to nearby cuts, exact to the frame."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that rdmf did not write.")]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print results and errors as JSON Lines, one object per line."),
]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Skip invalid annotations, such as a window outside its video, and list them.",
    ),
]
OnlyQids = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--only-qids",
        help="Use only the queries with the qids in this file: one per line, a JSON list, or JSON "
        "Lines with qid.",
    ),
]
