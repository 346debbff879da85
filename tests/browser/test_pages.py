"""The page of --html in a real browser: what it shows and plays, and which files it loads."""

from __future__ import annotations

import json
import shutil

import pytest
from axe_core_python.selenium import Axe
from in_browser import HELD, LATE, RATE, frame_shown, sized
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from rdmf_cli.outputs.html.moments import MomentsPage


def opened(browser, path, answers, embed=False, held=True):
    page = MomentsPage(path, embed=embed)
    for answer in answers:
        page.write(answer)
    page.close()
    browser.get(path.as_uri())
    if held:
        browser.execute_script(HELD)
    return path


def moments(browser):
    return browser.find_elements(By.CSS_SELECTOR, "button.moment")


@pytest.mark.parametrize("embed", [False, True])
def test_a_click_on_a_moment_seeks_to_its_first_frame(wide, answer, tmp_path, embed):
    opened(wide, tmp_path / "page.html", [answer()], embed)
    for place, first in [(0, 60), (1, 10), (0, 60)]:
        moments(wide)[place].click()
        assert frame_shown(wide) == first


@pytest.mark.parametrize("embed", [False, True])
def test_where_pictures_begin_after_the_sound_too(wide, answer, tmp_path, embed):
    opened(wide, tmp_path / "page.html", [answer(LATE, "late.mp4", begins=2.0)], embed)
    for place, first in [(0, 20), (1, 3)]:
        moments(wide)[place].click()
        assert frame_shown(wide) == first


def test_a_click_on_the_curve_seeks_there(wide, answer, tmp_path):
    opened(wide, tmp_path / "page.html", [answer()])
    line = wide.find_element(By.CSS_SELECTOR, ".timeline")
    width = line.rect["width"]
    for share in (0.25, 0.5, 0.9):
        x = round((share - 0.5) * width)
        ActionChains(wide).move_to_element_with_offset(line, x, -20).click().perform()
        assert abs(frame_shown(wide) - (x / width + 0.5) * 100) <= 1.5  # a pixel


def test_the_keyboard_is_enough(wide, answer, tmp_path):
    opened(wide, tmp_path / "page.html", [answer()])
    ActionChains(wide).send_keys("2").perform()
    assert frame_shown(wide) == 10
    line = wide.find_element(By.CSS_SELECTOR, ".timeline")
    line.send_keys(Keys.HOME)
    line.send_keys(Keys.ARROW_RIGHT)
    line.send_keys(Keys.SHIFT, Keys.ARROW_RIGHT)
    assert abs(frame_shown(wide) - 27) <= 1
    assert line.get_attribute("aria-valuetext") == "0:01.1"
    seen = set()
    wide.execute_script("document.activeElement.blur()")
    for _ in range(8):
        ActionChains(wide).send_keys(Keys.TAB).perform()
        seen.add(wide.execute_script("return document.activeElement.className"))
    assert {"moment", "timeline", "action"} <= seen


def test_a_moment_stops_at_its_end_and_play_all_goes_through(wide, answer, tmp_path):
    opened(wide, tmp_path / "page.html", [answer(query="a"), answer(query="b")], held=False)
    watched = """
    window.started = [];
    for (const [n, v] of [...document.querySelectorAll("video")].entries())
      v.addEventListener("playing", () => window.started.push([n, v.currentTime]));
    document.getElementById("play-all").click();"""
    wide.execute_script(watched)

    def done(browser):
        paused = "return [...document.querySelectorAll('video')].every(v => v.paused)"
        return browser.execute_script(f"return window.started.length >= 4 && ({paused[7:]})")

    WebDriverWait(wide, 30).until(done)
    started = wide.execute_script("return window.started")
    assert [place for place, _ in started] == [0, 0, 1, 1]
    assert [time for _, time in started] == pytest.approx([2.4, 0.4, 2.4, 0.4], abs=0.3)
    end = wide.execute_script("return document.querySelectorAll('video')[1].currentTime")
    assert end == pytest.approx(23 / RATE, abs=0.2)


def test_names_and_queries_are_text(wide, answer, tmp_path):
    query = "<img src=x onerror=\"window.hit=1\"> & 'q' </title><script>window.hit=1</script>\nü 猫"
    name = "-a <b onclick='window.hit=1'> \"q\" #1%20?.mp4"
    opened(wide, tmp_path / "page.html", [answer(query=query, name=name)])
    assert wide.execute_script("return window.hit") is None
    assert " ".join(query.split()) in wide.find_element(By.TAG_NAME, "h2").text
    assert wide.find_element(By.CSS_SELECTOR, ".name").text == name
    moments(wide)[0].click()
    assert frame_shown(wide) == 60


def test_a_page_with_clips_stands_alone_and_nothing_is_fetched(wide, answer, tmp_path):
    one = answer()
    page = opened(wide, tmp_path / "page.html", [one], embed=True)
    shutil.rmtree(tmp_path / "films")
    (tmp_path / "elsewhere").mkdir()
    moved = page.rename(tmp_path / "elsewhere" / "page.html")
    wide.get(moved.as_uri())
    wide.execute_script(HELD)
    moments(wide)[1].click()
    assert frame_shown(wide) == 10
    told = wide.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in told if not name.startswith("data:")] == []
    assert wide.get_log("browser") == []


def test_a_video_that_is_gone_is_said(wide, answer, tmp_path):
    opened(wide, tmp_path / "page.html", [answer()])
    shutil.rmtree(tmp_path / "films")
    moments(wide)[0].click()
    problem = wide.find_element(By.CSS_SELECTOR, ".problem")
    WebDriverWait(wide, 10).until(lambda _: "cannot play" in problem.text)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_violation_and_nothing_overflows(browser, answer, tmp_path, width, scheme):
    sized(browser, width, 844, scheme)
    long = "a very long query that goes on " * 8 + "x" * 200
    none = answer(query="nothing").model_copy(update={"moments": (), "presence": 0.1})
    opened(browser, tmp_path / "page.html", [answer(), answer(query=long), none])
    found = Axe().run(browser)["violations"]
    assert found == [], json.dumps(found, indent=1)[:3000]
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
