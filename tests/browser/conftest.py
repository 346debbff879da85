"""A headless Chromium, and pages for it. These tests run with `pytest --browser`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from barcoded import Recipe
from in_browser import PLAIN, RATE, sized
from sample_answers import sample_answer

from rdmf_cli.moments.types import Answer, Moment


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium and chromedriver of this machine; nothing is downloaded."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    program = shutil.which("chromedriver")
    assert program, "chromedriver is not installed; run .ci/browser"
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--autoplay-policy=no-user-gesture-required"):
        options.add_argument(word)
    # A page of a file may then read the pixels of a video beside it; only the tests do that.
    options.add_argument("--allow-file-access-from-files")
    with webdriver.Chrome(options=options, service=Service(program)) as driver:
        driver.set_script_timeout(30)
        yield driver


@pytest.fixture
def wide(browser: Any) -> Any:
    """The browser as a desktop window."""
    sized(browser, 1280, 900)
    return browser


@pytest.fixture
def answer(made: Callable[[Recipe], Path], tmp_path: Path) -> Callable[..., Answer]:
    """Make an answer on a copy of a barcoded video: frames [first, past) per moment."""

    def make(
        recipe: Recipe = PLAIN, name: str = "plain.mp4", query: str = "a cat", begins: float = 0.0
    ) -> Answer:
        video = tmp_path / "films" / name
        video.parent.mkdir(exist_ok=True)
        shutil.copy(made(recipe), video)
        spans = [(60, 75), (10, 23)] if recipe is PLAIN else [(20, 33), (3, 12)]
        moments = [
            Moment(rank=n, start=begins + a / RATE, end=begins + b / RATE, score=0.9, raw_score=1)
            for n, (a, b) in enumerate(spans, 1)
        ]
        length = begins + recipe.frames / RATE
        facts = {"video": str(video), "duration": length, "clip_length": length / 20}
        return sample_answer(20, query=query, moments=moments, **facts)

    return make
