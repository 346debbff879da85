"""Annotations in the JSON of TACoS, DiDeMo, HiREST and Ego4D, by their published layouts.

The rows are made up, with all fields and oddities of the original files. Sources of the layouts:
TACoS: github.com/microsoft/2D-TAN, data/TACoS (VSLNet's files are the same, byte by byte); DiDeMo:
github.com/LisaAnne/LocalizingMoments, README.md and data/; HiREST: github.com/j-min/HiREST,
README.md and data/splits; Ego4D: github.com/EGO4D/episodic-memory, the reader of its baseline,
NLQ/VSLNet/utils/prepare_ego4d_dataset.py.
"""

from __future__ import annotations

import json

import pytest

from rdmf_cli.datasets import DATASETS, find_annotations, read_annotations
from rdmf_cli.errors import RdmfError


def read(folder, content, name="train.json", **more):
    path = folder / name
    path.write_text(json.dumps(content))
    return read_annotations(path, **more)


TACOS = {
    "s13-d21.avi": {
        "timestamps": [[252, 452], [588, 1176]],
        "sentences": ["He took out cutting board", " The man cuts. "],
        "num_frames": 2940,
        "fps": 29.4,
    }
}


def test_tacos_counts_frames(tmp_path):
    first, second = read(tmp_path, TACOS)
    assert (first.qid, first.vid, first.duration) == ("s13-d21_0", "s13-d21", pytest.approx(100.0))
    assert first.windows[0].tolist() == pytest.approx([252 / 29.4, 452 / 29.4])
    assert (second.qid, second.query) == ("s13-d21_1", "The man cuts.")


DIDEMO = [
    {
        "annotation_id": 7,
        "description": "the dog jumps",
        "video": "12090392@N02_13482799053.avi",
        "times": [[1, 1], [0, 0], [1, 1], [1, 2]],
        "num_segments": 6,
    },
    {"annotation_id": 8, "description": "a man sits", "video": "b.mov", "times": [[3, 4], [5, 5]]},
]


def test_didemo_takes_the_segment_of_most_annotators(tmp_path):
    first, second = read(tmp_path, DIDEMO)
    assert (first.qid, first.query, first.vid) == (7, "the dog jumps", DIDEMO[0]["video"])
    assert first.windows.tolist() == [[5.0, 10.0]]
    assert second.windows.tolist() == [[15.0, 25.0]]


def test_didemo_has_ties_shorter_videos_and_descriptions_with_seven_annotators(tmp_path):
    """In the val file, 326 of 4,180 descriptions have ties; 723 videos have five segments."""
    whole = {"dl_link": "https://example.org/1", "num_segments": 5, "description": "a cat"}
    tie = {**whole, "annotation_id": 1, "video": "1@N01_2_3.mov"}
    tie["times"] = [[2, 3], [0, 0], [0, 0], [2, 3]]
    seven = {**whole, "annotation_id": 2, "video": "1@N01_2_3.mov"}
    seven["times"] = [[0, 0], [4, 4], [4, 4], [0, 4], [4, 4], [0, 0], [1, 1]]
    first, second = read(tmp_path, [tie, seven])
    assert first.windows.tolist() == [[10.0, 20.0]]  # of equally frequent choices, the first
    assert second.windows.tolist() == [[20.0, 25.0]]


HIREST = {
    "Make Bird Feeder": {
        "a1B2.mp4": {"relevant": True, "clip": True, "v_duration": 123.5, "bounds": [10, 90],
                     "steps": []},
        "c3D4.mp4": {"relevant": True, "clip": False, "v_duration": 80, "bounds": [], "steps": []},
    },
    "Tie a Tie": {
        "e5F6.mp4": {"relevant": True, "clip": True, "v_duration": 60, "bounds": [1, 60.4],
                     "steps": []},
    },
}  # fmt: skip


def test_hirest_has_a_moment_where_clip_is_true(tmp_path):
    found = read(tmp_path, HIREST)
    assert [(a.query, a.vid, a.duration) for a in found] == [
        ("Make Bird Feeder", "a1B2", 123.5),
        ("Tie a Tie", "e5F6", 60.0),
    ]
    assert [a.windows.tolist() for a in found] == [[[10.0, 90.0]], [[1.0, 60.0]]]
    assert found.notes == ["train.json: entry 2 (c3D4.mp4): has no moment; left out"]


def test_hirest_is_read_with_steps_bounds_without_a_moment_and_a_moment_of_length_0(tmp_path):
    """HiREST's README shows a video without a moment; its train split has a moment of length 0."""
    steps = [{"index": 0, "heading": "Fold it", "absolute_bounds": [43, 60]}]
    video = {"relevant": True, "clip": True, "v_duration": 354.97, "bounds": [43, 290]}
    content = {
        "Make a Bow": {
            "kMh-nG8axWI.mp4": {"relevant": True, "clip": False, "v_duration": 53.92,
                                "bounds": [0, 0], "steps": []},
            "CAB-4KfX8x0.mp4": {**video, "steps": steps},
            "fR5U_pG4.mp4": {**video, "bounds": [77, 77], "steps": steps},
        }
    }  # fmt: skip
    found = read(tmp_path, content)
    assert [(a.vid, a.windows.tolist()) for a in found] == [("CAB-4KfX8x0", [[43.0, 290.0]])]
    assert found.notes == [
        "train.json: entry 1 (kMh-nG8axWI.mp4): has no moment; left out",
        "train.json: entry 3 (fR5U_pG4.mp4): has a moment of length 0, at 77 s; left out",
    ]


def ego4d(**query):
    queries = [{"clip_start_sec": 425.0, "clip_end_sec": 431.0, "query": "where is it?", **query},
               {"clip_start_sec": 1.0, "clip_end_sec": 2.0, "query": None}]  # fmt: skip
    annotation = {"annotation_uid": "ann", "language_queries": queries}
    clip = {"clip_uid": "clip-1", "video_start_sec": 100.0, "video_end_sec": 580.0,
            "annotations": [annotation]}  # fmt: skip
    return {"version": "1", "videos": [{"video_uid": "v", "clips": [clip]}]}


def test_ego4d_has_queries_in_annotations_in_clips(tmp_path):
    found = read(tmp_path, ego4d())
    (one,) = found
    assert (one.qid, one.vid, one.duration) == ("ann_0", "clip-1", 480.0)
    assert one.windows.tolist() == [[425.0, 431.0]]
    assert found.notes == ["train.json: query ann_1: has no text; left out"]


def test_ego4d_is_read_with_every_field_and_with_what_its_annotators_left_out(tmp_path):
    """As in Ego4D's baseline: a text may be missing or empty, and a moment may have no length."""
    asked = {
        "clip_start_sec": 7.5, "clip_end_sec": 7.5, "video_start_sec": 107.5,
        "video_end_sec": 107.5, "video_start_frame": 3225, "video_end_frame": 3225,
        "template": "Objects: Where is object X?", "query": " Where is the cup ? ",
        "slot_x": "the cup", "verb_x": "[verb_not_applicable]", "slot_y": None, "verb_y": None,
        "raw_tags": ["Objects: Where is object X?", "Where is the cup ?"],
    }  # fmt: skip
    queries = [{k: v for k, v in asked.items() if k != "query"}, {**asked, "query": ""}, asked]
    clip = {
        "clip_uid": "clip-1", "source_clip_uid": "s", "video_start_sec": 100.0,
        "video_end_sec": 580.0, "video_start_frame": 3000, "video_end_frame": 17400,
        "clip_start_sec": 0, "clip_end_sec": 480.0, "clip_start_frame": 0,
        "clip_end_frame": 14400,
        "annotations": [{"annotation_uid": "none"},
                        {"annotation_uid": "ann", "language_queries": queries}],
    }  # fmt: skip
    videos = [{"video_uid": "v", "split": "val", "clips": [clip]}]
    found = read(tmp_path, {"version": "v2", "date": "230130", "description": "NLQ",
                            "manifest": "s3://manifest.csv", "videos": videos})  # fmt: skip
    (one,) = found
    assert (one.qid, one.query, one.duration) == ("ann_2", "Where is the cup ?", 480.0)
    assert one.windows.tolist() == [[7.5, 7.5]]
    assert len(found.notes) == 2


def test_a_test_split_without_responses_is_blind(tmp_path):
    content = ego4d()
    for query in content["videos"][0]["clips"][0]["annotations"][0]["language_queries"]:
        del query["clip_start_sec"], query["clip_end_sec"]
    assert [a.blind for a in read(tmp_path, content)] == [True]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([{**DIDEMO[0], "times": [[1, 6]]}], r"entry 1 \(12090.*times must be a list of"),
        ([{**DIDEMO[0], "times": []}], "times must be a list of"),
        ([{**DIDEMO[0], "description": " "}], "description must be a text"),
        (["no"], "one entry per video"),
        ([DIDEMO[0], "no"], "entry 2 .*holds neither"),
        ({"p": {"v.mp4": {"clip": True, "v_duration": 9, "bounds": [8, 3]}}}, "do not lie in"),
        ({"p": {"v.mp4": {"clip": True, "v_duration": 9, "bounds": ["a"]}}}, "two numbers of sec"),
        (ego4d(clip_end_sec=3.0), "ends before it starts"),
        (ego4d(clip_end_sec=None), "two numbers of seconds"),
        ({"a.avi": {**TACOS["s13-d21.avi"], "fps": 0}}, "fps must be a number above 0"),
        ({"a.avi": {**TACOS["s13-d21.avi"], "sentences": []}}, "2 timestamps for 0 sentences"),
    ],
)
def test_an_error_names_the_entry(tmp_path, content, said):
    with pytest.raises(RdmfError, match=said) as caught:
        read(tmp_path, content)
    assert "train.json" in str(caught.value)


def test_bad_entries_are_skipped_where_asked(tmp_path):
    found = read(tmp_path, [DIDEMO[1], {**DIDEMO[0], "times": []}], skip_bad=True)
    assert len(found) == 1
    assert "1 of 2 entries skipped" in found.notes[0]


@pytest.mark.parametrize(
    ("dataset", "name"),
    [("didemo", "val_data.json"), ("hirest", "all_data_val.json"), ("tacos", "val.json"),
     ("nlq", "nlq_val.json")],
)  # fmt: skip
def test_the_files_of_a_benchmark_are_found(tmp_path, dataset, name):
    (tmp_path / name).write_text("{}")
    assert find_annotations("val", tmp_path, DATASETS[dataset]) == tmp_path / name
