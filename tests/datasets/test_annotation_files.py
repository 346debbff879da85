"""Every published format of annotations, and the errors of files, with their lines."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from made_up_benchmark import ANNOTATIONS, with_change, written

from rdmf_cli.datasets import DATASETS, read_annotations
from rdmf_cli.errors import RdmfError, UsageError


def test_json_lines(tmp_path):
    annotations = read_annotations(written(tmp_path / "own.jsonl", ANNOTATIONS))
    first, second, third = annotations
    assert (first.qid, second.qid, third.qid) == (1, 2, "third")
    assert (first.query, first.vid, first.duration, first.line) == (
        "a kettle boils",
        "kitchen",
        20.0,
        1,
    )
    np.testing.assert_array_equal(second.windows, [[12, 16], [18, 20]])
    np.testing.assert_array_equal(second.clip_ids, [6, 7, 9])
    assert second.ratings.shape == (3, 3)
    assert annotations.notes == []


def test_gzipped_lines_say_the_same(tmp_path):
    plain = written(tmp_path / "own.jsonl", ANNOTATIONS)
    zipped = tmp_path / "own.jsonl.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    for one, other in zip(read_annotations(plain), read_annotations(zipped), strict=True):
        assert (one.qid, one.query) == (other.qid, other.query)
        np.testing.assert_array_equal(one.windows, other.windows)


def test_absent_unannotated_and_whole_video_windows_are_valid(tmp_path):
    rows = with_change(ANNOTATIONS, 0, relevant_windows=[])
    rows = with_change(rows, 1, relevant_windows=None)
    absent, unknown, whole = read_annotations(written(tmp_path / "own.jsonl", rows))
    assert absent.absent
    assert absent.windows.shape == (0, 2)
    assert unknown.windows is None
    assert not unknown.absent
    np.testing.assert_array_equal(whole.windows, [[0, 11]])


def test_charades_text_leaves_inverted_lines_out_aloud(tmp_path):
    path = tmp_path / "charades_sta_train.txt"
    path.write_text("AB12C 0.0 6.5##a person sits.\nAB12C 9.0 2.0##a person runs.\nX 1 2##walks\n")
    annotations = DATASETS.find("charades").read(path)
    assert [(a.qid, a.vid, a.query, a.duration) for a in annotations] == [
        (0, "AB12C", "a person sits.", None),
        (1, "X", "walks", None),
    ]
    np.testing.assert_array_equal(annotations.entries[0].windows, [[0, 6.5]])
    assert annotations.notes == [
        "charades_sta_train.txt: line 2: AB12C ends (2 s) before it starts (9 s); left out"
    ]


def test_charades_test_text_has_the_qids_that_its_features_are_named_by(tmp_path):
    path = tmp_path / "charades_sta_test.txt"
    path.write_text("3MSZA 24.3 30.4##person turn a light on.\nAMT7R 4.3 12.5##a picture.\n")
    assert [a.qid for a in DATASETS.find("charades").read(path)] == [12404, 12405]
    zipped = tmp_path / "charades_sta_test.txt.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert [a.qid for a in DATASETS.find("charades").read(zipped)] == [12404, 12405]


def test_activitynet_json(tmp_path):
    path = tmp_path / "val_1.json"
    videos = {
        "v_one": {
            "duration": 55.15,
            "timestamps": [[0.28, 55.16], [13, 13]],
            "sentences": ["Lifting.", " It stops."],
        },
        "v_two": {"duration": 10, "timestamps": [[1, 2]], "sentences": [" A jump."]},
    }
    path.write_text(json.dumps(videos))
    annotations = DATASETS.find("activitynet").read(path)
    assert [(a.qid, a.query) for a in annotations] == [
        ("v_one_0", "Lifting."),
        ("v_two_0", "A jump."),
    ]
    np.testing.assert_array_equal(annotations.entries[0].windows, [[0.28, 55.15]])
    assert "sentence 2: the window from 13 to 13 s is empty; left out" in annotations.notes[0]


def test_youtube_highlights_in_both_forms(tmp_path):
    video = {"fps": 25.0, "frames": "500", "domain": "dog", "clip": [[0, 100]], "match": [-1, 0, 1]}
    whole = tmp_path / "youtube_anno.json"
    whole.write_text(json.dumps({"abc": video}))
    line = {"qid": "abc", "query": "dog", "vid": "abc", "duration": 20.0, "domain": "dog"}
    lines = written(tmp_path / "youtube.jsonl", [{**line, "label": [[0], [0], [1]]}])
    for path in (whole, lines):
        (annotation,) = DATASETS.find("youtube-highlights").read(path)
        assert (annotation.domain, annotation.duration) == ("dog", 20.0)
        np.testing.assert_array_equal(annotation.labels, [[0], [0], [1]])


def test_tvsum_counts_its_durations_in_clips(tmp_path):
    line = {"qid": "abc", "query": "a parade", "vid": "abc", "duration": 3, "domain": "PR"}
    line |= {"relevant_windows": None, "relevant_clip_ids": None, "label": [[1.0] * 20] * 3}
    (annotation,) = DATASETS.find("tvsum").read(written(tmp_path / "tvsum.jsonl", [line]))
    assert annotation.duration == 6.0
    assert annotation.labels.shape == (3, 20)


def test_an_unknown_dataset_is_answered_with_the_known_ones():
    said = r"charadess: no such dataset; did you mean charades.*choose one of: .*activitynet"
    with pytest.raises(UsageError, match=said):
        DATASETS.find("charadess")


def test_every_dataset_says_how_it_is_cut_and_where_it_is_had():
    for dataset in DATASETS.values():
        assert dataset.clip_length > 0
        assert dataset.where


MARKS = [[1, 1, 1]]

FAULTS = {
    "no qid": ({"qid": None}, "no qid"),
    "odd qid": ({"qid": 1.5}, "qid must be a whole number or a text, not 1.5"),
    "same qid": ({"qid": 1}, r"duplicate qid 1 \(first on line 1\)"),
    "no query": ({"query": None}, "no query"),
    "empty query": ({"query": " "}, "query must be a text"),
    "no video": ({"vid": None}, "no vid"),
    "no duration": ({"duration": None}, "no duration"),
    "no length": ({"duration": 0}, "duration must be above 0 .*, not 0"),
    "endless": ({"duration": float("inf")}, "duration must be .*, not inf"),
    "inverted": ({"relevant_windows": [[0, 2], [8, 4]]}, r"relevant_windows\[1\] = \[8, 4\] ends"),
    "outside": (
        {"relevant_windows": [[12, 30]]},
        r"\[12, 30\] is outside of the video, which lasts 20 s",
    ),
    "negative": ({"relevant_windows": [[-1, 3]]}, r"\[-1, 3\] is outside"),
    "nan": ({"relevant_windows": [[float("nan"), 3]]}, r"relevant_windows\[0\] holds NaN"),
    "three numbers": ({"relevant_windows": [[1, 2, 3]]}, r"must be a list of \[start, end\]"),
    "ragged": ({"relevant_windows": [[1, 2], [3]]}, "rows of relevant_windows differ"),
    "words": ({"relevant_windows": [["1", "2"]]}, "must be a list of numbers"),
    "a clip too far": ({"relevant_clip_ids": [11], "saliency_scores": MARKS}, "not a clip of"),
    "half a clip": ({"relevant_clip_ids": [0.5], "saliency_scores": MARKS}, "not a clip of"),
    "a clip twice": (
        {"relevant_clip_ids": [3, 3], "saliency_scores": MARKS * 2},
        "lists a clip twice",
    ),
    "a mark too few": ({"relevant_clip_ids": [1, 2], "saliency_scores": MARKS}, "1 saliency_sc"),
    "a mark too high": ({"relevant_clip_ids": [1], "saliency_scores": [[5, 0, 0]]}, "from 0 to 4"),
    "two annotators": ({"relevant_clip_ids": [1], "saliency_scores": [[1, 0]]}, r"\[a, b, c\]"),
    "flat labels": ({"label": [1, 2]}, "label must be a list of rows"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_said_with_its_file_and_line(tmp_path, fault):
    change, message = FAULTS[fault]
    path = written(tmp_path / "own.jsonl", with_change(ANNOTATIONS, 1, **change))
    with pytest.raises(RdmfError, match=message) as caught:
        read_annotations(path)
    assert str(caught.value).startswith(f"{path}: line 2: ")


CHARADES_FAULTS = ["AB12C 1.0##walks", "AB12C one two##walks", "AB12C 1 2##", "AB12C nan 2##walks"]


@pytest.mark.parametrize("line", CHARADES_FAULTS)
def test_a_charades_line_that_cannot_be_read(tmp_path, line):
    path = tmp_path / "sta.txt"
    path.write_text(f"AB12C 0 1##sits\n\n{line}\n")
    with pytest.raises(RdmfError, match="line 3: "):
        read_annotations(path)


def test_other_files_are_named_too(tmp_path):
    json_list = tmp_path / "list.json"
    json_list.write_text("[1]")
    odd_entry = tmp_path / "odd.json"
    odd_entry.write_text('{"v": {"duration": 3}}')
    broken = tmp_path / "broken.json"
    broken.write_text('{\n"v": ')
    unfinished = tmp_path / "unfinished.json"
    unfinished.write_text('{"v": {"duration": 3, "timestamps": [[0]], "sentences": ["a"]}}')
    untimed = tmp_path / "untimed.json"
    untimed.write_text('{"v": {"timestamps": [[0, 1]], "sentences": ["a"]}}')
    nothing = tmp_path / "nothing.json"
    nothing.write_text("{}")
    for path, message in {
        json_list: "one entry per video",
        odd_entry: r"entry 1 \(v\) holds neither timestamps nor match",
        broken: "line 2: not JSON",
        unfinished: r"entry 1 \(v\): the timestamps of sentence 1 must be two numbers of seconds",
        untimed: r"entry 1 \(v\): no duration; correct the entry",
        nothing: "holds no annotations",
        tmp_path: "cannot be read",
        tmp_path / "gone.jsonl": "cannot be read",
    }.items():
        with pytest.raises(RdmfError, match=message) as caught:
            read_annotations(path)
        assert caught.value.subject == str(path)


def test_a_bad_entry_names_the_option_that_goes_on_without_it(tmp_path):
    rows = with_change(ANNOTATIONS, 1, relevant_windows=[[12, 30]])
    with pytest.raises(RdmfError, match=r"line 2: .* skip such entries with --skip-bad"):
        read_annotations(written(tmp_path / "own.jsonl", rows))


def test_bad_entries_are_skipped_counted_and_named_on_request(tmp_path):
    rows = with_change(ANNOTATIONS, 1, relevant_windows=[[12, 30]])
    kept = read_annotations(written(tmp_path / "own.jsonl", rows), skip_bad=True)
    assert [a.qid for a in kept] == [1, "third"]
    assert kept.skipped == ["2"]
    assert kept.notes == [
        "own.jsonl: 1 of 3 entries skipped (--skip-bad)",
        "own.jsonl: skipped: line 2: relevant_windows[0] = [12, 30] is outside of the video, "
        "which lasts 20 s",
    ]


def test_what_is_no_entry_at_all_is_not_skipped(tmp_path):
    path = written(tmp_path / "own.jsonl", ANNOTATIONS)
    path.write_text(path.read_text().replace('"qid": 2', '"qid": 2,,'))
    with pytest.raises(RdmfError, match="line 2: not JSON"):
        read_annotations(path, skip_bad=True)


def test_a_file_of_bad_entries_alone_is_no_annotation(tmp_path):
    rows = [{**ANNOTATIONS[0], "duration": None}]
    with pytest.raises(RdmfError, match=r"its only entry has an error: line 1: no duration"):
        read_annotations(written(tmp_path / "own.jsonl", rows), skip_bad=True)


def test_bad_sentences_and_lines_of_the_other_formats_are_skipped(tmp_path):
    videos = {
        "v": {"duration": 9, "timestamps": [[0, 1], ["x", 2]], "sentences": ["a", "b"]},
        "w": {"timestamps": [[0, 1]], "sentences": ["c"]},
    }
    path = tmp_path / "val_1.json"
    path.write_text(json.dumps(videos))
    kept = DATASETS.find("activitynet").read(path, skip_bad=True)
    assert [a.qid for a in kept] == ["v_0"]
    assert kept.skipped == ["v_1", "w"]
    text = tmp_path / "sta.txt"
    text.write_text("A 0 1##sits\nA 0 oops##runs\n")
    assert [a.query for a in read_annotations(text, skip_bad=True)] == ["sits"]
