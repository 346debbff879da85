"""QV-M², Soccer-GMR and presence: queries with several moments, and with none."""

from __future__ import annotations

import json

import numpy as np
import pytest
import slow_analysis
from brute_force_scores import generalised as exact_generalised
from brute_force_scores import multi_moment as exact_multi_moment
from brute_force_scores import rejection
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_benchmark import ANNOTATIONS, PREDICTIONS, with_change, written
from test_qvhighlights_protocol import close, scored_window, window

from rdmf_cli.errors import RdmfError
from rdmf_cli.evaluation import GroundTruth, evaluate_files, generalised, multi_moment
from rdmf_cli.evaluation.presence import presence_metrics

ranked = st.lists(scored_window, max_size=6)
with_moments = st.tuples(ranked, st.lists(window(), min_size=1, max_size=4))
any_query = st.tuples(
    ranked,
    st.lists(window(), max_size=3, unique_by=tuple).map(sorted),
    st.sampled_from([0.1, 0.4, 0.5, 0.9]),
)


def rows(windows, columns):
    return np.array(windows, dtype=float).reshape(-1, columns)


@settings(max_examples=60)
@given(st.lists(with_moments, min_size=1, max_size=6))
def test_qv_m2_equals_the_exact_reference(queries):
    predicted, truths = map(list, zip(*queries, strict=True))
    ours = multi_moment.moment_metrics(predicted, truths)
    close(ours["full"], exact_multi_moment(predicted, truths))
    short = [[m for m in moments if m[1] - m[0] <= 10] for moments in truths]
    close(ours["short"], exact_multi_moment(predicted, short))


@settings(max_examples=60)
@given(st.lists(any_query, min_size=1, max_size=6).filter(lambda qs: any(t for _, t, _ in qs)))
def test_soccer_gmr_equals_the_exact_reference(queries):
    predicted, truths, presence = map(list, zip(*queries, strict=True))
    ours = generalised.moment_metrics(
        [rows(windows, 3) for windows in predicted],
        [rows(moments, 2) for moments in truths],
        np.array(presence),
    )
    area = ours.pop("AUROC")
    exact = slow_analysis.auroc(presence, [bool(moments) for moments in truths])
    assert area == (None if exact is None else pytest.approx(100 * float(exact)))
    expected = exact_generalised(predicted, truths, presence)
    close(ours, {name: value for name, value in expected.items() if name in ours})
    assert {name for name, value in expected.items() if value is not None} <= ours.keys()


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.4, 0.5, 0.7]), st.booleans()), min_size=1))
def test_rejection_is_the_f1_of_the_queries_that_are_shown_nowhere(queries):
    presence, shown = map(list, zip(*queries, strict=True))
    found = presence_metrics(np.array(presence), np.array(shown))
    for level in (0.4, 0.6):
        f1, accuracy = rejection(presence, shown, level)
        assert found[f"Rej-F1@{level}"] == pytest.approx(f1)
        assert found[f"Acc@{level}"] == pytest.approx(accuracy)


def test_qv_m2_worked_out_by_hand():
    truths = [[[0, 10], [20, 30]], [[0, 10]]]
    predicted = [[[0, 10, 0.9], [0, 9, 0.8], [20, 30, 0.7]], [[0, 5, 0.9]]]
    full = multi_moment.moment_metrics(predicted, truths)["full"]
    assert full["MR-R1"]["0.5"] == 100
    assert full["MR-R1"]["0.55"] == 50
    assert (
        full["MR-R2"]["0.3"] == 50
    )  # the second window is matched with the remaining moment, which it misses
    assert full["MR-R3"]["0.3"] is None  # no query has three moments
    assert full["MR-mIoU@2"] == pytest.approx(100 * (1 + 0) / 2)
    assert full["MR-mAP"]["1_tgt_mAP"] == pytest.approx(10)  # found at IoU 0.5 alone
    assert multi_moment.brief({"full": full})["MR-full-mIoU@1"] == pytest.approx(75)


def test_missing_windows_count_as_missed():
    full = multi_moment.moment_metrics([[[0, 10, 0.9]]], [[[0, 10], [20, 30]]])["full"]
    assert full["MR-R2"]["0.5"] == 50
    assert full["MR-mIoU@2"] == 50


def test_rejecting_what_is_shown_nowhere_is_right_as_a_whole():
    nothing, moments = np.empty((0, 2)), rows([[0, 10], [20, 30]], 2)
    windows = [rows([[5, 9, 0.3]], 3), rows([[0, 10, 0.9]], 3)]
    found = generalised.moment_metrics(windows, [nothing, moments], np.array([0.3, 0.9]))
    assert found["AUROC"] == found["Rej-F1@0.4"] == found["Acc@0.4"] == 100
    assert found["G-mIoU@3"] == pytest.approx(100 * (1 + 1 / 2) / 2)
    assert found["mR+@3"] == 0
    sure = generalised.moment_metrics(windows, [nothing, moments], np.array([0.9, 0.9]))
    assert sure["AUROC"] == 50
    assert sure["G-mIoU@3"] == pytest.approx(100 * (0 + 1 / 2) / 2)


# ------------------------------------------------------------------------------- files


@pytest.fixture
def truth(tmp_path):
    return written(tmp_path / "truth.jsonl", with_change(ANNOTATIONS, 2, relevant_windows=[]))


def scored(tmp_path, truth, predictions, dataset):
    return evaluate_files(
        written(tmp_path / "guess.jsonl", predictions), GroundTruth(truth, dataset)
    )


def test_presence_is_scored_where_some_queries_are_shown_nowhere(tmp_path, truth):
    found = scored(tmp_path, truth, PREDICTIONS, "qvhighlights")
    assert found["brief"]["AUROC"] == 100  # windows of 0.9 and 0.9, against 0.75
    assert found["brief"]["Rej-F1@0.6"] == 0
    told = [{**row, "pred_exist_score": 0.1 if row["qid"] == "third" else 0.7}
            for row in PREDICTIONS]  # fmt: skip
    found = scored(tmp_path, truth, told, "qvhighlights")
    assert found["presence"] == {
        "AUROC": 100, "Rej-F1@0.4": 100, "Acc@0.4": 100, "Rej-F1@0.6": 100, "Acc@0.6": 100,
    }  # fmt: skip
    everywhere = written(tmp_path / "all.jsonl", ANNOTATIONS)
    assert "presence" not in scored(tmp_path, everywhere, PREDICTIONS, "qvhighlights")


@pytest.mark.parametrize("dataset", ["qv-m2", "soccer-gmr"])
def test_the_benchmarks_are_scored_by_name(tmp_path, truth, dataset):
    found = scored(tmp_path, truth, PREDICTIONS, dataset)
    assert found["protocol"] == dataset
    assert found["queries"]["moments"] == 2
    json.dumps(found, allow_nan=False)


def test_moments_of_sound_may_end_two_seconds_past_their_recording(tmp_path):
    changed = with_change(ANNOTATIONS, 0, relevant_windows=[[8, 22]], relevant_clip_ids=None)
    truth = written(tmp_path / "truth.jsonl", changed)
    # Their saliency is for clips of 2 s; those of this dataset have 1 s.
    per_second = [
        {**row, "pred_saliency_scores": np.repeat(row["pred_saliency_scores"], 2).tolist()}
        for row in PREDICTIONS
    ]
    found = scored(tmp_path, truth, per_second, "castella")
    assert found["queries"]["moments"] == 3
    with pytest.raises(RdmfError, match="outside of the video"):
        scored(tmp_path, truth, per_second, "clotho-moment")
    with pytest.raises(RdmfError, match="10 pred_saliency_scores for a video of 20 clips"):
        scored(tmp_path, truth, PREDICTIONS, "castella")


def test_few_windows_are_noted(tmp_path, truth):
    few = [{**row, "pred_relevant_windows": row["pred_relevant_windows"][:1]}
           for row in PREDICTIONS]  # fmt: skip
    assert any("1 query with fewer windows than moments" in note or
               "1 query has fewer windows than moments" in note
               for note in scored(tmp_path, truth, few, "qv-m2")["notes"])  # fmt: skip


def test_windows_without_scores_are_taken_in_their_order(tmp_path):
    truth = written(tmp_path / "truth.jsonl", ANNOTATIONS)
    bare = [
        {**row, "pred_relevant_windows": [w[:2] for w in row["pred_relevant_windows"]]}
        for row in PREDICTIONS
    ]
    found = scored(tmp_path, truth, bare, "qvhighlights")
    with_scores = scored(tmp_path, truth, PREDICTIONS, "qvhighlights")  # sorted by score
    assert found["brief"] == with_scores["brief"]
    assert any("windows without scores" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pred_exist_score": "high"}, "pred_exist_score is not a number"),
        ({"pred_exist_score": True}, "pred_exist_score is not a number"),
        ({"pred_relevant_windows": [[0, 1], [2, 3, 0.5]]}, "differ in length"),
        ({"pred_relevant_windows": [[0], [2]]}, "must be a list of"),
    ],
)
def test_what_is_neither_is_said_with_its_line(tmp_path, truth, change, said):
    with pytest.raises(RdmfError, match=said) as caught:
        scored(tmp_path, truth, with_change(PREDICTIONS, 1, **change), "qvhighlights")
    assert "line 2" in str(caught.value)
