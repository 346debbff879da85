"""Fixtures of all tests: separate user folders, one thread, the example video, and `--light`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Read by torch when it is loaded. Results are compared bit for bit, and test processes share cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent / "support"))
import needed_packages

from rdmf_cli.resources import example_video

if TYPE_CHECKING:
    from barcoded import Recipe

# The time of an example depends on the machine more than on the code.
settings.register_profile("rdmf", deadline=None)
settings.load_profile("rdmf")

pytest_plugins = ["pytester"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--light",
        action="store_true",
        help="run the tests that the `dev` extra is enough for (no torch), and say which those are",
    )
    parser.addoption(
        "--browser",
        action="store_true",
        help="run the tests in Chromium, too (tests/browser); .ci/browser installs what they need",
    )
    parser.addoption(
        "--cluster",
        action="store_true",
        help="run the tests on a Ray cluster, too (tests/cluster); .ci/cluster installs Ray",
    )


def left_out(config: pytest.Config) -> frozenset[str]:
    """Return the packages whose tests are left out."""
    if config.getoption("--light"):
        return needed_packages.BEYOND_DEV
    browser = frozenset() if config.getoption("--browser") else needed_packages.BROWSER
    cluster = frozenset() if config.getoption("--cluster") else needed_packages.CLUSTER
    return needed_packages.NO_WHEELS | browser | cluster


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Name the files that are left out, and the packages that they need."""
    lacking = left_out(config)
    needs = {path: needed_packages.of_file(path) & lacking for path in test_files()}
    lines = [
        f"{p.relative_to(config.rootpath)}: {', '.join(sorted(n))}" for p, n in needs.items() if n
    ]
    unused = [name for name in ("--browser", "--cluster") if not config.getoption(name)]
    run = f"a run without {' and '.join(unused)}" if unused else "this Python"
    why = "--light leaves" if config.getoption("--light") else f"{run} leaves"
    head = [f"{why} out {len(lines)} of {len(needs)} files, by what they import:"]
    return [*head, *lines] if lacking else []


def test_files() -> list[Path]:
    return sorted(Path(__file__).parent.rglob("test_*.py"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    lacking = left_out(config)
    if lacking and collection_path.name.startswith("test_"):
        needed = collection_path.is_file() and needed_packages.of_file(collection_path) & lacking
        return bool(needed) or None
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[Any]) -> None:
    lacking = left_out(config)
    if not lacking:
        return
    without = [item for item in items if needed_packages.of_test(item) & lacking]
    config.hook.pytest_deselected(items=without)
    items[:] = [item for item in items if item not in without]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test uses the user's cache, settings or fetched weights; each has its own folders."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("RDMF_CACHE_DIR", str(folder))
    monkeypatch.setenv("RDMF_CONFIG_DIR", str(tmp_path_factory.mktemp("config")))
    monkeypatch.setenv("RDMF_DATA_DIR", str(tmp_path_factory.mktemp("data")))
    # The caches of other programs: if CLIP were found there, "auto" would use it.
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    return folder


@pytest.fixture(scope="session")
def tour() -> Path:
    return example_video()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Recipe], Path]:
    """Makes the video file of a recipe; tests share the file and must not change it."""
    files: dict[str, Path] = {}

    def make(recipe: Recipe) -> Path:
        known = repr(recipe)  # two test files may use the same name for different recipes
        if known not in files:
            files[known] = recipe.make(tmp_path_factory.mktemp("barcoded"))
        return files[known]

    return make
