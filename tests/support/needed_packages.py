"""Find the tests that need more than the `dev` extra, from their imports.

A test needs a package if the package is imported by its file, its own function, a fixture or a
helper that it uses, or by a module of this repository that one of these imports. Modules of rdmf
import torch inside functions if possible. A test that calls such a function has the mark
`needs("torch")`.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
FOLDERS_ON_THE_PATH = (
    ROOT,
    TESTS / "support",
    ROOT / "benchmarks",
    ROOT / "weights",
)
_EXTRAS = (
    "torch torchvision open_clip huggingface_hub onnx onnxscript tensorboard matplotlib triton",
    "watchfiles faiss faster_whisper ctranslate2 starlette uvicorn pandas mcp textual_image wandb",
)
NO_WHEELS = frozenset({"opentimelineio"}) if sys.version_info >= (3, 14) else frozenset()
"""Import names of packages that do not exist for this Python."""
BROWSER = frozenset({"selenium", "axe_core_python"})
"""Import names of packages that control a browser: only `pytest --browser` runs tests with them."""
CLUSTER = frozenset({"ray"})
"""Import names of packages that make a cluster: only `pytest --cluster` runs tests with them."""
BEYOND_DEV = (
    BROWSER | CLUSTER | frozenset(f"{' '.join(_EXTRAS)} transformers timm opentimelineio".split())
)
"""Import names of the packages of the extras clip, train, plot and test that dev does not contain.
"""


@cache
def of_file(path: Path) -> frozenset[str]:
    """Return the packages beyond the `dev` extra that the import of a Python file needs."""
    return _of_files(path, set())


def of_test(item: Any) -> frozenset[str]:
    """Return the packages beyond the `dev` extra that one test needs in addition to its file's."""
    fixtures = [named[-1].func for named in item._fixtureinfo.name2fixturedefs.values()]
    marked = {name for mark in item.iter_markers("needs") for name in mark.args}
    return frozenset(marked.union(*map(_of_function, [item.function, *fixtures])))


def _of_files(path: Path, seen: set[Path]) -> frozenset[str]:
    """Return the packages of a file and of the files of this repository that it imports."""
    if path in seen:
        return frozenset()
    seen.add(path)
    packages, files = _direct(path)
    return packages.union(*(_of_files(file, seen) for file in files))


@cache
def _direct(path: Path) -> tuple[frozenset[str], tuple[Path, ...]]:
    """Return what a file itself imports: packages beyond the extra, and files of rdmf."""
    return _split(_imported(_statements(_parsed(path).body)), path.parent)


def _split(names: Iterator[str], folder: Path) -> tuple[frozenset[str], tuple[Path, ...]]:
    known = list(dict.fromkeys(names))
    packages = BEYOND_DEV.intersection(name.split(".")[0] for name in known)
    files = dict.fromkeys(file for name in known for file in _ours(name, folder))
    return packages, tuple(files)


def _of_names(names: Iterator[str], folder: Path) -> frozenset[str]:
    packages, files = _split(names, folder)
    return packages.union(*map(of_file, files))


def _of_function(function: Callable[..., Any], seen: set[Any] | None = None) -> frozenset[str]:
    """Return the packages that a test's function imports, also in functions that it names."""
    seen = set() if seen is None else seen
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    if code is None or code in seen or TESTS not in Path(code.co_filename).parents:
        return frozenset()
    seen.add(code)
    packages, used = _read(Path(code.co_filename), code.co_firstlineno)
    named = [function.__globals__.get(name) for name in used]
    helpers = [helper for helper in named if isinstance(helper, FunctionType)]
    return packages.union(*(_of_function(helper, seen) for helper in helpers))


@cache
def _read(path: Path, line: int) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return what the function that begins on a line imports, and the names that it uses."""
    nodes = list(ast.walk(_functions(path).get(line, ast.Module([], []))))  # a lambda: nothing
    names = dict.fromkeys(node.id for node in nodes if isinstance(node, ast.Name))
    return _of_names(_imported(iter(nodes)), path.parent), tuple(names)


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _functions(path: Path) -> dict[int, ast.AST]:
    """Return the functions of a file by their first line, with decorators."""
    return {
        min(part.lineno for part in (node, *node.decorator_list)): node
        for node in ast.walk(_parsed(path))
        if isinstance(node, ast.FunctionDef)
    }


def _statements(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the statements that run on import: not functions, nor parts for type checkers."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Try) and "ImportError" in "".join(map(ast.dump, node.handlers)):
            continue  # this code also works without the package
        yield node
        for inner in ("body", "orelse"):
            yield from _statements(getattr(node, inner, []))


def _imported(nodes: Iterator[ast.AST]) -> Iterator[str]:
    """Yield the dotted names of the modules that these statements import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield start
            yield from (f"{start}.{alias.name}" for alias in node.names)


@cache
def _ours(name: str, folder: Path) -> tuple[Path, ...]:
    """Return the files of this repository that run when a module is imported, with its packages."""
    level = len(name) - len(name.lstrip("."))
    folders = (folder, *FOLDERS_ON_THE_PATH)
    if level:
        folders = (folder if level == 1 else folder.parents[level - 2],)
    parts = [part for part in name.split(".") if part]
    paths = [start.joinpath(*parts[: end + 1]) for start in folders for end in range(len(parts))]
    files = (file for path in paths for file in (path.with_suffix(".py"), path / "__init__.py"))
    return tuple(file for file in files if file.is_file())
