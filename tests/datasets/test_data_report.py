"""rdmf data: the numbers of a dataset, computed by hand, and each kind of problem."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from made_up_benchmark import ANNOTATIONS, with_change, written
from made_up_sets import SETS, write_own
from published_schemas import check_lines

from rdmf_cli.api.datastats import data_report
from rdmf_cli.cli.app import app
from rdmf_cli.errors import UsageError


def test_the_numbers_of_a_split_are_those_counted_by_hand(tmp_path):
    path = written(tmp_path / "truth.jsonl", ANNOTATIONS)
    report = data_report(dataset=str(path))
    split = report.splits["truth.jsonl"]
    assert (split.queries, split.videos, split.moments) == (3, 2, 4)
    assert (split.absent, split.blind) == (0, 0)
    assert split.by_length == (3, 1, 0)  # 10, 4, 2 and 11 s
    assert split.by_position == (1, 1, 2)  # centres 5/20, 14/20, 19/20, 5.5/11
    assert (split.length.low, split.length.median, split.length.high) == (2, 7, 11)
    assert (split.words.low, split.words.high) == (3, 3)
    assert report.findings == ()


@pytest.mark.parametrize("name", sorted(SETS))
def test_made_up_benchmarks_fit(tmp_path, name):
    features = SETS[name](tmp_path, 3, 2)
    second = "test" if name.startswith("charades") else "val"
    report = data_report(dataset=name, features=features, splits=["train", second])
    assert [one.what for one in report.findings if one.serious] == []
    assert {*report.splits} == {"train", second}
    assert all(one.videos == 5 for one in report.streams.values())


def spoilt_videos(folder):
    (folder / "video" / "train0.npz").unlink()
    (folder / "video" / "train1.npz").write_bytes(b"no")
    np.savez(folder / "video" / "train2.npz", features=np.ones((90, 16), np.float16))
    rows = np.load(folder / "video" / "val0.npz")["features"]
    rows[3] = 0
    np.savez(folder / "video" / "val0.npz", features=rows)


SPOILT = {
    "video: 1 of 6 videos have no features": "train0",
    "video: 1 video cannot be read": "train1.npz",
    "video: 1 video does not fit the clip length": "has 90 rows",
    "video: 1 video has rows of zeros": "val0",
}


def test_features_that_do_not_fit_are_found(tmp_path):
    own = write_own(tmp_path / "own", 4, 2)
    spoilt_videos(own)
    (own / "text" / "qid0.npz").unlink()
    report = data_report(
        dataset="x.jsonl",
        annotations=[own / "train.jsonl", own / "val.jsonl"],
        features=own,
    )
    found = {one.what: one for one in report.findings}
    for what, example in SPOILT.items():
        assert example in found[what].examples[0]
        assert found[what].serious == ("zeros" not in what)
    assert found["1 of 12 queries have no features"].examples == ("text/qid0.npz",)
    assert report.streams["video"].videos == 4
    assert report.streams["video"].width == 16


def test_videos_and_queries_in_two_splits_are_found(tmp_path):
    first = written(tmp_path / "a.jsonl", ANNOTATIONS[:2])
    other = with_change([ANNOTATIONS[2]], 0, vid="kitchen", query="The kettle is boils.",
                        duration=20)  # fmt: skip
    second = written(tmp_path / "b.jsonl", other)
    report = data_report(dataset="x.jsonl", annotations=[first, second])
    assert [(one.what, one.serious) for one in report.findings] == [
        ("1 video is both in a.jsonl and in b.jsonl", True),
        ("1 query of b.jsonl is nearly the same as one of a.jsonl", False),
    ]


def test_bad_entries_repeated_queries_and_empty_moments_are_found(tmp_path):
    rows = [*ANNOTATIONS, {**ANNOTATIONS[0], "qid": 9, "relevant_windows": [[4, 4]]},
            {**ANNOTATIONS[1], "qid": 10, "duration": -1}]  # fmt: skip
    report = data_report(dataset=str(written(tmp_path / "a.jsonl", rows)))
    assert [(one.what, one.serious) for one in report.findings] == [
        ("a.jsonl: 1 entry has errors", True),
        ("a.jsonl: 1 query repeats another one on the same video", False),
        ("a.jsonl: 1 query has a moment of length 0", False),
    ]
    assert report.notes == ()  # no note on --skip-bad, which was not given
    (example,) = report.findings[0].examples
    assert example.startswith("line 5: duration must be above 0")


def test_a_split_without_a_moment_is_a_fault(tmp_path):
    absent = [{**row, "qid": n, "relevant_windows": []} for n, row in enumerate(ANNOTATIONS)]
    told = data_report(dataset=str(written(tmp_path / "b.jsonl", absent))).findings
    one = next(one for one in told if "no moment" in one.what)
    assert one.what == "b.jsonl: 3 queries, and no moment: a head cannot learn from them"
    assert one.serious


def other_sentences(own, width):
    """Write sentences of another width than the clips; 0: words alone."""
    for path in (own / "text").glob("*.npz"):
        words = np.ones((3, 24), np.float16)
        sentence = {"pooler_output": np.ones(width, np.float16)} if width else {}
        np.savez(path, last_hidden_state=words, **sentence)


@pytest.mark.parametrize(
    ("width", "said"),
    [(24, "(columns: video 16; sentences 24)"), (0, "(columns: video 16; queries without a sen")],
)
def test_features_that_only_a_full_head_can_read_are_named_with_the_option(tmp_path, width, said):
    own = write_own(tmp_path / "own", 4, 2)
    asked = {"dataset": "x.jsonl", "annotations": [own / "train.jsonl"], "features": own}
    assert not [one for one in data_report(**asked).findings if "share no space" in one.what]
    other_sentences(own, width)
    (found,) = [one for one in data_report(**asked).findings if "share no space" in one.what]
    assert not found.serious
    assert said in found.what
    assert found.what.endswith("train with --head full")


def test_files_with_another_number_of_columns_are_named(tmp_path):
    own = write_own(tmp_path / "own", 4, 2)
    rows = np.load(own / "video" / "train2.npz")["features"]
    np.savez(own / "video" / "train2.npz", features=rows[:, :12])
    report = data_report(dataset="x.jsonl", annotations=[own / "train.jsonl"], features=own)
    (found,) = [one for one in report.findings if "columns differ" in one.what]
    assert found.serious
    assert found.what == "video: the numbers of columns differ"
    assert found.examples == ("train2.npz has 12", "train0.npz has 16")


def test_the_command_prints_tables_json_and_ends_with_1_where_it_is_serious(tmp_path, capsys):
    own = write_own(tmp_path / "own", 4, 2)
    asked = ["--dataset", "x.jsonl", "--annotations", str(own / "train.jsonl"), "--annotations",
             str(own / "val.jsonl"), "--features", str(own)]  # fmt: skip
    app(["data", "stats", *asked], standalone_mode=False)
    said = capsys.readouterr().out
    assert "queries" in said
    assert "rows per video" in said
    app(["data", "stats", *asked, "--json"], standalone_mode=False)
    (line,) = check_lines(capsys.readouterr().out)
    assert json.dumps(line["splits"]["train.jsonl"]["queries"]) == "8"
    shutil.rmtree(own / "video")
    (own / "video").mkdir()
    assert app(["data", "check", *asked], standalone_mode=False) == 1
    assert (
        "error: video: 6 of 6 videos have no features (video/train0.npz; "
        in capsys.readouterr().out
    )


def test_neither_features_nor_annotations_is_an_error():
    with pytest.raises(UsageError, match="rdmf data stats"):
        data_report()
