"""Every benchmark, in its published layout, gives samples that fit its annotations."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from made_up_sets import (
    JOINT,
    OTHER,
    SETS,
    STREAMS,
    VALIDATION,
    write_charades,
    write_own,
    write_tvsum,
)

from rdmf_cli.datasets import (
    DATASETS,
    FeatureFolder,
    Samples,
    find_annotations,
    open_annotations,
    open_samples,
)
from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.evaluation import evaluate
from rdmf_cli.evaluation.predict import predict
from rdmf_cli.heads.training_free.head import TrainingFree

JOINTLY = [name for name in SETS if name not in ("charades-vgg", "tvsum")]

MAIN_METRIC = {"youtube-highlights": "HL-mAP"}


def opened(name: str, folder: Path, split: str = "val") -> Samples:
    features = SETS[name](folder)
    annotations = find_annotations(VALIDATION.get(name, "val"), features, DATASETS[name])
    if split == "train":
        annotations = find_annotations("train", features, DATASETS[name])
    return open_samples(DATASETS[name], annotations, features=features)


@pytest.mark.parametrize("name", SETS)
def test_every_sample_is_whole(name, tmp_path):
    for split in ("train", "val"):
        samples = opened(name, tmp_path, split)
        samples.prepare()
        for sample, annotation in zip(samples, samples.annotations, strict=True):
            assert sample.annotation is annotation
            assert list(sample.streams) == STREAMS[name]
            assert sample.video.shape[1] == samples.space.video
            assert sample.words.shape[1] == samples.space.words
            assert sample.video.dtype == sample.words.dtype == np.float32
            for part in sample.streams.values():
                lengths = np.linalg.norm(sample.video[:, part], axis=1)
                np.testing.assert_allclose(lengths, 1, atol=1e-3)
            np.testing.assert_allclose(np.linalg.norm(sample.words, axis=1), 1, atol=1e-3)
            covered = len(sample.video) * sample.clip_length
            assert abs(covered - sample.duration) <= 1.02 * sample.clip_length
            assert sample.change.shape == (len(sample.video) - 1,)


@pytest.mark.parametrize("name", SETS)
def test_clips_of_a_moment_stand_out(name, tmp_path):
    """Check the layouts themselves: the clips of a moment differ from all other clips."""
    for sample in opened(name, tmp_path):
        i = (np.arange(len(sample.video)) + 0.5) * sample.clip_length
        if sample.labels is not None:
            inside = sample.labels.mean(axis=1) > sample.labels.mean()
        else:
            start, end = sample.annotation.windows[0]
            inside = (i > start) & (i < end)
        if not inside.any() or inside.all():
            continue
        if name in JOINTLY:
            assert sample.similarity[inside].mean() > 0.2 + sample.similarity[~inside].mean()
        mean = sample.video[inside].mean(axis=0)
        assert (sample.video[inside] @ mean).mean() > (sample.video[~inside] @ mean).mean()


@pytest.mark.parametrize("name", JOINTLY)
def test_the_training_free_head_scores_by_the_benchmarks_protocol(name, tmp_path):
    samples, dataset = opened(name, tmp_path), DATASETS[name]
    predictions = predict(samples, dataset, TrainingFree.load())
    result = evaluate(predictions, samples.annotations, dataset)
    assert result["queries"]["all"] == len(samples)
    assert not [note for note in result["notes"] if "saliency scores" in note]
    brief = result["brief"]
    assert brief[MAIN_METRIC.get(name, "MR-full-R1@0.5")] >= 80


def test_words_alone_have_no_similarity_and_say_so(tmp_path):
    sample = opened("charades-vgg", tmp_path)[0]
    assert sample.sentence is None
    assert sample.matching is None
    said = r"qid 12404: .*words but no sentence \(key pooler_output\)"
    with pytest.raises(RdmfError, match=said):
        _ = sample.similarity


def test_a_sentence_of_another_space_is_answered_with_both_widths(tmp_path):
    sample = opened("tvsum", tmp_path)[0]
    assert sample.sentence.shape == (JOINT,)
    said = (
        f"sentence has {JOINT} columns, and no video stream has as many: video_features {2 * OTHER}"
    )
    with pytest.raises(RdmfError, match=said):
        _ = sample.similarity


def test_charades_text_gives_the_same_samples_but_for_the_durations_it_lacks(tmp_path):
    features, dataset = write_charades(tmp_path), DATASETS["charades"]
    lines = open_samples(
        dataset, tmp_path / "charades_sta_test_tvr_format.jsonl", features=features
    )
    text = open_samples(dataset, tmp_path / "charades_sta_test.txt", features=features)
    for one, other in zip(lines, text, strict=True):
        assert one.annotation.qid == other.annotation.qid
        np.testing.assert_array_equal(one.video, other.video)
        np.testing.assert_array_equal(one.sentence, other.sentence)
        assert other.duration == len(other.video) == round(one.duration)


def test_labels_go_with_the_clips_that_show_their_time(tmp_path):
    """YouTube Highlights' labels, with published rows (one per label) and with clips of 1 s."""
    features = SETS["youtube-highlights"](tmp_path)
    dataset = DATASETS["youtube-highlights"]
    annotations = find_annotations("val", features, dataset)
    published = open_samples(dataset, annotations, features=features)[0]
    np.testing.assert_array_equal(published.labels, published.annotation.labels)
    assert published.clip_length == pytest.approx(published.duration / len(published.video))

    seconds = round(published.duration)
    file = features / "{}" / f"{published.annotation.vid}.npz"
    for stream, width in (("vid_clip", JOINT), ("vid_slowfast", OTHER)):
        np.savez(str(file).format(stream), features=np.ones((seconds, width), np.float16))
    own = open_samples(dataset, annotations, features=features)[0]
    assert own.clip_length == 1.0
    assert own.labels.shape == (seconds, 1)
    assert own.labels.mean() == pytest.approx(published.labels.mean(), abs=0.05)
    np.testing.assert_array_equal(own.at_labels(own.labels), own.annotation.labels)


def test_tvsum_labels_may_be_one_more_than_the_rows(tmp_path):
    features = write_tvsum(tmp_path)
    annotations = find_annotations("val", features, DATASETS["tvsum"])
    whole = open_samples(DATASETS["tvsum"], annotations, features=features)[0]
    for part in ("rgb", "opt"):
        path = features / "video_features" / f"{whole.annotation.vid}_{part}.npy"
        np.save(path, np.load(path)[:-1])
    cut = open_samples(DATASETS["tvsum"], annotations, features=features)[0]
    np.testing.assert_array_equal(cut.labels, whole.labels[:-1])
    scores = np.arange(len(cut.video))
    assert cut.at_labels(scores).tolist() == [*scores, scores[-1]]


def test_one_stream_can_be_chosen_and_named(tmp_path):
    features = SETS["qvhighlights"](tmp_path)
    dataset = DATASETS["qvhighlights"]
    annotations = dataset.read(find_annotations("val", features, dataset))

    def chosen(*streams, text=None):
        folder = FeatureFolder(features, streams=streams or None, text=text)
        return Samples(annotations, dataset, folder)

    both, clip = chosen(), chosen("clip_features")
    turned = chosen("slowfast_features", "clip_features", text="clip_text_features")
    assert (both.space.video, clip.space.video, turned.space.video) == (
        JOINT + OTHER,
        JOINT,
        JOINT + OTHER,
    )
    assert turned.streams["clip_features"] == slice(OTHER, OTHER + JOINT) == turned[0].matching
    for one, other, third in zip(both, clip, turned, strict=True):
        np.testing.assert_array_equal(one.similarity[: len(other.video)], other.similarity)
        np.testing.assert_array_equal(one.similarity, third.similarity)
    shutil.rmtree(features / "slowfast_features")
    with pytest.raises(
        RdmfError, match=r"no 'slowfast_features' in .*; choose from: clip_features"
    ):
        chosen("slowfast_features")


def test_paraphrases_are_the_query_in_other_words(tmp_path):
    folder = write_own(tmp_path)
    samples = open_samples(DATASETS["qvhighlights"], folder / "train.jsonl", features=folder)
    for sample in samples:
        texts = samples.paraphrases(sample.annotation)
        assert len(texts) == 2
        for sentence, words in texts:
            assert sentence @ sample.sentence > 0.9
            assert words.shape == sample.words.shape
    (folder / "text" / "qid0_p0.npz").unlink()
    assert samples.paraphrases(samples.annotations.entries[0]) == []


@pytest.mark.parametrize("name", SETS)
def test_annotations_are_found_beside_the_features_or_in_them(name, tmp_path):
    dataset, split = DATASETS[name], VALIDATION.get(name, "val")
    features = SETS[name](tmp_path)
    beside = find_annotations(split, features, dataset)
    assert beside.is_relative_to(tmp_path)
    own = features / f"{split}.jsonl"
    own.write_text(beside.read_text())
    assert find_annotations(split, features, dataset) == own


def test_what_annotations_were_looked_for_is_said(tmp_path):
    with pytest.raises(RdmfError) as caught:
        find_annotations("val", tmp_path, DATASETS["youtube-highlights"])
    for said in (str(tmp_path), "val.jsonl, valid.jsonl, youtube_val.jsonl", "lighthouse"):
        assert said in str(caught.value)
    with pytest.raises(RdmfError, match=r"file: dev\.jsonl$"):
        find_annotations("dev", tmp_path)


def test_a_name_or_a_file_says_which_annotations_are_meant(tmp_path):
    features = SETS["qvhighlights"](tmp_path)
    dataset, found = open_annotations("qvhighlights", folder=features, split="train")
    assert dataset is DATASETS["qvhighlights"]
    assert found.path == tmp_path / "highlight_train_release.jsonl"
    _, named = open_annotations("qvhighlights", found.path, folder=tmp_path / "gone")
    assert len(named) == len(found)
    own = (write_own(tmp_path / "own") / "train.jsonl").rename(tmp_path / "my.jsonl")
    dataset, mine = open_annotations(str(own), folder=features, clip_length=3.0)
    assert (dataset.name, dataset.clip_length, mine.path) == ("my.jsonl", 3.0, own)
    with pytest.raises(UsageError, match="qvhighlightz: no such dataset"):
        open_annotations("qvhighlightz", folder=features)
