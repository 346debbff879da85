"""The analysis of predictions, compared with a slow reference, and the output of `rdmf analyze`."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import slow_analysis
from cli_shell import run_here
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_benchmark import ANNOTATIONS, PREDICTIONS, with_change, written
from test_qvhighlights_protocol import query as made_up_query

from rdmf_cli.datasets.annotations import Annotation
from rdmf_cli.evaluation import GroundTruth, analyze_files
from rdmf_cli.evaluation.blind import typical_windows
from rdmf_cli.evaluation.calibration import auroc, calibration
from rdmf_cli.evaluation.causes import diagnose_all, first_causes, losses, missed_moments

SCHEMA = Path(__file__).parents[2] / "docs" / "analysis.schema.json"


@settings(max_examples=60)
@given(
    st.lists(st.tuples(made_up_query, st.sampled_from("ab")), min_size=1, max_size=6),
    st.sampled_from([0.25, 0.5, 0.75]),
)
def test_causes_and_gains_equal_the_slow_reference(rows, threshold):
    predicted = [windows for (windows, _), _ in rows]
    truths = [moments for (_, moments), _ in rows]
    vids = [vid for _, vid in rows]
    others = [
        [m for k, (t, v) in enumerate(zip(truths, vids, strict=True)) if v == vid and k != q
         for m in t]
        for q, vid in enumerate(vids)
    ]  # fmt: skip
    level = Fraction(threshold)
    causes = [
        slow_analysis.window_causes(*query, level)
        for query in zip(predicted, truths, others, strict=True)
    ]
    queries = diagnose_all(
        [Annotation(k, "q", vid, 60.0) for k, vid in enumerate(vids)],
        [np.array(windows, dtype=float).reshape(-1, 3) for windows in predicted],
        [np.array(moments, dtype=float) for moments in truths],
        threshold,
    )
    firsts = [slow_analysis.first_cause(names) for names in causes]
    for cause, share in first_causes(queries).items():
        assert share == pytest.approx(100 * firsts.count(cause) / len(rows))
    now = slow_analysis.scores([w[:10] for w in predicted], truths, level)
    everything = [name for names in causes for name in names]
    for loss in losses(queries, threshold):
        without = [
            slow_analysis.mended(loss.cause, *query)
            for query in zip(predicted, causes, truths, strict=True)
        ]
        then = slow_analysis.scores(without, truths, level)
        assert loss.recall == pytest.approx(float(100 * (then[0] - now[0])), abs=1e-9), loss
        gain = float(100 * (then[1] - now[1]))
        assert loss.average_precision == pytest.approx(gain, abs=1e-9), loss
        if loss.windows is not None:
            share = 100 * everything.count(loss.cause) / len(everything)
            assert loss.windows == pytest.approx(share)
    missed = [
        all(slow_analysis.exact_iou(w, moment) < level for w in windows[:10])
        for windows, moments in zip(predicted, truths, strict=True)
        for moment in moments
    ]
    assert missed_moments(queries, threshold) == pytest.approx(100 * np.mean(missed))


@settings(max_examples=5)
@given(
    st.lists(
        st.lists(st.integers(0, 40), min_size=2, max_size=2, unique=True).map(sorted),
        min_size=1,
        max_size=6,
    )
)
def test_the_blind_baseline_overlaps_the_train_moments_most(moments):
    exact = [(Fraction(start, 40), Fraction(end, 40)) for start, end in moments]
    found = typical_windows(np.array(moments) / 40, count=3)
    covered = np.zeros(len(moments))
    expected = slow_analysis.typical_windows(exact, 3)
    for window, best in zip(found, expected, strict=True):
        gained = [
            np.maximum(covered, [float(slow_analysis.exact_iou(one, m)) for m in exact])
            for one in ([Fraction(round(20 * edge), 20) for edge in window], best)
        ]
        assert gained[0].mean() == pytest.approx(gained[1].mean())
        if not np.allclose(window, [float(edge) for edge in best]):
            return  # several windows are equally good: now the two results may differ
        covered = gained[0]


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans()), min_size=1))
def test_auroc_equals_the_share_of_pairs(rows):
    scores, right = map(list, zip(*rows, strict=True))
    found = auroc(np.array(scores), np.array(right))
    expected = slow_analysis.auroc(scores, right)
    assert found == (None if expected is None else pytest.approx(float(expected)))


def test_calibration_by_hand():
    scores, right = np.array([0.95, 0.95, 0.05, 1.0]), np.array([True, False, False, True])
    found = calibration(scores, right)
    low, high = found.bins
    assert (low.queries, low.score, low.right) == (1, 0.05, 0)
    assert (high.queries, high.right) == (3, pytest.approx(2 / 3))
    assert found.error == pytest.approx((0.05 + 3 * abs(2.9 / 3 - 2 / 3)) / 4)
    assert calibration(scores * 3, right).error is None  # scores above 1 are not probabilities
    assert calibration(scores, right).auroc == calibration(scores * 3, right).auroc


@pytest.fixture
def files(tmp_path):
    truth = written(tmp_path / "truth.jsonl", ANNOTATIONS)
    return written(tmp_path / "guess.jsonl", PREDICTIONS), truth


def test_an_analysis_by_hand(files):
    found = analyze_files(files[0], GroundTruth(files[1]))
    assert (found.queries, found.moments) == (3, 4)
    assert found.first["right"] == 100
    assert found.oracle[0].mean_iou == pytest.approx(100 * (11 / 12 + 8 / 10 + 1) / 3)
    assert found.missed == 0
    assert found.bias.moment_seconds == 7  # 10, 4, 2, 11
    assert found.bias.window_seconds == 8  # 12, 8, 4
    assert found.bias.end_late == 0  # +1, -2, 0
    assert found.blind is None
    assert {(g.by, g.group): g.queries for g in found.groups}[("moments", "2")] == 1


def test_confusion_is_a_moment_of_another_query_on_the_video(files):
    guess, truth = files
    written(guess, with_change(PREDICTIONS, 1, pred_relevant_windows=[[12, 16, 0.9]]))
    found = analyze_files(guess, GroundTruth(truth))  # qid 1 is answered with the moment of qid 2
    assert found.first["confusion"] == pytest.approx(100 / 3)


def test_queries_without_a_moment_are_left_out_and_noted(files):
    guess, truth = files
    written(truth, with_change(ANNOTATIONS, 2, relevant_windows=[]))
    found = analyze_files(guess, GroundTruth(truth))
    assert found.queries == 2
    assert "1 query without a moment: not in these metrics" in found.notes


def test_windows_without_scores_have_no_calibration(files):
    guess, truth = files
    assert analyze_files(guess, GroundTruth(truth)).calibration is not None
    written(guess, with_change(PREDICTIONS, 1, pred_relevant_windows=[[0, 8]]))
    assert analyze_files(guess, GroundTruth(truth)).calibration is None


def rdmf_analyze(files, *options):
    guess, truth = files
    return run_here("analyze", guess, "--ground-truth", truth, *options)


def test_tables_on_stdout(files):
    done = rdmf_analyze(files, "--train", files[1])
    assert done.returncode == 0, done.stderr
    for part in ("right", "localisation", "above the blind baseline", "calibration error"):
        assert part in done.stdout
    tables = [line for line in done.stdout.splitlines() if "baseline of" not in line]
    assert max(map(len, tables)) <= 80


def test_json_keeps_to_the_published_schema(files):
    done = rdmf_analyze(files, "--json", "--train", files[1])
    assert done.returncode == 0, done.stderr
    fields = json.loads(done.stdout)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(fields)
    assert len(fields["blind"]["windows"]) == 10
    (iou,) = (d for d in fields["blind"]["differences"] if d["metric"] == "MR-full-mIoU")
    assert iou["other"] == pytest.approx(fields["oracle"][0]["mean_iou"])
    assert iou["baseline"] < iou["other"]


@pytest.mark.parametrize(
    ("changed", "options", "said"),
    [
        ([{**row, "relevant_windows": []} for row in ANNOTATIONS], [], "no query has a moment"),
        (ANNOTATIONS, ["--dataset", "tvsum"], "label and domain are missing"),
    ],
)
def test_nothing_to_analyse_is_said(files, changed, options, said):
    written(files[1], changed)
    done = rdmf_analyze(files, *options)
    assert done.returncode == 1
    assert said in done.stderr


def test_a_train_split_without_moments_is_said(files, tmp_path):
    blind = [{k: v for k, v in row.items() if k != "relevant_windows"} for row in ANNOTATIONS]
    train = written(tmp_path / "train.jsonl", blind)
    done = rdmf_analyze(files, "--train", train)
    assert done.returncode == 1
    assert f"{train} has no moment in a video with a known duration" in done.stderr
