"""The scoring of files: an error names its line, and nothing is left out without a note."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from made_up_benchmark import ANNOTATIONS, PREDICTIONS, with_change, written

from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.evaluation import (
    GroundTruth,
    Options,
    Prediction,
    evaluate_files,
    read_annotations,
    read_predictions,
    rounded,
    write_submission,
)


@pytest.fixture
def truth(tmp_path):
    return written(tmp_path / "truth.jsonl", ANNOTATIONS)


def scored(tmp_path, truth, predictions, dataset=None, **options):
    guess = written(tmp_path / "guess.jsonl", predictions)
    return evaluate_files(guess, GroundTruth(truth, dataset), Options(**options))


def refused(tmp_path, truth, predictions, dataset=None, **options):
    with pytest.raises(RdmfError) as caught:
        scored(tmp_path, truth, predictions, dataset, **options)
    return str(caught.value)


def test_the_whole_result_of_a_small_set(tmp_path, truth):
    result = rounded(scored(tmp_path, truth, PREDICTIONS))
    assert result["queries"] == {"all": 3, "moments": 3, "highlights": 3}
    assert result["notes"] == []
    brief = result["brief"]
    assert brief["MR-full-R1@0.5"] == 100
    assert result["full"]["MR-R1"]["0.85"] == 66.67  # 11/12, 8/10, 1
    assert brief["MR-full-mIoU"] == 90.56
    # The second query finds its windows at ranks 1 and 3: (1 + 2/3) / 2 at every threshold.
    assert brief["MR-full-mAP@0.5"] == round(100 * (1 + 1 + 5 / 6) / 3, 2)
    assert brief["MR-full-mAP@0.75"] == brief["MR-full-mAP@0.5"]
    assert result["full"]["MR-mAP"]["0.95"] == round(100 * (5 / 6) / 3, 2)
    assert result["short"]["queries"] == 2
    assert result["middle"]["queries"] == 1
    assert result["long"]["queries"] == 0
    assert brief["MR-long-mAP"] is None
    # The clips with the highest scores are 0, 9, 1; their highest ratings are 4, 2 and 2.
    assert brief["HL-min-Fair-Hit1"] == 100
    assert brief["HL-min-VeryGood-Hit1"] == 33.33


def test_a_gzipped_file_scores_the_same(tmp_path, truth):
    plain = written(tmp_path / "guess.jsonl", PREDICTIONS)
    zipped = tmp_path / "guess.jsonl.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert evaluate_files(zipped, GroundTruth(truth)) == evaluate_files(plain, GroundTruth(truth))


def test_qids_match_whether_written_as_numbers_or_names(tmp_path, truth):
    named = with_change(PREDICTIONS, 1, qid="1")
    assert scored(tmp_path, truth, named) == scored(tmp_path, truth, PREDICTIONS)


WINDOW_KEY, SALIENCY_KEY = "pred_relevant_windows", "pred_saliency_scores"

FAULTS = {
    "unknown qid": ({"qid": 99}, "qid 99 is not in truth.jsonl"),
    "same qid": ({"qid": "third"}, "duplicate qid 'third' (first on line 1)"),
    "no qid": ({"qid": None}, "no qid"),
    "another video": ({"vid": "meadow"}, "qid 1 is of video kitchen, not meadow"),
    "nan score": ({WINDOW_KEY: [[0, 1, float("nan")]]}, "pred_relevant_windows[0] holds NaN"),
    "nan saliency": ({SALIENCY_KEY: [0.5, float("nan")]}, "pred_saliency_scores[1] holds NaN"),
    "null saliency": (
        {SALIENCY_KEY: [0.5, None]},
        "pred_saliency_scores must be a list of numbers",
    ),
    "inverted": ({WINDOW_KEY: [[0, 1, 1], [5, 3, 0.5]]}, "[1] = [5, 3, 0.5] ends before it starts"),
    "before the video": ({WINDOW_KEY: [[-4, 1, 1]]}, "[0] = [-4, 1, 1] reaches outside the video"),
    "after the video": (
        {WINDOW_KEY: [[0, 151, 1]]},
        "[0, 151, 1] reaches outside the video, which lasts 20 s",
    ),
    "no end": ({WINDOW_KEY: [[0]]}, "must be a list of [start, end, score]"),
    "empty window": ({WINDOW_KEY: [[]]}, "must be a list of [start, end, score]"),
    "no list": ({WINDOW_KEY: "0-1"}, "pred_relevant_windows must be a list of numbers"),
    "no windows": ({WINDOW_KEY: None}, "no pred_relevant_windows; add it, or score the highlights"),
    "no saliency": ({SALIENCY_KEY: None}, "no pred_saliency_scores; add it, or score the moments"),
    "empty saliency": ({SALIENCY_KEY: []}, "pred_saliency_scores is empty"),
    "presence of 7": ({"pred_exist_score": 7}, "pred_exist_score must be from 0 to 1, not 7"),
    "two lists": ({SALIENCY_KEY: [[0.1], [0.2]]}, "is not one list of numbers"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_said_with_its_file_and_line(tmp_path, truth, fault):
    change, message = FAULTS[fault]
    said = refused(tmp_path, truth, with_change(PREDICTIONS, 1, **change))
    assert said.startswith(f"{tmp_path / 'guess.jsonl'}: line 2: "), said
    assert message in said


def test_queries_without_a_prediction_are_counted_and_named(tmp_path, truth):
    said = refused(tmp_path, truth, PREDICTIONS[:1])
    assert "no prediction for 2 of 3 queries: qid 1, 2 (line 1 of truth.jsonl)" in said


def test_unreadable_files(tmp_path, truth):
    good = "".join(json.dumps(row) + "\n" for row in PREDICTIONS)
    second = good.index("\n") + 1
    zipped = gzip.compress(good.encode() * 200)
    for content, message in {
        b"": "the file is empty",
        b"\n \n": "the file is empty",
        good[:-30].encode(): "line 3: the file ends in the middle of this line",
        (good[: second + 9] + "\n" + good[second:]).encode(): "line 2: not JSON",
        b"[1, 2]\n": "line 1: not a JSON object",
        good.encode().replace(b"a dog", b"a d\xffg"): "line 1: not UTF-8 text",
        zipped[: len(zipped) // 2]: "the gzip file ends in the middle of this line",
        zipped[:40] + b"garbage" + zipped[47:]: "gzip file",
    }.items():
        guess = tmp_path / "guess.jsonl"
        guess.write_bytes(content)
        with pytest.raises(RdmfError) as caught:
            evaluate_files(guess, GroundTruth(truth))
        assert str(caught.value).startswith(str(guess))
        assert message in str(caught.value)


def test_blank_lines_and_a_byte_order_mark_do_no_harm(tmp_path, truth):
    guess = tmp_path / "guess.jsonl"
    lines = "\r\n\r\n".join(json.dumps(row) for row in PREDICTIONS)
    guess.write_bytes(b"\xef\xbb\xbf" + lines.encode() + b"\r\n\n")
    assert (
        evaluate_files(guess, GroundTruth(truth))["full"]
        == scored(tmp_path, truth, PREDICTIONS)["full"]
    )


def test_moments_or_highlights_alone(tmp_path, truth):
    only_windows = [
        {key: row[key] for key in ("qid", "pred_relevant_windows")} for row in PREDICTIONS
    ]
    result = scored(tmp_path, truth, only_windows, only="moments")
    assert "HL-min-Fair" not in result
    only_saliency = [
        {key: row[key] for key in ("qid", "pred_saliency_scores")} for row in PREDICTIONS
    ]
    result = scored(tmp_path, truth, only_saliency, only="highlights")
    assert "full" not in result
    assert result["brief"]["HL-min-Fair-Hit1"] == 100


@pytest.mark.parametrize("kept", [1, 8])
def test_a_saliency_list_that_is_far_too_short_is_an_error(tmp_path, kept):
    """One score less than clips is in published files; more are scores of another clip length."""
    truth = written(tmp_path / "truth.jsonl", ANNOTATIONS)
    scores = [0.5] * kept
    guess = with_change(PREDICTIONS, 1, pred_saliency_scores=scores)
    many = "1 pred_saliency_score" if kept == 1 else f"{kept} pred_saliency_scores"
    said = f"line 2: {many} for a video of 10 clips; write one score per clip"
    with pytest.raises(RdmfError, match=said):
        scored(tmp_path, truth, guess)


def test_what_is_not_scored_is_said(tmp_path):
    rows = with_change(
        ANNOTATIONS, 0, relevant_windows=[], relevant_clip_ids=[], saliency_scores=[]
    )
    rows = with_change(rows, 1, relevant_clip_ids=None)
    rows = with_change(rows, 2, relevant_clip_ids=[0, 1, 2, 3, 5])  # int(11 / 2) = 5 clips
    truth = written(tmp_path / "truth.jsonl", rows)
    guess = with_change(PREDICTIONS, 2, pred_relevant_windows=[])
    guess = with_change(guess, 0, pred_saliency_scores=[0.1, 0.5, 0.2, 0.3])
    result = scored(tmp_path, truth, guess)
    assert result["queries"] == {"all": 3, "moments": 2, "highlights": 1}
    assert result["notes"] == [
        "1 query without a moment: not in these metrics",
        "1 query without a predicted window: counted as missed",
        "1 query without saliency_scores: no highlight metrics",
        "1 query with fewer saliency scores than clips: the others count as 0",
        "1 relevant clip past the end of the video: left out",
    ]
    assert result["full"]["MR-mAP"]["0.5"] == 50  # the empty list is an AP of 0, not left out
    assert result["full"]["MR-R1"]["0.5"] == 50


def test_nothing_to_score_is_an_error(tmp_path):
    rows = [{key: row[key] for key in ("qid", "query", "vid", "duration")} for row in ANNOTATIONS]
    truth = written(tmp_path / "truth.jsonl", rows)
    assert "there is nothing to score" in refused(tmp_path, truth, PREDICTIONS)
    assert "there is nothing to score" in refused(tmp_path, truth, PREDICTIONS, "tacos")


def test_windows_outside_the_video(tmp_path, truth):
    long = with_change(PREDICTIONS, 1, pred_relevant_windows=[[-10.0, 10.0, 0.9]])
    assert "--outside keep or --outside cut" in refused(tmp_path, truth, long)
    assert scored(tmp_path, truth, long, outside="keep")["full"]["MR-R1"]["0.55"] == pytest.approx(
        200 / 3
    )
    assert scored(tmp_path, truth, long, outside="cut")["full"]["MR-R1"]["0.95"] == pytest.approx(
        200 / 3
    )


def test_published_predictions_may_reach_to_the_benchmarks_clamp_and_half_a_clip_further(tmp_path):
    truth = written(tmp_path / "truth.jsonl", ANNOTATIONS)
    to_150 = with_change(PREDICTIONS, 1, pred_relevant_windows=[[0.0, 150.0, 0.9]])
    notes = scored(tmp_path, truth, to_150, "qvhighlights")["notes"]
    assert any(
        note.startswith("1 of 6 windows ends more than a clip after the end of the video")
        for note in notes
    ), notes
    assert "reaches outside" in refused(tmp_path, truth, to_150, "tacos")
    rounded_up = with_change(PREDICTIONS, 1, pred_relevant_windows=[[0.0, 21.0, 0.9]])
    scored(tmp_path, truth, rounded_up, "tacos")


def test_a_long_video_of_ones_own_has_no_clamp(tmp_path):
    truth = written(tmp_path / "truth.jsonl", with_change(ANNOTATIONS, 2, duration=4000))
    far = with_change(PREDICTIONS, 1, pred_relevant_windows=[[0.0, 150.0, 0.9]])
    assert "reaches outside the video, which lasts 20 s" in refused(tmp_path, truth, far)
    late = with_change(PREDICTIONS, 0, pred_relevant_windows=[[3000.0, 3900.0, 0.9]],
                       pred_saliency_scores=[0.5] * 2000)  # fmt: skip
    kept = scored(tmp_path, truth, late, round_to=2.0)
    assert kept["full"]["MR-R1"]["0.5"] == pytest.approx(200 / 3)


def test_rounding_is_offered_and_done_on_request(tmp_path, truth):
    loose = with_change(PREDICTIONS, 1, pred_relevant_windows=[[0.4, 9.6, 0.9]])
    plain = scored(tmp_path, truth, loose, "charades")
    assert plain["notes"][0].startswith("1 of 6 windows lies off the 1 s grid")
    assert plain["full"]["MR-mIoU"] == pytest.approx(100 * (11 / 12 + 0.92 + 1) / 3)
    moved = scored(tmp_path, truth, loose, "charades", round_to=1.0)
    assert moved["notes"] == []
    assert moved["full"]["MR-mIoU"] == pytest.approx(100 * (11 / 12 + 1 + 1) / 3)


def test_one_moment_benchmarks_and_their_legacy_rules(tmp_path, truth):
    result = rounded(scored(tmp_path, truth, PREDICTIONS, "charades"))
    assert result["brief"]["MR-full-R1@0.7"] == 100
    assert [result["full"]["MR-R5"][t] for t in ("0.3", "0.5", "0.7")] == [100] * 3
    old = scored(tmp_path, truth, PREDICTIONS, "charades", legacy=True)
    assert old["notes"] == ["2D-TAN's rules: IoU > t, after suppression at 0.45"]
    assert "MR-mAP" not in old["full"]
    with pytest.raises(UsageError, match="2D-TAN has no setting for nlq"):
        scored(tmp_path, truth, PREDICTIONS, "nlq", legacy=True)
    assert scored(tmp_path, truth, PREDICTIONS, "nlq", legacy=True, nms=0.5)["full"]


def test_questions_that_a_dataset_cannot_answer(tmp_path, truth):
    for dataset, options, message in [
        ("qvhighlights", {"legacy": True}, "no legacy protocol"),
        ("charades", {"only": "highlights"}, "charades has no highlights"),
        ("tvsum", {"only": "moments"}, "label and domain are missing"),
        ("tvsum", {}, "label and domain are missing; tvsum is scored by them"),
    ]:
        assert message in refused(tmp_path, truth, PREDICTIONS, dataset, **options)


def labelled(qid, domain, labels):
    shared = {"qid": qid, "query": domain, "vid": qid, "duration": 2.0 * len(labels)}
    return {**shared, "domain": domain, "label": labels}


def test_highlights_by_domain(tmp_path):
    rows = [labelled("a", "dog", [[1], [0]]), labelled("b", "surfing", [[0], [1]])]
    truth = written(tmp_path / "truth.jsonl", rows)
    guess = [
        {"qid": "a", "pred_saliency_scores": [0.9, 0.1]},
        {"qid": "b", "pred_saliency_scores": [0.9, 0.1, 0.5]},
    ]
    result = scored(tmp_path, truth, guess, "youtube-highlights")
    assert result["brief"] == {"HL-mAP-dog": 100, "HL-mAP-surfing": 25, "HL-mAP": 62.5}
    assert result["notes"] == ["1 query with more saliency scores than clips: the surplus is cut"]
    assert "name the benchmark: --dataset tvsum or youtube" in refused(tmp_path, truth, guess)
    with pytest.raises(UsageError, match="youtube-highlights has no moments"):
        scored(tmp_path, truth, guess, "youtube-highlights", only="moments")


def test_a_written_submission_reads_back(tmp_path, truth):
    annotations = read_annotations(truth)
    spans, saliency = np.array([[0, 4.123456, 0.98765432]]), np.array([0.123456789, -1.0])
    made = [Prediction(a.qid, windows=spans, saliency=saliency) for a in annotations]
    path = tmp_path / "submission.jsonl"
    write_submission(path, zip(annotations, made, strict=True))
    first = read_predictions(path).paired(annotations)[0]
    np.testing.assert_array_equal(first.windows, [[0, 4.1235, 0.9877]])
    np.testing.assert_array_equal(first.saliency, saliency)
    assert (first.qid, first.vid) == (1, "kitchen")


def test_predictions_of_skipped_annotations_are_not_missed(tmp_path):
    rows = with_change(ANNOTATIONS, 1, relevant_windows=[[18, 12]])
    truth = written(tmp_path / "truth.jsonl", rows)
    guess = written(tmp_path / "guess.jsonl", PREDICTIONS)
    result = evaluate_files(guess, GroundTruth(truth, skip_bad=True))
    assert result["queries"]["all"] == 2
    assert result["notes"][0] == "truth.jsonl: 1 of 3 entries skipped (--skip-bad)"
    assert "skip such entries with --skip-bad" in refused(tmp_path, truth, PREDICTIONS)


def test_windows_that_are_not_best_first_are_said(tmp_path, truth):
    turned = with_change(PREDICTIONS, 1, pred_relevant_windows=[[10, 20, 0.5], [0, 8, 0.9]])
    (note,) = scored(tmp_path, truth, turned)["notes"]
    assert note.startswith("1 query with windows that are not sorted by score")


def test_ego4ds_count_is_strict_and_suppresses_nothing(tmp_path):
    rows = [
        {"qid": k, "query": "q", "vid": "v", "duration": 100, "relevant_windows": [[0, 10]]}
        for k in range(2)
    ]
    truth = written(tmp_path / "truth.jsonl", rows)
    halves = [[0, 5, 0.9], [0, 5.1, 0.8], [0, 10, 0.7]]  # IoU .5, .51, 1
    guess = [{"qid": k, "pred_relevant_windows": halves[k:]} for k in range(2)]
    family = scored(tmp_path, truth, guess, "nlq")
    official = scored(tmp_path, truth, guess, "ego4d-nlq")
    assert family["brief"]["MR-full-R1@0.5"] == 100
    assert official["brief"]["MR-full-R1@0.5"] == 50
    assert official["brief"]["MR-full-R5@0.7"] == 100  # the window that 2D-TAN suppresses
    assert official["notes"] == []
    with pytest.raises(UsageError, match="Ego4D's rules, which suppress no windows"):
        scored(tmp_path, truth, guess, "ego4d-nlq", legacy=True)


def test_where_ties_decide_the_least_and_the_greatest_score_are_given(tmp_path):
    labels = [[5] * 20] + [[1] * 20] * 9
    truth = written(tmp_path / "truth.jsonl", [labelled("a", "DS", labels)])
    guess = [{"qid": "a", "pred_saliency_scores": [0.5] * 10}]
    result = rounded(scored(tmp_path, truth, guess, "tvsum"))
    assert result["brief"]["HL-mAP-DS"] == 100  # the first in the list
    assert result["ties"]["HL-mAP-DS"] == {"least": 0.0, "greatest": 100.0}
    assert "the score is that of list order" in result["notes"][0]
    apart = [{"qid": "a", "pred_saliency_scores": list(range(10))}]
    assert "ties" not in scored(tmp_path, truth, apart, "tvsum")


def test_many_windows_of_one_query_cost_no_place_for_all(tmp_path):
    """Queries are padded to the query with most windows, so such queries are scored apart."""
    many = [[k / 10, k / 10 + 0.05] for k in range(1000)]
    rows = [
        {"qid": k, "query": "q", "vid": "v", "duration": 100, "relevant_windows": [[0, 10]]}
        for k in range(200)
    ]
    rows[100]["relevant_windows"] = many
    truth = written(tmp_path / "truth.jsonl", rows)
    guess = [{"qid": k, "pred_relevant_windows": [[0, 10, 1.0]]} for k in range(200)]
    result = scored(tmp_path, truth, guess, only="moments")
    assert result["brief"]["MR-full-R1@0.5"] == 99.5
    rows[100]["relevant_windows"] = many + many[:1]
    assert "1001 relevant_windows, the limit is 1000" in refused(
        tmp_path, written(truth, rows), guess
    )
