"""rdmf search: one list of moments from many videos."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cli_shell
import jsonschema
import pytest
from cli_shell import write_sound, write_video

from rdmf_cli.library.library import Library

CAT = "the face of a cat"
LIBRARY_SCHEMA = Path(__file__).parents[2] / "docs" / "library.schema.json"
SCHEMA = Path(__file__).parents[2] / "docs" / "hit.schema.json"


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory, tour: Path) -> tuple[Path, Path]:
    """A folder with the example video two folders deep and two videos of squares, and its cache."""
    films, cache = tmp_path_factory.mktemp("films"), tmp_path_factory.mktemp("cache-of-films")
    inner = films / "2026" / "may"
    inner.mkdir(parents=True)
    shutil.copy(tour, inner / "tour.mp4")
    write_video(films / "red.mp4", shade=220)
    write_video(films / "dull.mp4", shade=120)
    assert cli_shell.run_here("search", films, CAT, RDMF_CACHE_DIR=str(cache)).returncode == 0
    return films, cache


@pytest.fixture
def footage(tmp_path: Path, own_cache: Path, searched: tuple[Path, Path]) -> Path:
    """A copy of the folder after a first search."""
    films, cache = searched
    shutil.copytree(cache, own_cache, dirs_exist_ok=True)
    return Path(shutil.copytree(films, tmp_path / "footage"))


def hits(text: str) -> list[dict]:
    return [row for row in map(json.loads, text.splitlines()) if row["schema"] == "rdmf.hit/1"]


def assert_alike(found: list[dict], known: list[dict]) -> None:
    """Check that two lists hold the same hits.

    Two of the videos show one colour, so only the last digits distinguish their clips. With the
    lowest versions of the dependencies, these digits differ from run to run (up to .007 in a
    score).
    """
    for one, other in zip(found, known, strict=True):
        numbers = [key for key, value in other.items() if isinstance(value, float)]
        assert {**one, **dict.fromkeys(numbers)} == {**other, **dict.fromkeys(numbers)}
        for key in numbers:
            assert one[key] == pytest.approx(other[key], abs=0.02), key


def test_one_list_over_a_folder_and_what_is_below_it(run, footage) -> None:
    ended = run("search", footage, CAT, "--json")
    assert ended.returncode == 0
    first, *others = found = hits(ended.stdout)
    assert first["video"] == str(footage / "2026" / "may" / "tour.mp4")
    assert 17 < first["start"] < first["end"] < 34  # the cat is shown from 19 to 32 s
    assert [hit["rank"] for hit in found] == [1, 2, 3]
    assert all(first["relevance"] > other["relevance"] for other in others)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for hit in found:
        jsonschema.Draft202012Validator(schema).validate(hit)
        assert hit["convinces"] == (hit["relevance"] >= 0.5)


def test_the_answer_of_query_is_the_hit_of_search(run, footage) -> None:
    (hit,) = hits(run("search", footage, CAT, "--json", "-k", "1").stdout)
    answer = json.loads(run("query", hit["video"], CAT, "--json").stdout)
    moment = answer["moments"][0]
    same = ("start", "end", "score")
    assert {name: hit[name] for name in same} == {name: moment[name] for name in same}
    assert hit["presence"] == answer["presence"]


def test_the_table_draws_a_line_below_what_convinces(run, footage) -> None:
    ended = run("search", footage, CAT, COLUMNS="100")
    lines = ended.stdout.splitlines()
    line = next(n for n, text in enumerate(lines) if "below this line nothing convinces" in text)
    assert "2026/may/tour.mp4" in lines[line - 1]
    assert any("red.mp4" in text for text in lines[line + 1 :])
    nothing = run("search", footage / "red.mp4", CAT)
    assert nothing.stdout.startswith("Nothing convinces")


def test_options_choose_how_much_is_listed(run, footage) -> None:
    assert len(hits(run("search", footage, CAT, "--json", "-k", "2").stdout)) == 2
    several = hits(run("search", footage, CAT, "--json", "--per-video", "3").stdout)
    assert sum(hit["video"].endswith("tour.mp4") for hit in several) > 1
    # A moment and a longer moment around it can have equal relevance; then the score decides.
    assert several[0]["score"] == max(hit["score"] for hit in several) > 0.9
    present = hits(run("search", footage, CAT, "--json", "--min-presence", "0.6").stdout)
    assert [Path(hit["video"]).name for hit in present] == ["tour.mp4"]
    excluded = hits(run("search", footage, CAT, "--json", "--exclude", "may").stdout)
    assert {Path(hit["video"]).name for hit in excluded} == {"red.mp4", "dull.mp4"}


def test_nothing_that_convinces_is_exit_4_where_that_is_asked_for(run, footage) -> None:
    asked = ("search", footage / "red.mp4", CAT)
    assert run(*asked).returncode == 0
    assert run(*asked, "--fail-if-none").returncode == 4
    assert run("search", footage, CAT, "--fail-if-none").returncode == 0


def test_a_video_that_fails_is_a_line_and_exit_3(run, footage) -> None:
    bad = write_sound(footage / "sound.mp4")
    ended = run("search", footage, footage / "gone.mp4", CAT, "--json")
    assert ended.returncode == 3
    failed = [row for row in map(json.loads, ended.stdout.splitlines()) if "error" in row]
    assert [row["error"]["subject"] for row in failed] == [str(bad), str(footage / "gone.mp4")]
    assert len(hits(ended.stdout)) == 3
    assert run("search", bad, CAT).returncode == 1


def test_what_was_extracted_is_not_decoded_again(run, footage, monkeypatch) -> None:
    from rdmf_cli.features import extraction

    monkeypatch.setattr(extraction, "_make", None)  # so that any decoding fails
    assert len(hits(run("search", footage, CAT, "--json").stdout)) == 3


@pytest.mark.parametrize(("options", "end"), [((), "\n"), (("-0",), "\0")])
def test_paths_come_from_stdin_too(run, footage, options, end) -> None:
    names = [str(footage / "red.mp4"), str(footage / "2026")]
    listed = "".join(name + end for name in names)
    ended = run("search", "--files-from", "-", *options, CAT, "--json", stdin=listed)
    assert {Path(hit["video"]).name for hit in hits(ended.stdout)} == {"red.mp4", "tour.mp4"}


def test_paths_come_from_a_file(run, footage, tmp_path) -> None:
    (tmp_path / "list.txt").write_text(f"{footage / 'red.mp4'}\r\n\n{footage / 'dull.mp4'}")
    ended = run("search", "--files-from", tmp_path / "list.txt", CAT, "--json")
    assert {Path(hit["video"]).name for hit in hits(ended.stdout)} == {"red.mp4", "dull.mp4"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((CAT,), "no path is given"),
        (("films", CAT), f"neither 'films' nor {CAT!r} names a file or folder"),
        (("{footage}",), "no sentence is given"),
        (("{footage}", "a cat", "a dog"), "neither 'a cat' nor 'a dog' names a file or folder"),
        (("{footage}", "--query", " "), "the query is empty"),
        (("{footage}", "a cat", "-0"), "--files-from"),
        (("{footage}", "a cat", "--files-from", "{footage}/gone.txt"), "cannot be read"),
    ],
)
def test_mistakes_of_usage_are_said(run, footage, arguments, said) -> None:
    ended = run("search", *(word.format(footage=footage) for word in arguments))
    assert ended.returncode in (1, 2)
    assert said in ended.stderr
    assert ended.stdout == ""


def test_a_library_is_indexed_searched_and_kept_up_to_date(run, footage) -> None:
    made = run("index", footage, "--library", "films", "--json", "-j", "2")
    assert made.returncode == 0
    status = json.loads(made.stdout)
    schema = json.loads(LIBRARY_SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(status)
    assert (status["indexed"], status["failed"], status["encoder"]) == (3, 0, "embedded")
    plain = hits(run("search", footage, CAT, "--json").stdout)
    asked = ("search", "--library", "films", CAT, "--json")
    assert_alike(hits(run(*asked).stdout), plain)
    (footage / "red.mp4").unlink()
    gone = run(*asked)
    assert "red.mp4: this file is gone" in gone.stderr
    assert [hit["missing"] for hit in hits(gone.stdout)] == [
        hit["video"].endswith("red.mp4") for hit in plain
    ]
    again = run("index", "--library", "films")
    assert again.returncode == 0
    assert "1 video of the library cannot be found any more" in again.stderr
    status = run("index", "--library", "films", "--status")
    assert f"missing: {footage / 'red.mp4'}" in status.stdout
    pruned = run("index", "--library", "films", "--prune").stdout
    assert pruned == "1 video and 4 entries of features removed from the library\n"
    assert len(hits(run(*asked).stdout)) == 2


@pytest.mark.parametrize("candidates", ["1", "0"])
def test_damaged_features_of_one_video_are_its_line_and_the_others_are_found(
    run, footage, tmp_path, candidates
) -> None:
    place = tmp_path / "films"
    assert run("index", footage, "--library", place).returncode == 0
    asked = ("search", "--library", place, CAT, "--json", "--candidates", candidates, "-k", "1")
    (best,) = hits(run(*asked).stdout)
    with Library.open(place) as library:
        entries = [library.store.path(video.key) for video in library.videos()]
    for entry in entries:
        whole = entry.read_bytes()
        entry.write_bytes(b"damaged")
        for made in place.glob("clips-*"):
            made.unlink()  # the index is made again, and reads the features
        ended = run(*asked)
        entry.write_bytes(whole)
        assert ended.returncode == 3
        assert "its features in the library are damaged" in ended.stderr
        (hit,) = hits(ended.stdout)
        assert (best["video"] in ended.stderr) == (hit["video"] != best["video"])
    assert run(*asked).returncode == 0


def test_a_library_takes_from_the_cache_what_is_there(run, footage, monkeypatch) -> None:
    from rdmf_cli.features import extraction

    monkeypatch.setattr(extraction, "_make", None)  # so that any decoding fails
    assert run("index", footage).returncode == 0


def test_what_cannot_be_indexed_is_a_line_and_stays_in_the_status(run, footage) -> None:
    bad = write_sound(footage / "sound.mp4")
    ended = run("index", footage, "--json")
    assert ended.returncode == 3
    error, status = map(json.loads, ended.stdout.splitlines())
    assert error["error"]["subject"] == str(bad)
    (problem,) = status["problems"]
    assert (problem["video"], problem["state"]) == (str(bad), "failed")
    assert problem["reason"] == error["error"]["what"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("search", "--library", "none", CAT), "holds no library"),
        (("search", "--library", "none", "-q", CAT, "{footage}"), "together with paths"),
        (("index",), "holds no library"),
        (("index", "--status", "--prune"), "--status and --prune"),
        (("index", "{footage}", "--status"), "--status"),
        (("index", "{footage}", "--library", "a:b"), "cannot be the name of a library"),
    ],
)
def test_mistakes_with_libraries_are_said(run, footage, arguments, said) -> None:
    ended = run(*(word.format(footage=footage) for word in arguments))
    assert ended.returncode == 2
    assert said in ended.stderr


def test_a_library_of_another_clip_length_is_an_error(run, footage) -> None:
    run("index", footage / "red.mp4")
    ended = run("index", footage / "red.mp4", "--clip-length", "1")
    assert ended.returncode == 2
    assert "clip length 2.0, not 1.0" in ended.stderr


def test_python_raises_the_error_of_a_video_or_tells_it(footage) -> None:
    from rdmf_cli import RdmfError, search

    write_sound(footage / "sound.mp4")
    with pytest.raises(RdmfError, match=r"sound\.mp4"):
        search([footage], CAT)
    told: list[RdmfError] = []
    found = search([footage], CAT, on_error=told.append, top_k=1)
    assert [hit.video for hit in found] == [str(footage / "2026" / "may" / "tour.mp4")]
    assert len(told) == 1
