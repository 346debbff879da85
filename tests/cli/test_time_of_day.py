"""The date and time of a moment: in JSON, in tables and on pages."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cli_shell import remuxed_with_tags, write_video

from rdmf_cli.features import store
from rdmf_cli.video import recording

SQUARE = "a red square"
BEGAN = "2024-05-01T23:59:58Z"
NAMED = "%Y-%m-%d_%H-%M"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("plain") / "square.mp4")


@pytest.fixture
def dated(plain: Path, tmp_path: Path) -> Path:
    path = tmp_path / "films" / "door_2020-02-03_04-05.mp4"
    path.parent.mkdir()
    return remuxed_with_tags(plain, path, creation_time=BEGAN)


def moments(text: str) -> list[dict]:
    (answer,) = map(json.loads, text.splitlines())
    return answer["moments"]


def assert_from(began: str, moments: list[dict]) -> None:
    """Check that each moment has the recording time of the video plus its start."""
    assert moments
    for moment in moments:
        at = datetime.fromisoformat(moment["recorded_at"])
        begin = datetime.fromisoformat(began.replace("Z", "+00:00"))
        assert at - begin == timedelta(milliseconds=round(1000 * moment["start"]))


def test_query_knows_the_time_of_day_also_from_the_cache(run, dated, monkeypatch) -> None:
    first = run("query", dated, SQUARE, "--json", "-k", "3")
    assert_from(BEGAN, moments(first.stdout))
    assert moments(first.stdout)[0]["recorded_at"].endswith("+00:00")

    def opened(path: Path) -> None:
        raise AssertionError("the features know the time")

    monkeypatch.setattr(recording, "read_recorded", opened)
    assert moments(run("query", dated, SQUARE, "--json", "-k", "3").stdout) == moments(first.stdout)


def test_features_of_an_earlier_release_do_not_know_the_time(run, dated, monkeypatch) -> None:
    put = store.FeatureStore.put

    def put_as_before(self, key, rows, about, *more):
        about.pop("recorded", None)
        return put(self, key, rows, about, *more)

    monkeypatch.setattr(store.FeatureStore, "put", put_as_before)
    run("extract", dated)
    answer = run("query", dated, SQUARE, "--json")
    assert json.loads(answer.stdout)["features"]["cached"]
    assert_from(BEGAN, moments(answer.stdout))


def test_the_table_has_a_column_only_if_a_time_is_known(run, dated, plain) -> None:
    assert "2024-05-01 23:59:58 UTC" in run("query", dated, SQUARE, COLUMNS="80").stdout
    narrow = run("query", dated, SQUARE, COLUMNS="40").stdout
    assert "2024-05" not in narrow
    assert "score" in narrow
    assert "recorded" not in run("query", plain, SQUARE, COLUMNS="80").stdout
    assert all(
        m["recorded_at"] is None for m in moments(run("query", plain, SQUARE, "--json").stdout)
    )


def test_a_name_comes_before_the_metadata(run, dated) -> None:
    answer = run("query", dated, SQUARE, "--json", "--name-time", NAMED)
    assert_from("2020-02-03T04:05:00", moments(answer.stdout))
    other = run("query", dated, SQUARE, "--json", "--name-time", "%Y%m%d%H")
    assert_from(BEGAN, moments(other.stdout))


@pytest.mark.parametrize("words", [("query",), ("search",)])
def test_a_pattern_without_a_date_is_a_usage_error(run, dated, words) -> None:
    ended = run(*words, dated, SQUARE, "--name-time", "%H-%M")
    assert ended.returncode == 2
    assert "--name-time '%H-%M' has no date (year, month and day)" in " ".join(ended.stderr.split())


def test_exact_ends_move_the_time_too(run, tour, tmp_path) -> None:
    video = tmp_path / "2020-02-03_04-05.mp4"
    video.symlink_to(tour)
    words = (video, "the face of a cat", "--json", "--name-time", NAMED)
    plain, exact = (moments(run("query", *words, *more).stdout) for more in ((), ("--refine",)))
    assert plain[0]["start"] != exact[0]["start"] == 19.0
    assert_from("2020-02-03T04:05:00", exact)


def test_search_and_a_page_show_the_time(run, dated, tmp_path) -> None:
    page = tmp_path / "page.html"
    table = run("search", dated.parent, SQUARE, "--html", page)
    assert "recorded 2024-05-01 23:59:5" in table.stdout
    assert "recorded 2024-05-01 23:59:5" in page.read_text(encoding="utf-8")
    (hit,) = map(json.loads, run("search", dated, SQUARE, "--json").stdout.splitlines())
    assert_from(BEGAN, [hit])


def test_a_library_keeps_the_pattern_and_the_time_of_missing_files(run, dated, tmp_path) -> None:
    library = tmp_path / "library"
    searched = ("search", "--library", library, SQUARE, "--json")
    assert run("index", dated.parent, "--library", library).returncode == 0
    (hit,) = map(json.loads, run(*searched).stdout.splitlines())
    assert_from(BEGAN, [hit])
    content = dated.read_bytes()
    dated.unlink()
    (hit,) = map(json.loads, run(*searched).stdout.splitlines())
    assert hit["missing"]
    assert_from(BEGAN, [hit])
    dated.write_bytes(content)
    assert run("index", "--library", library, "--name-time", NAMED).returncode == 0
    assert run("index", "--library", library).returncode == 0  # the pattern is unchanged
    (hit,) = map(json.loads, run(*searched).stdout.splitlines())
    assert_from("2020-02-03T04:05:00", [hit])
