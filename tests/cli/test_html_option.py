"""--html and --embed on the command line; tests/browser tests the content of the page."""

from __future__ import annotations

import re

import pytest


def test_a_page_beside_the_answer(run, video, tmp_path):
    page = tmp_path / "page.html"
    done = run("query", video, "a <b>red</b> square", "a dog", "--html", page)
    assert done.returncode == 0
    assert "presence" in done.stdout
    assert f"written: {page}" in done.stderr
    text = page.read_text(encoding="utf-8")
    assert text.count("<section") == 2
    assert "a &lt;b&gt;red&lt;/b&gt; square" in text
    assert "<b>" not in text
    assert 'src="./square.mp4"' in text
    assert text.count("data:image/jpeg") >= 6
    assert re.search(r"default-src 'none'", text)


def test_clips_inside_need_no_video(run, video, tmp_path):
    page = tmp_path / "page.html"
    assert run("search", video, "a red square", "--html", page, "--embed").returncode == 0
    text = page.read_text(encoding="utf-8")
    assert "data:video/mp4" in text
    assert "square.mp4" in text
    assert 'src="./' not in text


def test_a_page_of_some_videos_where_others_fail(run, video, tmp_path):
    page = tmp_path / "page.html"
    done = run("query", video, "missing.mp4", "a square", "--html", page)
    assert done.returncode == 3
    assert page.read_text(encoding="utf-8").count("<section") == 1


@pytest.mark.parametrize("command", ["query", "search"])
def test_a_file_of_the_user_and_the_video_are_kept(run, video, tmp_path, command):
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    done = run(command, video, "a square", "--html", mine)
    assert done.returncode == 2
    assert (mine.read_text(), done.stdout) == ("mine", "")
    before = video.read_bytes()
    assert run(command, video, "a square", "--html", video, "--force").returncode == 2
    assert video.read_bytes() == before


def test_clips_without_a_page_and_a_page_of_stdin_are_usage_errors(run, video):
    assert run("query", video, "a square", "--embed").returncode == 2
    assert run("query", "-", "--query", "a square", "--html", "page.html").returncode == 2


def test_an_output_named_html_is_the_page(run, video, tmp_path):
    page = tmp_path / "{{page}}.html"
    done = run("query", video, "a square", "-o", page)
    assert done.returncode == 0
    assert "presence" in done.stdout  # the answer stays on stdout, as with --html
    assert "<section" in (tmp_path / "{page}.html").read_text(encoding="utf-8")
    both = run("query", video, "a square", "-o", "a.html", "--html", "b.html", cwd=tmp_path)
    assert "second page" in both.stderr
    fields = run("query", video, "a square", "-o", "{stem}.html", cwd=tmp_path)
    assert "one page holds all videos" in fields.stderr
    assert (both.returncode, fields.returncode) == (2, 2)
    assert run("query", video, "a square", "--json", "-o", tmp_path / "c.HTM").returncode == 0
    assert (tmp_path / "c.HTM").exists()
