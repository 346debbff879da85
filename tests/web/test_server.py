"""rdmf serve: what it answers, to whom, and that it never serves any other file."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import urllib.request

import av
import pytest
from cli_shell import command, environment, write_video
from web_server import files, serving

from rdmf_cli.library.library import library_folder
from rdmf_cli.web.sources import Kept, key_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("served")
    write_video(made / "red <b>.mp4", shade=250)
    shutil.copy(write_video(made / "blue.mp4", shade=20), made / "other.mp4")
    (made / "secret.txt").write_text("secret")
    return made


@pytest.fixture(scope="module")
def videos(folder):
    return [folder / "red <b>.mp4", folder / "blue.mp4"]


@pytest.fixture(scope="module")
def server(videos, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RDMF_CACHE_DIR", str(tmp_path_factory.mktemp("cache-of-server")))
        made = files(*videos)
    with serving(made) as running:
        yield running


def links(body, start):
    return re.findall(rf'(?:href|src)="({start}[^"]*)"', body.decode().replace("&amp;", "&"))


def test_a_search_shows_moments_with_pictures_curve_and_links(server):
    first = server.get("/")
    assert (first.status, b"<section" in first.body) == (200, False)
    found = server.get("/?q=a+red+square+%3Cscript%3E")
    assert found.status == 200
    assert b"<script>alert" not in found.body
    assert b"red &lt;b&gt;.mp4" in found.body
    assert b'class="curve"' in found.body
    picture = server.get(links(found.body, "/frame/")[0])
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.body[:2] == b"\xff\xd8"
    (like, *_) = links(found.body, r"/\?like=")
    assert b"<section" in server.get(like).body


def test_what_is_cut_can_be_downloaded(server, videos):
    target = f"/cut/{key_of(str(videos[0]))}?start=1.0&end=2.0"
    cut = server.get(target)
    assert cut.status == 200
    assert "attachment" in cut.headers["content-disposition"]
    with av.open(io.BytesIO(cut.body)) as container:
        assert container.duration / 1e6 == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("form", ["edl", "otio", "csv", "markers", "fcpxml"])
def test_moments_are_exported(server, form):
    told = server.get(f"/export.{form}?q=a+red+square")
    assert told.status == 200
    assert f"moments.{form}" in told.headers["content-disposition"]


def test_a_part_of_a_video_is_given_on_request(server, videos):
    whole = videos[0].read_bytes()
    target = f"/video/{key_of(str(videos[0]))}"
    assert server.get(target).body == whole
    part = server.get(target, Range="bytes=10-19")
    assert (part.status, part.body) == (206, whole[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
    assert server.get(target, Range=f"bytes={len(whole)}-").status == 416


@pytest.mark.parametrize("start", ["/video/", "/frame/", "/cut/", "/", "/export."])
@pytest.mark.parametrize(
    "name",
    [
        "{folder}/other.mp4",
        "{folder}/secret.txt",
        "../secret.txt",
        "..%2f..%2f..%2f..%2fetc%2fhostname",
        "%2e%2e/%2e%2e/secret.txt",
        "....//secret.txt",
        "{other}",
        "{listed}/../secret.txt",
        "{listed}%00.txt",
        "file:%2f%2f%2fetc%2fhostname",
    ],
)
def test_no_file_outside_of_the_videos_is_given(server, folder, videos, start, name):
    fields = {
        "folder": str(folder).replace("/", "%2f"),
        "other": key_of(str(folder / "other.mp4")),
        "listed": key_of(str(videos[0])),
    }
    told = server.get(f"{start}{name.format(**fields)}?t=1&start=0&end=1")
    assert told.status in (400, 404)
    assert b"secret" not in told.body


@pytest.mark.parametrize("like", ["x@1", "{listed}@", "{listed}@nan", "../secret.txt@1", "@"])
def test_moments_to_be_like_are_of_listed_videos(server, videos, like):
    told = server.get(f"/?like={like.format(listed=key_of(str(videos[0])))}")
    assert told.status in (400, 404)


@pytest.mark.parametrize("query", ["start=2&end=1", "start=0&end=9999", "start=-1&end=2", ""])
def test_a_cut_that_cannot_be(server, videos, query):
    assert server.get(f"/cut/{key_of(str(videos[0]))}?{query}").status == 400


def test_a_host_name_of_others_and_their_pages_are_refused(server):
    assert server.get("/", Host="evil.example").status == 421
    assert server.get("/", Host="127.0.0.1.evil.example").status == 421
    assert server.get("/", Host=f"localhost:{server.port}").status == 200
    assert server.get("/", Host=f"[::1]:{server.port}").status == 200
    assert server.get("/export.csv?q=a", Sec_Fetch_Site="cross-site").status == 403
    assert server.get("/", method="POST").status == 405


def test_every_answer_says_what_a_browser_may_do(server):
    for target in ("/", "/video/none", "/?q=a"):
        headers = server.get(target).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_with_a_token_nothing_is_shown_without_it(videos):
    with serving(files(*videos), token="known") as server:
        for target in (
            "/",
            "/?token=guessed",
            "/?q=a",
            f"/video/{key_of(str(videos[0]))}?token=known",
        ):
            assert server.get(target).status == 403
        welcome = server.get("/?token=known")
        assert (welcome.status, welcome.headers["location"]) == (303, "/")
        cookie = welcome.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert server.get("/?q=a", Cookie=cookie.partition(";")[0]).status == 200


def test_a_video_that_vanished_is_not_found(folder, tmp_path):
    video = shutil.copy(folder / "blue.mp4", tmp_path / "gone.mp4")
    with serving(files(tmp_path / "gone.mp4")) as server:
        assert b"<section" in server.get("/?q=a+square").body
        os.unlink(video)
        assert server.get(f"/video/{key_of(str(video))}").status == 404
        assert server.get("/?q=a+square").status in (200, 400)


def test_a_library_is_searched(run_in_shell_of_web, folder):
    done = run_in_shell_of_web("index", folder, "--library", "served")
    assert done.returncode == 0
    from rdmf_cli import Searcher

    with serving(Kept(Searcher(encoder="embedded"), library_folder("served"))) as server:
        body = server.get("/?q=a+red+square").body
        assert body.count(b"<section") >= 3
        assert b'class="curve"' in body


@pytest.fixture
def run_in_shell_of_web():
    from cli_shell import run_in_shell

    return run_in_shell


def test_the_command_prints_its_address_and_ends_with_ctrl_c(folder):
    words = command("serve", folder / "blue.mp4", "--port", 0, "--encoder", "embedded")
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment(), text=True) as process:
        try:
            address = process.stdout.readline().strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
            with urllib.request.urlopen(address, timeout=30) as page:
                assert page.status == 200
            process.terminate()
            assert process.wait(20) == 143
        finally:
            process.kill()


def test_nothing_is_served_if_no_video_can_be_read(tmp_path):
    (tmp_path / "broken.mp4").write_text("no video")
    for place in (tmp_path / "gone", tmp_path):
        words = command("serve", place, "--port", "0", "--encoder", "embedded")
        ended = subprocess.run(
            words, capture_output=True, text=True, env=environment(), timeout=120, check=False
        )
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "there is no video that can be searched" in ended.stderr
