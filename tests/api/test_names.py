"""dir() of the packages that import their names on first use: completion in a shell reads it."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import rdmf_cli

FOLDER = Path(rdmf_cli.__file__).parent
LAZY = sorted(
    ".".join(["rdmf_cli", *path.parent.relative_to(FOLDER).parts])
    for path in FOLDER.rglob("__init__.py")
    if any(
        getattr(target, "id", getattr(node, "name", "")) == "__getattr__"
        for node in ast.parse(path.read_text("utf-8")).body
        for target in getattr(node, "targets", [node])
    )
)


def test_the_public_names_are_listed_before_they_are_imported():
    code = "import rdmf_cli; print(*dir(rdmf_cli)); print(*rdmf_cli.__all__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    listed, public = map(str.split, done.stdout.splitlines())
    assert {"query", "search", "Searcher", "Answer"} <= {*public} <= {*listed}


@pytest.mark.parametrize("package", LAZY)
def test_every_lazy_package_lists_its_names(package):
    module = import_module(package)
    assert {*module._HOMES} <= {*dir(module)}
    assert len(LAZY) > 5
    with pytest.raises(AttributeError, match="has no attribute 'none'"):
        _ = module.none
