"""`pytest --light` runs every test that needs no torch, and only those."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import needed_packages
import pytest

TESTS = Path(__file__).parent
FILES = sorted(TESTS.rglob("test_*.py"))
LEFT_OUT = [path for path in FILES if needed_packages.of_file(path)]

WITHOUT = f"""
import sys
for name in {sorted(needed_packages.BEYOND_DEV)!r}:
    sys.modules[name] = None  # importing it fails, as where it is not installed
"""
IMPORT_EACH = (
    WITHOUT
    + """
import importlib.util, os
for path in sys.argv[1:]:
    sys.path.insert(0, os.path.dirname(path))
    spec = importlib.util.spec_from_file_location("_one_of_ours", path)
    try:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except ImportError:
        continue
    finally:
        sys.path.pop(0)
    print(path)
"""
)
COLLECT = WITHOUT + "import pytest; sys.exit(pytest.main(sys.argv[1:]))"


def python(code: str, *args: object) -> subprocess.CompletedProcess[str]:
    paths = [str(TESTS / "support"), str(TESTS.parent)]
    code = f"import sys; sys.path[:0] = {paths!r}\n{code}"
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)


def test_no_file_that_needs_no_torch_is_left_out():
    assert LEFT_OUT
    importable = python(IMPORT_EACH, *LEFT_OUT).stdout.split()
    assert importable == []


def test_what_is_chosen_can_be_collected_without_torch():
    quick = ("--collect-only", "--assert=plain", "-q", "-p", "no:cacheprovider")
    told = python(COLLECT, "--light", *quick, TESTS)
    assert told.returncode == 0, told.stdout[-2000:]
    collected = {line.split("::")[0] for line in told.stdout.splitlines() if "::" in line}
    chosen = {path.relative_to(TESTS.parent).as_posix() for path in FILES if path not in LEFT_OUT}
    assert collected
    assert collected <= chosen  # of a file that is chosen, every test may need a fixture with torch


SAMPLE = """
import pytest
from pathlib import Path

def helper():
    import torch

@pytest.fixture
def heavy():
    import rdmf_cli.heads.learned.torch.network

def test_of_numbers(): pass
def test_by_a_helper(): helper()
def test_by_a_fixture(heavy): pass
def test_by_itself():
    from torch import nn
@pytest.mark.needs("open_clip")
def test_by_its_mark(): pass
"""


CONFTEST = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(TESTS / "support")!r})
import needed_packages
needed_packages.TESTS = Path(__file__).parent
def pytest_configure(config):
    config.addinivalue_line("markers", "needs: packages")
def pytest_collection_modifyitems(items):
    print()
    for item in items:
        print(item.name, sorted(needed_packages.of_test(item)))
"""


def test_a_test_is_left_out_by_its_imports_fixtures_helpers_and_marks(pytester: pytest.Pytester):
    pytester.makepyfile(SAMPLE)
    pytester.makeconftest(CONFTEST)
    told = pytester.runpytest_subprocess("--collect-only", "-s").outlines
    assert [line for line in told if line.startswith("test_")] == [
        "test_of_numbers []",
        "test_by_a_helper ['torch']",
        "test_by_a_fixture ['torch']",
        "test_by_itself ['torch']",
        "test_by_its_mark ['open_clip']",
    ]
