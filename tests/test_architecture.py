"""Check that imports follow the flow of the folders, as docs/architecture.md describes it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import rdmf_cli
from rdmf_cli.cli.commands import COMMANDS

PACKAGE = Path(__file__).parent.parent / "rdmf_cli"
PUBLIC = set(rdmf_cli.__all__)

FLOW = {
    "video": set(),
    "encoders": set(),
    "features": {"video", "encoders"},
    "channels": {"encoders", "features"},
    "fusion": set(),
    "moments": {"fusion"},
    "heads": {"features", "channels", "fusion", "moments"},
    "datasets": {"video", "encoders", "features", "channels"},
    "evaluation": {"datasets", "heads", "moments"},
    "training": {
        *("encoders", "features", "channels", "fusion"),
        *("moments", "heads", "datasets", "evaluation"),
    },
    "handover": {"video", "moments"},
    "library": {"video", "encoders", "features", "channels", "moments", "heads"},
    "outputs": {
        "features",
        "moments",
        "library",
        "handover",
        "training",
    },  # `outputs` imports from `training` only the events that it shows
    "web": {
        *("api", "channels", "features", "handover", "library", "moments", "outputs"),
    },
    "mcp": {
        *("api", "channels", "handover", "library", "moments"),
    },
    "api": {
        *("video", "encoders", "features", "channels", "fusion", "moments", "heads"),
        *("datasets", "training", "evaluation", "library", "handover", "outputs"),
    },
}
"""What each folder may import; the files of the public interface may import everything."""

COMMAND_LINE = {
    "api": "functions of the same names as the commands",
    "outputs": "tables, JSON records and writers of the results",
    # the choices from which options and their help are made
    "datasets.registry": "--dataset",
    "encoders.registry": "--encoder",
    "heads.registry": "--head",
    "heads.learned.fusions": "--fusion",
    "video.decoders": "--decoder",
    "video.samplings": "--sampling",
    "training": "the defaults of rdmf train",
    # typed options become arguments of the API
    "channels.query": "a query of several parts: words, pictures, moments",
    "features.pictures": "--image and --like",
    "video": "the suffixes by which an argument is a video",
    "video.folder": "a folder that is given as a video",
    "library.listing": "folders that are searched",
    "library.indexing": "folders that are indexed",
    "moments.types": "answers that come on stdin",
    # commands for many videos work step by step, not with one call of the API: the answer on
    # one video is written before the next video is read, and an error concerns one video
    "channels.wording": "hints beside an answer",
    "features.owned_files": "feature files, video by video",
    "handover.cutter": "files of moments, video by video",
    "handover.ends": "exact ends of the answers on one video",
    "handover.naming": "whether a name of files has fields",
    "handover.players": "the commands of video players",
    "handover.written": "names of files by default",
    "library.library": "a library that stays open between indexing and its report",
    "library.status": "that report",
    "library.work": "the progress that the bar shows",
    "mcp.reach": "what the tools of rdmf mcp may read and write",
    "mcp.server": "the server of rdmf mcp",
    "mcp.tools": "its tools",
    "web.app": "the server of rdmf serve",
    "web.guard": "who is answered",
    "web.sources": "what is served",
}
"""What `cli/` may import, and why. Imports only for types are allowed."""

FACE = {"__init__", "__main__"}

MOST_PARAMETERS = 6
LONG_SIGNATURES = {
    # the fields and rates of the equations, by their symbols
    "fusion/steppers.py": {"evolve"},
    "fusion/speech.py": {"evolve_with_speech"},
    "fusion/module.py": {"forward"},
    "heads/learned/torch/looped.py": {"_evolved", "forward"},
}
"""Functions with more parameters. Commands, the functions of `rdmf_cli` with the same names (their
arguments are the options) and kernels may have more, too.
"""

TORCH = (
    *("heads/learned/torch/", "training/", "fusion/module.py", "fusion/kernels/"),
    *("fusion/arrays.py", "encoders/open_clip/encoder.py", "encoders/open_clip/convert.py"),
    "devices.py",
)
TORCH_LAZILY = (
    *("encoders/open_clip/blueprint.py", "encoders/open_clip/foreign_code.py"),
    *("api/doctor.py", "api/training.py", "features/tensors.py"),
)
"""Files that import torch at the top, which a light command never imports, and files that import
torch inside functions.
"""


@cache
def modules() -> dict[str, ast.Module]:
    """Return every file of the package by its path within the package."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in paths}


def imported(path: str, tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names that a file imports, at its top or anywhere inside."""
    parts = ["rdmf_cli", *Path(path).with_suffix("").parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*parts[: len(parts) - node.level], *filter(None, [node.module])]
            module = ".".join(base) if node.level else node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names)


def folder_of(name: str) -> str | None:
    """Return the package's folder that contains a dotted name; None: another package, or a file."""
    parts = name.split(".")
    inside = parts[0] == "rdmf_cli" and len(parts) > 1 and (PACKAGE / parts[1]).is_dir()
    return parts[1] if inside else None


@pytest.mark.parametrize("folder", FLOW)
def test_a_folder_imports_what_stands_to_its_left(folder):
    wrong = {
        (path, name)
        for path, tree in modules().items()
        if path.startswith(f"{folder}/")
        for name in imported(path, tree)
        if folder_of(name) not in {None, folder} | FLOW[folder]
    }
    assert not wrong


def of_types_alone(tree: ast.AST) -> set[ast.AST]:
    """Return the nodes below `if TYPE_CHECKING`, which are never imported."""
    return {
        below
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for below in ast.walk(node)
    }


def test_the_command_line_imports_the_api_and_what_has_a_reason():
    found = {
        (path, node.module.removeprefix("rdmf_cli."))
        for path, tree in modules().items()
        if path.startswith("cli/")
        for node in set(ast.walk(tree)) - of_types_alone(tree)
        if isinstance(node, ast.ImportFrom) and node.module and folder_of(node.module)
    }
    free = ("api", "outputs", "cli")
    steps = {pair for pair in found if pair[1].split(".")[0] not in free}
    assert {pair for pair in steps if pair[1] not in COMMAND_LINE} == set()
    assert {module for _, module in steps} == {*COMMAND_LINE} - {"api", "outputs"}


def test_every_folder_has_its_place():
    folders = {path.split("/")[0] for path in modules() if "/" in path}
    assert folders == {*FLOW, "cli"}


def test_single_files_serve_the_folders_and_import_none():
    wrong = {
        (path, name)
        for path, tree in modules().items()
        if "/" not in path and Path(path).stem not in FACE
        for name in imported(path, tree)
        if folder_of(name)
    }
    assert not wrong


def test_torch_is_imported_where_its_name_stands():
    wrong = {
        path
        for path, tree in modules().items()
        if any(name.split(".")[0] == "torch" for name in imported(path, tree))
        and not path.startswith((*TORCH, *TORCH_LAZILY))
    }
    assert not wrong


def test_torch_is_imported_lazily_beside_them():
    wrong = {
        path
        for path, tree in modules().items()
        if path.startswith(TORCH_LAZILY)
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any(name.split(".")[0] == "torch" for name in imported(path, node))
    }
    assert not wrong


def test_nobody_asks_which_class_a_head_is_of():
    heads = {"LearnedHead", "TorchHead", "TrainingFree", "ConfiguredHead"}
    wrong = {
        path
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "isinstance"
        and heads & {part.id for part in ast.walk(node.args[1]) if isinstance(part, ast.Name)}
    }
    assert not wrong


def parameters(function: ast.FunctionDef) -> int:
    """Return the number of parameters, without `self` or `cls`."""
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    return len([n for n in names if n not in ("self", "cls")]) + len(function.args.kwonlyargs)


def commands() -> set[tuple[str, str]]:
    """The file and the name of the function of every command."""
    functions = (function for command in COMMANDS.values() for _, function in command.functions())
    return {
        (f.__module__.removeprefix("rdmf_cli.").replace(".", "/") + ".py", f.__name__)
        for f in functions
    }


def test_parameters_that_belong_together_are_records():
    found = {
        (path, node.name)
        for path, tree in modules().items()
        if not path.startswith("fusion/kernels/")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and parameters(node) > MOST_PARAMETERS
    }
    verbs = {(path, name) for path, name in found if path.startswith("api/") and name in PUBLIC}
    listed = {(path, name) for path, names in LONG_SIGNATURES.items() for name in names}
    assert found - verbs - commands() == listed


def test_files_of_the_command_line_are_short():
    lengths = {
        path: len((PACKAGE / path).read_text(encoding="utf-8").splitlines())
        for path in modules()
        if path.startswith("cli/")
    }
    assert {path: length for path, length in lengths.items() if length > 150} == {}
