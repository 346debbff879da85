"""rdmf serve in a real browser: search by keyboard, play in place, load nothing from outside."""

from __future__ import annotations

import json
import shutil

import pytest
from axe_core_python.selenium import Axe
from in_browser import HELD, PLAIN, frame_shown, sized
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.ui import WebDriverWait
from web_server import files, serving


@pytest.fixture
def server(made, tmp_path):
    videos = [tmp_path / "one.mp4", tmp_path / "<b onclick=x>two.mp4"]
    for video in videos:
        shutil.copy(made(PLAIN), video)
    with serving(files(*videos)) as running:
        yield running


def test_a_search_by_keyboard_alone_plays_in_place(wide, server):
    wide.get_log("browser")  # remove the messages of earlier tests
    wide.get(server.address)
    ActionChains(wide).send_keys("bright stripes <i>x</i>", Keys.ENTER).perform()
    found = expected_conditions.presence_of_all_elements_located((By.CSS_SELECTOR, "button.moment"))
    moments = WebDriverWait(wide, 60).until(found)  # the search loads an encoder first
    assert len(moments) >= 2
    assert wide.find_element(By.NAME, "q").get_attribute("value") == "bright stripes <i>x</i>"
    wide.execute_script(HELD)
    for _ in range(20):
        ActionChains(wide).send_keys(Keys.TAB).perform()
        if wide.execute_script("return document.activeElement.className") == "moment":
            break
    ActionChains(wide).send_keys(Keys.ENTER).perform()
    start = float(moments[0].get_attribute("data-start"))
    assert abs(frame_shown(wide) - start * 25) <= 1
    told = wide.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert told
    assert [name for name in told if not name.startswith(server.address)] == []
    assert [line for line in wide.get_log("browser") if "favicon" not in line["message"]] == []


@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_violation(browser, server, width):
    for scheme in ("light", "dark"):
        sized(browser, width, 844, scheme)
        for target in ("/", "/?q=stripes"):
            browser.get(server.address + target)
            found = Axe().run(browser)["violations"]
            assert found == [], json.dumps(found, indent=1)[:3000]
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
