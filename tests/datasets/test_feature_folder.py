"""Folders of features: several streams, and all faults that a file can have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_up_sets import JOINT, OTHER, write_own, write_qvhighlights

from rdmf_cli.datasets import DATASETS, FeatureFolder, Samples, open_samples
from rdmf_cli.datasets.array_cache import ArrayCache
from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.features import normalise_rows

QVHIGHLIGHTS = DATASETS["qvhighlights"]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return write_own(tmp_path / "own", train=3, val=2)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return write_qvhighlights(tmp_path / "qvh", train=3, val=2)


def train(folder: Path) -> Samples:
    return open_samples(QVHIGHLIGHTS, folder / "train.jsonl", features=folder)


def test_streams_are_normalised_one_by_one_and_cut_to_the_shortest(published):
    path = published.parent / "highlight_train_release.jsonl"
    lengths = set()
    for sample in open_samples(QVHIGHLIGHTS, path, features=published):
        vid = sample.annotation.vid
        raw = [np.load(published / stream / f"{vid}.npz")["features"] for stream in sample.streams]
        lengths.add(tuple(map(len, raw)))
        expected = [normalise_rows(rows[:75]) for rows in raw]
        np.testing.assert_array_equal(sample.video, np.concatenate(expected, axis=1))
        np.testing.assert_array_equal(sample.similarity, expected[0] @ sample.sentence, strict=True)
    assert lengths == {(75, 75), (75, 76)}


def test_folders_below_video_are_streams(own):
    rows = {vid: np.load(own / "video" / f"train{vid}.npz")["features"] for vid in range(3)}
    for path in (own / "video").glob("*.npz"):
        path.unlink()
    for vid, joint in rows.items():
        for name, array in (("b", joint), ("a", np.ones((len(joint), 4), np.float32))):
            (own / "video" / name).mkdir(exist_ok=True)
            np.save(own / "video" / name / f"train{vid}.npy", array)
    samples = train(own)
    assert dict(samples.streams) == {"video/a": slice(0, 4), "video/b": slice(4, 4 + JOINT)}
    np.testing.assert_allclose(samples[0].video[:, :4], 0.5, atol=1e-5)
    assert samples[0].matching == slice(4, 4 + JOINT)


def test_at_most_32_words_are_read(own):
    words = np.random.default_rng(0).normal(size=(50, JOINT)).astype(np.float16)
    np.savez(own / "text" / "qid0.npz", last_hidden_state=words, pooler_output=words[0])
    np.testing.assert_array_equal(train(own)[0].words, normalise_rows(words[:32]))


def test_what_was_read_is_kept_within_bounds(own):
    """A file is changed, to show whether it was read again; the results stay the same."""
    once = train(own)
    first = [sample.video for sample in once]
    again = [sample.video for sample in once]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    without = FeatureFolder(own, memory=ArrayCache(limit=0))
    forgetful = Samples(once.annotations, QVHIGHLIGHTS, without)
    for one, other in zip(first, forgetful, strict=True):
        np.testing.assert_array_equal(one, other.video)
    path = own / "video" / "train0.npz"
    turned = -np.load(path)["features"]
    np.savez(path, features=turned)
    np.testing.assert_array_equal(once[0].video, first[0])
    np.testing.assert_array_equal(forgetful[0].video, normalise_rows(turned))


def test_parts_share_what_was_read(own):
    samples = train(own)
    part = samples.part([3, 0])
    assert [sample.annotation.qid for sample in part] == [3, 0]
    assert len(part) == 2
    np.testing.assert_array_equal(part[1].video, samples[0].video)
    with pytest.raises(IndexError):
        part[2]


def test_whole_videos_absent_and_unannotated_queries_are_valid(own):
    text = (own / "train.jsonl").read_text().splitlines()
    start = text[0].index('"relevant_windows"')
    length = np.load(own / "video" / "train0.npz")["features"].shape[0] * 2.0
    windows = ("[]", "null", f"[[0, {length}]]", "[[4, 4]]")
    lines = [
        text[0][:start].replace('"qid": 0', f'"qid": {qid}') + f'"relevant_windows": {spans}}}\n'
        for qid, spans in enumerate(windows)
    ]
    (own / "train.jsonl").write_text("".join(lines))
    absent, unknown, whole, empty = train(own)
    assert absent.annotation.absent
    assert unknown.annotation.windows is None
    assert whole.annotation.windows.tolist() == [[0, whole.duration]]
    assert empty.annotation.windows.tolist() == [[4, 4]]


def save(path: Path, **arrays: np.ndarray) -> None:
    np.savez(path, **arrays)


VIDEO, TEXT = "video/train1.npz", "text/qid2.npz"
ROWS, WORDS = np.ones((25, JOINT), np.float16), np.ones((4, JOINT), np.float16)
WITH_NAN = np.where(np.arange(25)[:, None] == 7, np.nan, ROWS)

FAULTS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "NaN": (VIDEO, lambda p: save(p, features=WITH_NAN), "row 7 holds NaN"),
    "no clips": (VIDEO, lambda p: save(p, features=ROWS[:0]), "array is empty"),
    "one row": (
        VIDEO,
        lambda p: save(p, features=ROWS[0]),
        r"array of shape \(16,\), but it must have two dimensions",
    ),
    "words for numbers": (VIDEO, lambda p: save(p, features=np.array([["a"]])), "not numbers"),
    "pickled": (VIDEO, lambda p: save(p, features=np.array([[None]])), "cannot be read"),
    "another width": (
        VIDEO,
        lambda p: save(p, features=np.ones((25, 3))),
        r"3 columns, but train0\.npz has 16",
    ),
    "another clip length": (
        VIDEO,
        lambda p: save(p, features=np.ones((90, JOINT))),
        "has 90 rows, but .* clips of 2 s; check the clip length",
    ),
    "another key": (VIDEO, lambda p: save(p, data=ROWS), "no array named `features`"),
    "cut off": (VIDEO, lambda p: p.write_bytes(p.read_bytes()[:300]), "cannot be read"),
    "NaN in words": (
        TEXT,
        lambda p: save(p, last_hidden_state=WORDS * np.nan),
        "word states: row 0 holds NaN",
    ),
    "NaN in the sentence": (
        TEXT,
        lambda p: save(p, last_hidden_state=WORDS, pooler_output=WORDS[0] * np.nan),
        "the sentence: row 0 holds NaN",
    ),
    "two sentences": (
        TEXT,
        lambda p: save(p, last_hidden_state=WORDS, pooler_output=WORDS[:2]),
        "holds 2 sentence rows",
    ),
    "a text without its sentence": (
        TEXT,
        lambda p: save(p, last_hidden_state=WORDS),
        r"sentence: 0 columns, but qid0\.npz has 16",
    ),
    "a wider sentence": (
        TEXT,
        lambda p: save(p, last_hidden_state=WORDS, pooler_output=np.ones(20)),
        r"sentence: 20 columns, but qid0\.npz has 16",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_file_is_named_before_any_work(own, fault):
    name, spoil, message = FAULTS[fault]
    spoil(own / name)
    samples = train(own)
    with pytest.raises(RdmfError, match=message) as caught:
        samples.prepare()
    assert caught.value.subject == str(own / name)


def test_streams_that_differ_by_more_than_a_clip_are_both_named(published):
    slow = next((published / "slowfast_features").glob("*.npz"))
    save(slow, features=np.ones((73, OTHER)))
    path = published.parent / "highlight_train_release.jsonl"
    fast = published / "clip_features" / slow.name
    others = published.parent / "highlight_val_release.jsonl"
    path = path if slow.stem in path.read_text() else others
    with pytest.raises(RdmfError, match=r"has 75 clips, but .* has 73;") as caught:
        open_samples(QVHIGHLIGHTS, path, features=published).prepare()
    assert str(fast) in str(caught.value)
    assert str(slow) in str(caught.value)


def test_a_folder_with_the_name_of_a_feature_file_is_no_stream(own):
    (own / "video" / "train1.npz").unlink()
    (own / "video" / "train1.npz").mkdir()
    with pytest.raises(RdmfError, match=r"1 of the 3 videos in train\.jsonl have none") as caught:
        train(own)
    assert caught.value.subject == str(own / "video" / "train1.npz")


def test_missing_files_are_counted_and_said_where_to_get(own, published):
    (own / "video" / "train1.npz").unlink()
    (own / "video" / "train2.npz").unlink()
    with pytest.raises(RdmfError, match=r"2 of the 3 videos in train\.jsonl have none") as caught:
        train(own)
    assert caught.value.subject == str(own / "video" / "train1.npz")
    assert caught.value.todo == "extract it"  # most features are there, so they were not missed
    (own / "video" / "train0.npz").unlink()
    with pytest.raises(RdmfError, match=r"3 of the 3 videos in train\.jsonl have none") as caught:
        train(own)
    assert "moment_detr" in caught.value.todo
    for path in (published / "clip_text_features").glob("qid10[2-3].npz"):
        path.unlink()
    with pytest.raises(RdmfError, match="2 of the 6 queries in highlight_train_rel") as caught:
        open_samples(
            QVHIGHLIGHTS, published.parent / "highlight_train_release.jsonl", features=published
        )
    assert caught.value.subject == str(published / "clip_text_features" / "qid102.npz")


def test_a_folder_without_features_is_not_taken_for_one(own, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder, message in (
        (tmp_path / "empty", "no folders video/ and text/ with features"),
        (tmp_path / "gone", "no such folder of features"),
        (own / "train.jsonl", "no such folder of features"),
    ):
        with pytest.raises(RdmfError, match=message) as caught:
            open_samples(QVHIGHLIGHTS, own / "train.jsonl", features=folder)
        assert caught.value.subject == str(folder)


def test_either_features_or_videos(own):
    for folders in ({}, {"features": own, "videos": own}):
        with pytest.raises(UsageError, match="--features, --videos: exactly one is needed"):
            open_samples(QVHIGHLIGHTS, own / "train.jsonl", **folders)


def test_without_durations_moments_tell_when_features_are_too_short(tmp_path):
    own = write_own(tmp_path, train=1, val=1)
    path = tmp_path / "charades_sta_train.txt"
    clips = len(np.load(own / "video" / "train0.npz")["features"])
    path.write_text(f"train0 2.0 {clips + 1.5}##a thing is shown.\n")
    sample = open_samples(DATASETS["charades"], path, features=own)[0]
    assert sample.duration == clips
    path.write_text(f"train0 2.0 {2 * clips}##a thing is shown.\n")
    with pytest.raises(RdmfError, match=f"qid 0 has a moment that ends at {2 * clips} s"):
        open_samples(DATASETS["charades"], path, features=own).prepare()
