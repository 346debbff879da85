"""The comparison of prediction files: per-query scores, resampling, output of `rdmf compare`."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from cli_shell import run_here
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_benchmark import ANNOTATIONS, PREDICTIONS, with_change, written

from rdmf_cli.datasets.annotations import Annotation, Annotations
from rdmf_cli.datasets.registry import DATASETS
from rdmf_cli.evaluation import (
    GroundTruth,
    How,
    Options,
    Prediction,
    Predictions,
    compare_files,
    evaluate,
)
from rdmf_cli.evaluation.compare import compare
from rdmf_cli.evaluation.pairs import pair
from rdmf_cli.evaluation.per_query import VIDEOS, query_scores
from rdmf_cli.evaluation.resampling import PairedDifferences

SCHEMA = Path(__file__).parents[2] / "docs" / "comparison.schema.json"
HOSTILE = "<script>alert('&')</script>\x1b[31m\u202e"


def made_up(random, queries=12, moments=True, labelled=False):
    """Annotations of some videos with several queries each, and predictions for them."""
    annotations, predictions = [], []
    for qid in range(queries):
        starts = np.sort(random.choice(50, random.integers(1, 4), replace=False)) * 3.0
        lengths = random.integers(1, 50, len(starts))
        windows = np.minimum(np.column_stack([starts, starts + lengths]), 150)
        scores = random.random(random.integers(1, 8))
        found = np.sort(random.integers(0, 151, (len(scores), 2)), axis=1)
        annotations.append(
            Annotation(
                qid,
                f"query {qid}",
                f"video{qid % 5}",
                150.0,
                windows=windows if moments else None,
                clip_ids=np.arange(4) if moments else None,
                ratings=random.integers(0, 5, (4, 3)).astype(float) if moments else None,
                labels=random.integers(0, 3, (75, 1)).astype(float) if labelled else None,
                domain=f"domain{qid % 2}" if labelled else None,
            )
        )
        windows = np.column_stack([found, scores]).astype(float)
        predictions.append(Prediction(qid, windows, random.random(75)))
    return Annotations(Path("truth"), annotations), Predictions(Path("guess"), predictions)


# ------------------------------------------------------------------ scores of each query


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10_000),
    name=st.sampled_from(["qvhighlights", "charades", "ego4d-nlq", "charades legacy"]),
)
def test_the_mean_over_queries_is_the_metric(seed, name):
    name, *legacy = name.split()
    annotations, predictions = made_up(np.random.default_rng(seed))
    dataset, options = DATASETS[name], Options(legacy=bool(legacy))
    columns = query_scores(pair(predictions, annotations, dataset, options), dataset, options)
    printed = evaluate(predictions, annotations, dataset, options)["brief"]
    printed = {metric: value for metric, value in printed.items() if value is not None}
    assert columns.keys() == printed.keys()
    for metric, value in printed.items():
        assert np.nanmean(columns[metric]) == pytest.approx(value), metric


@pytest.mark.parametrize("name", ["qv-m2", "soccer-gmr"])
def test_several_moments_are_means_over_queries_but_for_three_metrics(name):
    annotations, predictions = made_up(np.random.default_rng(5), queries=20)
    absent = [replace(a, windows=np.empty((0, 2))) for a in annotations.entries[:6]]
    annotations = Annotations(annotations.path, absent + annotations.entries[6:])
    dataset, options = DATASETS[name], Options()
    columns = query_scores(pair(predictions, annotations, dataset, options), dataset, options)
    printed = evaluate(predictions, annotations, dataset)["brief"]
    no_means = {"MR-full-mAP@3+tgt", "AUROC", "Rej-F1@0.4", "Rej-F1@0.6"}
    assert columns.keys() == printed.keys() - no_means
    for metric, column in columns.items():
        assert np.nanmean(column) == pytest.approx(printed[metric]), metric
    compared = compare([predictions] * 2, annotations, dataset, how=How(resamples=100))
    assert compared.metric in columns


def test_the_mean_over_the_videos_of_a_domain_is_its_metric():
    annotations, predictions = made_up(np.random.default_rng(3), moments=False, labelled=True)
    dataset, options = DATASETS["youtube-highlights"], Options()
    columns = query_scores(pair(predictions, annotations, dataset, options), dataset, options)
    printed = evaluate(predictions, annotations, dataset)["brief"]
    for domain in ("domain0", "domain1"):
        name = f"HL-mAP-{domain}"
        assert np.nanmean(columns[name]) == pytest.approx(printed[name])
    assert np.isfinite(columns[VIDEOS]).all()


# ------------------------------------------------------------------------- resampling


@pytest.mark.parametrize("videos", [8, 40])
def test_an_interval_covers_the_true_difference_as_often_as_it_says(videos):
    """Queries of one video share half of their variance, so they must not be drawn one by one."""
    random, covered, rejected, trials = np.random.default_rng(7), 0, 0, 400
    for trial in range(trials):
        names = np.repeat(np.arange(videos), random.integers(1, 6, videos))
        values = 0.3 + random.normal(size=videos)[names] + random.normal(size=len(names))
        paired = PairedDifferences(values[:, None], names.tolist(), resamples=400, seed=trial)
        ((low, high),) = paired.intervals(0.9)
        covered += low <= 0.3 <= high
        null = PairedDifferences(values[:, None] - 0.3, names.tolist(), resamples=400, seed=trial)
        rejected += null.p_values()[0] <= 0.1
    assert covered / trials == pytest.approx(0.9, abs=0.045)  # 3 standard errors: 0.045
    assert rejected / trials == pytest.approx(0.1, abs=0.045)


def test_resampling_queries_one_by_one_would_cover_too_seldom():
    random, covered, trials = np.random.default_rng(7), 0, 200
    for trial in range(trials):
        names = np.repeat(np.arange(20), 8)
        values = random.normal(size=20)[names] + 0.3 * random.normal(size=len(names))
        single = list(range(len(names)))
        ((low, high),) = PairedDifferences(values[:, None], single, 300, trial).intervals(0.9)
        covered += low <= 0 <= high
    assert covered / trials < 0.7


def test_a_p_value_is_the_share_of_all_exchanges_that_differ_as_much():
    random = np.random.default_rng(1)
    names = np.repeat(np.arange(9), random.integers(1, 4, 9)).tolist()
    values = random.normal(0.4, 1, (len(names), 2))
    values[::4, 1] = np.nan  # not counted in the second metric
    found = PairedDifferences(values, names, resamples=20_000).p_values()
    for metric in range(2):
        sums = [np.nansum(values[np.array(names) == name, metric]) for name in range(9)]
        exchanged = [
            abs(sum(sign * part for sign, part in zip(signs, sums, strict=True)))
            for signs in itertools.product((1, -1), repeat=9)
        ]
        exact = np.mean(np.array(exchanged) >= abs(sum(sums)) - 1e-12)
        assert found[metric] == pytest.approx(exact, abs=0.02)


def test_a_seed_repeats_the_draws_and_more_resamples_change_little():
    values = np.random.default_rng(2).normal(size=(60, 1))
    names = [f"v{k // 2}" for k in range(60)]
    first = PairedDifferences(values, names, 2000, seed=5)
    again = PairedDifferences(values, names, 2000, seed=5)
    np.testing.assert_array_equal(first.intervals(), again.intervals())
    np.testing.assert_array_equal(first.p_values(), again.p_values())
    other = PairedDifferences(values, names, 4000, seed=6)
    np.testing.assert_allclose(first.intervals(), other.intervals(), atol=0.05)


# ------------------------------------------------------------------------- comparison


def test_a_file_does_not_differ_from_itself():
    annotations, predictions = made_up(np.random.default_rng(0))
    how = How(resamples=200)
    made = compare([predictions] * 2, annotations, DATASETS["qvhighlights"], how=how)
    (other,) = made.others
    assert {(d.difference, d.low, d.high, d.p_value) for d in other.differences} == {(0, 0, 0, 1)}
    assert all(tally.ties == tally.queries for tally in other.tallies)
    assert other.queries == []


def test_exchanging_the_files_exchanges_wins_and_losses():
    random = np.random.default_rng(4)
    annotations, first = made_up(random, queries=30)
    second = Predictions(
        Path("other"),
        [
            Prediction(p.qid, q.windows, p.saliency)
            for p, q in zip(first.entries, made_up(random, queries=30)[1].entries, strict=True)
        ],
    )
    dataset, how = DATASETS["charades"], How(resamples=200, top=4)
    (there,) = compare([first, second], annotations, dataset, how=how).others
    (back,) = compare([second, first], annotations, dataset, how=how).others
    for one, two in zip(there.differences, back.differences, strict=True):
        assert (one.metric, one.difference) == (two.metric, pytest.approx(-two.difference))
        assert one.p_value == two.p_value
    for one, two in zip(there.tallies, back.tallies, strict=True):
        assert (one.wins, one.losses, one.ties) == (two.losses, two.wins, two.ties)
        assert one.wins + one.losses + one.ties == one.queries
    everything, *groups = there.tallies
    for by in ("length", "position", "moments"):
        of = [tally for tally in groups if tally.by == by]
        assert sum(tally.queries for tally in of) == everything.queries
        assert sum(tally.wins for tally in of) == everything.wins
    assert len(there.queries) == 4
    sizes = [abs(query.difference) for query in there.queries]
    assert sizes == sorted(sizes, reverse=True)


def test_queries_are_grouped_by_length_position_and_number_of_moments(files):
    truth, first, second = files
    made = compare_files(
        [first, second], GroundTruth(truth), how=How(metric="MR-full-mIoU", resamples=100)
    )
    tallies = {(t.by, t.group): (t.wins, t.losses, t.ties) for t in made.others[0].tallies}
    assert tallies == {
        ("all", "all"): (0, 1, 2),
        ("length", "short"): (0, 1, 1),  # 10 s; 4 and 2 s
        ("length", "middle"): (0, 0, 1),  # 11 s
        ("position", "start"): (0, 1, 0),  # 5 of 20 s
        ("position", "middle"): (0, 0, 1),  # 5.5 of 11 s
        ("position", "end"): (0, 0, 1),  # 14 and 19 of 20 s
        ("moments", "1"): (0, 1, 1),
        ("moments", "2"): (0, 0, 1),
    }
    (query,) = made.others[0].queries
    assert (query.qid, query.baseline, query.other) == (1, 80, 25)
    assert query.moments == [[0, 10]]
    assert query.other_windows == [[5, 20, 0.9]]


# ----------------------------------------------------------------------- command line


@pytest.fixture
def files(tmp_path):
    truth = written(tmp_path / "truth.jsonl", ANNOTATIONS)
    worse = with_change(PREDICTIONS, 1, pred_relevant_windows=[[5, 20, 0.9]])
    first = written(tmp_path / "first.jsonl", PREDICTIONS)
    return truth, first, written(tmp_path / "second.jsonl", worse)


def rdmf_compare(files, *options):
    truth, *predictions = files
    return run_here("compare", *predictions, "--ground-truth", truth, *options)


def test_tables_on_stdout_and_notes_on_stderr(files):
    done = rdmf_compare(files)
    assert done.returncode == 0, done.stderr
    assert "HL-min-VeryGood-Hit1" in done.stdout
    assert "wins and losses by MR-full-mAP" in done.stdout
    assert done.stderr == "note: only 2 videos: intervals and p-values are rough\n"
    own_lines = [line for line in done.stdout.splitlines() if "against" not in line]
    assert max(map(len, own_lines)) <= 80


def test_json_keeps_to_the_published_schema(files):
    truth, first, second = files
    done = rdmf_compare((truth, first, second, first), "--json", "--seed", 3)
    assert done.returncode == 0, done.stderr
    fields = json.loads(done.stdout)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(fields)
    assert [other["file"] for other in fields["others"]] == [str(second), str(first)]
    (recall,) = (d for d in fields["others"][0]["differences"] if d["metric"] == "MR-full-R1@0.5")
    assert recall["difference"] == pytest.approx(-100 / 3, abs=1e-6)
    assert rdmf_compare((truth, first, second, first), "--json", "--seed", 3).stdout == done.stdout


class Elements(HTMLParser):
    """What a browser makes of a page: the names of its elements, and its text."""

    def __init__(self, page):
        super().__init__()
        self.names, self.links, self.text = set(), [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_stands_alone_and_everything_in_it_is_escaped(tmp_path):
    truth = written(tmp_path / "truth.jsonl", with_change(ANNOTATIONS, 0, query=HOSTILE))
    first = written(tmp_path / "a&b<i>.jsonl", PREDICTIONS)
    worse = with_change(PREDICTIONS, 1, pred_relevant_windows=[[5, 20, 0.9]])
    second = written(tmp_path / "second.jsonl", worse)
    page = tmp_path / "page.html"
    done = rdmf_compare((truth, first, second), "--html", page)
    assert done.returncode == 0, done.stderr
    written_page = page.read_text(encoding="utf-8")
    seen = Elements(written_page)
    assert not {"script", "i", "link", "img", "iframe"} & seen.names
    assert {"svg", "rect", "table"} <= seen.names
    assert seen.links == []
    assert "default-src 'none'" in written_page
    assert not {"\x1b", "\u202e"} & set(written_page)
    assert "<script>alert('&')</script>" in "".join(seen.text)
    assert "a&b<i>.jsonl" in "".join(seen.text)


def test_the_page_replaces_no_file_that_is_compared(files):
    done = rdmf_compare(files, "--html", files[1], "--force")
    assert done.returncode == 2
    assert files[1].read_text().startswith('{"qid"')


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--metric", "R1"], "no such metric; choose one of: MR-full-R1@0.3"),
        (["--dataset", "charadess"], "choose one of: qvhighlights"),
        (["--dataset", "charades", "--only", "highlights"], "charades has no highlights"),
    ],
)
def test_what_cannot_be_is_exit_code_2(files, options, said):
    done = rdmf_compare(files, *options)
    assert done.returncode == 2
    assert said in done.stderr


def test_one_file_and_missing_queries_are_said(files):
    truth, first, second = files
    assert "give two prediction files or more" in rdmf_compare((truth, first)).stderr
    written(second, PREDICTIONS[:2])
    done = rdmf_compare(files)
    assert done.returncode == 1
    assert f"{second}: no prediction for 1 of 3 queries: qid 2" in done.stderr
    assert "--ground-truth: not given" in run_here("compare", first, second).stderr
