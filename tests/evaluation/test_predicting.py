"""rdmf eval --features: the head reads feature files, and its predictions are scored."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_shell import Done, run_here

from rdmf_cli.datasets import DATASETS, Sample, open_samples
from rdmf_cli.evaluation import evaluate
from rdmf_cli.evaluation.predict import predict
from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.heads.learned.torch import checkpoint
from rdmf_cli.heads.learned.torch.network import Network
from rdmf_cli.heads.training_free.head import TrainingFree
from rdmf_cli.moments.reading import Reading
from rdmf_cli.resources import example_video

CLIPS, SECONDS = 30, 2.0
MOMENTS = {1: (10, 20), 2: (30, 44), 3: (8, 14)}  # qid to a window in seconds


def rdmf(*args: object) -> Done:
    return run_here("eval", *args)


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """Feature files of three videos; during the moment, clips point in the query's direction."""
    rng = np.random.default_rng(0)
    (tmp_path / "video").mkdir()
    (tmp_path / "text").mkdir()
    lines = []
    for qid, (start, end) in MOMENTS.items():
        text = rng.normal(size=16)
        rows = rng.normal(size=(CLIPS, 16)) * 0.3 + rng.normal(size=16)
        rows[int(start / SECONDS) : int(end / SECONDS)] += 2 * text
        np.savez(tmp_path / "video" / f"v{qid}.npz", features=rows.astype(np.float16))
        words = np.stack([text] * 4).astype(np.float16)
        np.savez(
            tmp_path / "text" / f"qid{qid}.npz", pooler_output=words[0], last_hidden_state=words
        )
        clip_ids = list(range(int(start / SECONDS), int(end / SECONDS)))
        lines.append(
            {
                "qid": qid,
                "query": "what is shown",
                "vid": f"v{qid}",
                "duration": CLIPS * SECONDS,
                "relevant_windows": [[start, end]],
                "relevant_clip_ids": clip_ids,
                "saliency_scores": [[4, 4, 4]] * len(clip_ids),
            }
        )
    (tmp_path / "val.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


FREE = ("--head", "training-free")


def test_moments_are_found_and_scored(features: Path):
    asked = ("--features", features, "--split", "val", "--dataset", "qvhighlights")
    result = rdmf(*asked, *FREE, "--json")
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["head"] == "training-free"
    assert told["brief"]["MR-full-R1@0.7"] == 100
    assert told["brief"]["HL-min-VeryGood-Hit1"] == 100
    assert "3 queries, per cent, training-free head" in rdmf(*asked, *FREE).stdout


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., Path]:
    """The folder of a head with random weights."""

    def saved(**config: object) -> Path:
        return checkpoint.save(tmp_path / "head", Network(ModelConfig(**config)))

    return saved


def test_a_learned_head_predicts(features: Path, trained: Callable[..., Path]):
    result = rdmf("--features", features, "--checkpoint", trained(), "--json")
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["head"] == "learned-universal"
    assert told["queries"]["all"] == 3


def test_a_head_of_other_features_is_refused(features: Path, trained: Callable[..., Path]):
    other = trained(head="full", video_width=9, sentence_width=9, words_width=9, matching=(0, 9))
    result = rdmf("--features", features, "--checkpoint", other)
    assert result.returncode == 1
    assert "trained on features of 9 columns per clip, 9 per word" in result.stderr
    assert "these have 16 columns" in result.stderr


def test_a_folder_of_videos_is_predicted(tour: Path, tmp_path: Path):
    (tmp_path / "videos").mkdir()
    shutil.copy(tour, tmp_path / "videos" / "tour.mp4")
    asked = {"qid": 1, "query": "the face of a cat", "vid": "tour", "duration": 76}
    marks = {
        "relevant_windows": [[18, 32]],
        "relevant_clip_ids": [10],
        "saliency_scores": [[4] * 3],
    }
    (tmp_path / "own.jsonl").write_text(json.dumps(asked | marks) + "\n")
    source = ("--videos", tmp_path / "videos", "--annotations", tmp_path / "own.jsonl")
    result = rdmf(*source, *FREE, "--encoder", "embedded", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["brief"]["MR-full-R1@0.5"] == 100


def test_the_submission_scores_the_same(features: Path, tmp_path: Path):
    file = tmp_path / "submission.jsonl"
    args = ("--dataset", "qvhighlights", "--json")
    predicted = rdmf("--features", features, *args, *FREE, "--submission", file)
    read = rdmf("--predictions", file, "--ground-truth", features / "val.jsonl", *args)
    assert json.loads(read.stdout)["brief"] == json.loads(predicted.stdout)["brief"]
    first = json.loads(file.read_text().splitlines()[0])
    assert all(start % 2 == 0 and end % 2 == 0 for start, end, _ in first["pred_relevant_windows"])
    assert len(first["pred_saliency_scores"]) == CLIPS


def test_some_queries_are_predicted_with_a_row_for_each(features: Path, tmp_path: Path):
    lines = (features / "val.jsonl").read_text().splitlines()
    chosen, table, file = (tmp_path / name for name in ("chosen.txt", "rows.csv", "some.jsonl"))
    chosen.write_text(f"{json.loads(lines[0])['qid']}\n")
    asked = ("--features", features, "--dataset", "qvhighlights", *FREE, "--only-qids", chosen)
    done = rdmf(*asked, "--csv", table, "--submission", file)
    assert done.returncode == 0, done.stderr
    (predicted,) = map(json.loads, file.read_text().splitlines())
    assert 0 <= predicted["pred_exist_score"] <= 1
    header, row = table.read_text().splitlines()
    assert header.startswith("qid,query,vid")
    assert row.startswith(f"{predicted['qid']},")
    both = rdmf(*asked, "--csv", file, "--submission", file)
    assert both.returncode == 2
    assert "--csv and --submission" in both.stderr


def test_what_is_missing_is_named(features: Path, tmp_path: Path):
    truth = ("--ground-truth", features / "val.jsonl")
    assert "no such folder of features" in rdmf("--features", tmp_path / "none", *truth).stderr
    (tmp_path / "empty").mkdir()
    assert "no folders video/ and text/" in rdmf("--features", tmp_path / "empty", *truth).stderr
    (features / "text" / "qid2.npz").unlink()
    result = rdmf("--features", features, "--dataset", "qvhighlights")
    assert result.returncode == 1
    assert "qid2.npz: no such feature file (1 of the 3 queries" in result.stderr


def test_features_of_another_clip_length_are_noticed(features: Path):
    rows = np.ones((2 * CLIPS, 16), np.float16)
    np.savez(features / "video" / "v1.npz", features=rows)
    result = rdmf("--features", features, "--dataset", "qvhighlights")
    assert result.returncode == 1
    assert "60 rows, but the video of 60 s has 30.0 clips" in result.stderr


def test_either_predictions_or_features(features: Path):
    result = rdmf("--features", features, "--predictions", features / "val.jsonl")
    assert result.returncode == 2
    assert "cannot be given together" in result.stderr


class Oracle:
    """A head that reads whole samples, and returns their annotations."""

    def read_many(self, questions: list[Sample], *, top_k: int) -> list[Reading]:
        return [self.answered(sample, top_k) for sample in questions]

    def answered(self, sample: Sample, top_k: int) -> Reading:
        spans = sample.annotation.windows[:top_k]
        saliency = np.zeros(len(sample.video))
        saliency[sample.annotation.clip_ids] = 1
        none = np.zeros((0, len(saliency)))
        scores = np.linspace(1, 0.5, len(spans))
        return Reading(spans, scores, scores, saliency, saliency, 1.0, none, none)


def test_any_head_that_reads_samples_can_predict(features: Path):
    dataset = DATASETS["qvhighlights"]
    samples = open_samples(dataset, features / "val.jsonl", features=features)
    brief = evaluate(predict(samples, dataset, Oracle()), samples.annotations, dataset)["brief"]
    assert brief["MR-full-mAP"] == brief["HL-min-VeryGood-mAP"] == 100


class AtTheEnd(Oracle):
    """A head whose moment is the last tenth of a second."""

    def answered(self, sample: Sample, top_k: int) -> Reading:
        spans = np.array([[sample.duration - 0.1, sample.duration]])
        return replace(super().answered(sample, 1), spans=spans)


@pytest.mark.parametrize("name", ["qvhighlights", "tacos"])
def test_a_window_at_the_very_end_is_a_clip_long_and_within_the_video(features: Path, name: str):
    dataset = replace(DATASETS[name], clamp=None)
    samples = open_samples(dataset, features / "val.jsonl", features=features)
    made = predict(samples, dataset, AtTheEnd())
    for entry, sample in zip(made.entries, samples, strict=True):
        assert entry.windows[:, :2].tolist() == [[sample.duration - 2.0, sample.duration]]
    evaluate(made, samples.annotations, dataset)


def test_windows_are_rounded_as_the_datasets_published_ones_are(features: Path):
    path = features / "val.jsonl"
    head = TrainingFree.load()
    samples = open_samples(
        DATASETS["tvsum"], path, features=features
    )  # this dataset does not round
    free = predict(samples, DATASETS["tvsum"], head)
    rounded = predict(samples, DATASETS["qvhighlights"], head)
    for one, other in zip(free.entries, rounded.entries, strict=True):
        np.testing.assert_allclose(one.windows[:, :2], other.windows[:, :2], atol=2 * SECONDS)
        np.testing.assert_array_equal(one.windows[:, 2], other.windows[:, 2])
        assert (other.windows[:, 1] - other.windows[:, 0] >= SECONDS).all()
        assert (other.windows[:, :2] % SECONDS == 0).all()
    assert any((entry.windows[:, :2] % SECONDS != 0).any() for entry in free.entries)


def test_a_blind_split_is_predicted_and_not_scored(features: Path, tmp_path: Path):
    lines = (features / "val.jsonl").read_text().splitlines()
    told = ("qid", "query", "vid", "duration")
    blind = [{k: v for k, v in json.loads(line).items() if k in told} for line in lines]
    (features / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in blind))
    asked = ("--features", features, "--split", "test", "--dataset", "qvhighlights", *FREE)
    file = tmp_path / "submission.jsonl"
    done = rdmf(*asked, "--submission", file)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert f"note: 3 predictions written to {file}\n" in done.stderr
    assert "test.jsonl holds no ground truth: nothing is scored" in done.stderr
    assert len(file.read_text().splitlines()) == 3
    refused = rdmf(*asked)
    assert refused.returncode == 2
    assert "holds no ground truth to score; write predictions with" in refused.stderr


def test_videos_longer_than_the_benchmark_are_not_clamped(features: Path):
    """A moment at 400 s; without --dataset, the dataset is QVHighlights, whose limit is 150 s."""
    clips, text = 300, np.load(features / "text" / "qid1.npz")["pooler_output"].astype(float)
    rows = np.random.default_rng(1).normal(size=(clips, 16)) * 0.3
    rows[200:210] += 2 * text
    np.savez(features / "video" / "long.npz", features=rows.astype(np.float16))
    line = {
        "qid": 1,
        "query": "q",
        "vid": "long",
        "duration": 600,
        "relevant_windows": [[400, 420]],
    }
    (features / "val.jsonl").write_text(json.dumps(line) + "\n")
    done = rdmf("--features", features, *FREE, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["brief"]["MR-full-R1@0.7"] == 100
    assert "1 video is longer than 150 s, the limit of qvhighlights" in done.stderr


def test_folders_of_features_that_are_not_read_are_named(features: Path):
    for name in ("pann", "clip_features"):
        (features / name).mkdir()
        np.savez(features / name / "v1.npz", features=np.ones((CLIPS, 4)))
    (features / "notes").mkdir()  # this folder holds no features
    done = rdmf("--features", features, *FREE)
    assert (
        f"note: {features}: not read: clip_features/, pann/ (features are read from" in done.stderr
    )


def test_names_that_lead_out_of_the_folder_are_refused(features: Path):
    np.savez(features.parent / "outside.npz", features=np.ones((CLIPS, 16), np.float16))
    path = features / "val.jsonl"
    content = path.read_text()
    for key, old in (("vid", '"v1"'), ("qid", "1,")):
        new = '"../../outside"' if key == "vid" else '"../../outside",'
        path.write_text(content.replace(f'"{key}": {old}', f'"{key}": {new}'))
        done = rdmf("--features", features, *FREE)
        assert done.returncode == 1
        assert (
            f"val.jsonl: the {key} '../../outside' names a file outside the folder" in done.stderr
        )


def test_messages_name_the_cause(features: Path, tmp_path: Path):
    missing = tmp_path / "runs" / "none"
    done = rdmf("--features", features, "--checkpoint", missing)
    assert f"{missing}: there is no such file or folder; give a file of rates" in done.stderr
    np.savez(features / "text" / "qid2.npz", pooler_output=np.ones((2, 16), np.float16))
    done = rdmf("--features", features, *FREE)
    assert "qid2.npz holds 2 sentence rows, not one; extract it again" in done.stderr


def test_a_submission_replaces_no_feature_file_and_no_link_to_one(features: Path, tmp_path: Path):
    read, link = features / "video" / "v1.npz", tmp_path / "link.npz"
    link.symlink_to(read)
    content = read.read_bytes()
    for target in (read, link):
        done = rdmf("--features", features, *FREE, "--submission", target, "--force")
        assert done.returncode == 2
        assert f"{target}: the submission would replace" in done.stderr
        assert "which this command reads" in done.stderr
        assert read.read_bytes() == content


def test_a_submission_replaces_no_video(tmp_path: Path):
    videos = tmp_path / "videos"
    videos.mkdir()
    video = Path(shutil.copy(example_video(), videos / "tour.mp4"))
    content = video.read_bytes()
    truth = tmp_path / "truth.jsonl"
    line = {"qid": 1, "query": "a cat", "vid": "tour", "duration": 75}
    truth.write_text(json.dumps(line) + "\n")
    asked = ("--videos", videos, "--annotations", truth, *FREE)
    done = rdmf(*asked, "--submission", video, "--force")
    assert done.returncode == 2
    assert f"the submission would replace {video}, which this command reads" in done.stderr
    assert video.read_bytes() == content


def test_a_submission_among_the_features_is_replaced_by_a_later_one(features: Path):
    file = features / "submission.jsonl"
    for _ in range(2):
        assert rdmf("--features", features, *FREE, "--submission", file).returncode == 0
    assert len(file.read_text().splitlines()) == 3


def test_a_submission_replaces_no_input_and_no_file_of_a_users(features: Path, tmp_path: Path):
    asked = ("--features", features, *FREE)
    truth, mine = features / "val.jsonl", tmp_path / "mine.jsonl"
    mine.write_text("mine")
    content = truth.read_bytes()
    for force in ((), ("--force",)):
        done = rdmf(*asked, "--dataset", truth, "--submission", truth, *force)
        assert done.returncode == 2
        assert f"the submission would replace {truth}, which this command reads" in done.stderr
        assert truth.read_bytes() == content
    done = rdmf(*asked, "--submission", mine)
    assert done.returncode == 2
    assert "or add --force" in done.stderr
    assert mine.read_text() == "mine"
    assert rdmf(*asked, "--submission", mine, "--force").returncode == 0
    assert len(mine.read_text().splitlines()) == 3
