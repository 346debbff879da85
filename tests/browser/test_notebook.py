"""What a notebook displays of an answer, on light and on dark ground, wide and narrow."""

from __future__ import annotations

import json

import pytest
from axe_core_python.selenium import Axe
from in_browser import sized

from rdmf_cli import Answer

GROUNDS = {"light": "background:#fff;color:#111", "dark": "background:#111;color:#e0e0e0"}
PAGE = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Notebook</title>'
    '<meta name="viewport" content="width=device-width"><body style="{}"><main><h1>1</h1>{}</main>'
)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("ground", GROUNDS)
def test_axe_finds_no_violation_and_nothing_overflows(browser, answer, tmp_path, width, ground):
    sized(browser, width, 844)
    long = "a very long query that goes on " * 8 + "x" * 200
    shown = Answer.model_validate_json(answer(query=long).model_dump_json(by_alias=True))
    page = tmp_path / "page.html"
    page.write_text(PAGE.format(GROUNDS[ground], shown._repr_html_()), encoding="utf-8")
    browser.get(page.as_uri())
    found = Axe().run(browser)["violations"]
    assert found == [], json.dumps(found, indent=1)[:3000]
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    loaded = "return [...document.images].every(image => image.naturalWidth > 0)"
    assert browser.execute_script(loaded)
