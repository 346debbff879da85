"""The field's feature files, and the normalisation that all code shares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rdmf_cli.channels.change import visual_change
from rdmf_cli.errors import RdmfError
from rdmf_cli.features import (
    join_streams,
    load_text_features,
    load_video_features,
    normalise_rows,
    save_video_features,
    temporal_endpoints,
)
from rdmf_cli.features.files import BLOCK

ROWS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(1, 5)),
    elements=st.floats(-100, 100, width=32),
)


@given(ROWS)
def test_rows_are_at_most_one_long_and_keep_their_direction(rows):
    unit = normalise_rows(rows)
    length = np.linalg.norm(rows, axis=-1)
    assert np.allclose(np.linalg.norm(unit, axis=-1), length / (length + 1e-5), atol=1e-5)
    assert np.allclose(unit * (length + 1e-5)[:, None], rows, rtol=1e-4, atol=1e-4)


def test_an_empty_row_stays_empty():
    assert np.array_equal(normalise_rows(np.zeros((1, 3))), np.zeros((1, 3), np.float32))


@given(ROWS)
def test_visual_change_lies_between_same_and_opposite(rows):
    change = visual_change(normalise_rows(rows))
    assert change.shape == (len(rows) - 1,)
    assert ((change >= 0) & (change <= 2)).all()


@given(st.lists(ROWS, min_size=1, max_size=4))
def test_streams_stand_side_by_side_each_normalised(streams):
    joined = join_streams(streams)
    clips = min(map(len, streams))
    assert joined.shape == (clips, sum(rows.shape[1] for rows in streams))
    edges = np.cumsum([rows.shape[1] for rows in streams])[:-1]
    for rows, part in zip(streams, np.split(joined, edges, axis=1), strict=True):
        assert np.array_equal(part, normalise_rows(rows[:clips]))


@given(st.integers(1, 5000))
def test_endpoints_cut_the_video_into_equal_clips(clips):
    ends = temporal_endpoints(clips)
    assert ends.shape == (clips, 2)
    assert ends.dtype == np.float32
    assert (ends[0, 0], ends[-1, 1]) == (0, 1)
    assert np.array_equal(ends[1:, 0], ends[:-1, 1])
    assert np.allclose(ends[:, 1] - ends[:, 0], 1 / clips, atol=1e-6)


def test_the_layout_on_disk_is_the_fields(tmp_path: Path):
    rows = np.linspace(-3, 3, 12).reshape(4, 3)
    path = save_video_features(tmp_path / "out", "clip.v2", rows)
    assert path.name == "clip.v2.npz"
    with np.load(path) as file:
        assert file.files == ["features"]
        assert file["features"].dtype == np.float16
        assert np.array_equal(file["features"], rows.astype(np.float16))
    assert [p.name for p in path.parent.iterdir()] == ["clip.v2.npz"]


def test_loading_normalises_once_for_every_layout(tmp_path: Path):
    rows = np.array([[3, 4], [0, 2]], np.float16)
    np.savez(tmp_path / "a.npz", features=rows)
    np.save(tmp_path / "a.npy", rows)
    np.savez(tmp_path / "q.npz", pooler_output=rows[0], last_hidden_state=rows)
    expected = normalise_rows(rows)
    assert np.array_equal(load_video_features(tmp_path / "a.npz"), expected)
    assert np.array_equal(load_video_features(tmp_path / "a.npy"), expected)
    sentence, words = load_text_features(tmp_path / "q.npz")
    assert np.array_equal(sentence, expected[0])
    assert np.array_equal(words, expected)


def test_texts_of_other_releases(tmp_path: Path):
    """Files with words and no sentence, and TVSum's names, where the sentence is (1, S)."""
    words = np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    np.savez(tmp_path / "words.npz", last_hidden_state=words)
    np.savez(tmp_path / "tvsum.npz", token=words, text=words[:1])
    sentence, alone = load_text_features(tmp_path / "words.npz")
    assert sentence is None
    assert np.array_equal(alone, normalise_rows(words))
    sentence, token = load_text_features(tmp_path / "tvsum.npz")
    assert np.array_equal(sentence, normalise_rows(words[0]))
    assert np.array_equal(token, alone)


def test_bad_files_are_named(tmp_path: Path):
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 cut")
    np.savez(tmp_path / "other.npz", data=np.ones(3))
    np.savez(tmp_path / "huge.npz", features=np.full((2, 2), 1e300))
    np.savez(tmp_path / "none_at_all.npz", features=np.ones((0, 4)))
    for name, said in (
        ("none.npz", "no such feature file"),
        ("cut.npz", "cannot be read"),
        ("other.npz", "no array named `features`"),
        ("huge.npz", "row 0 holds NaN or infinity"),
        ("none_at_all.npz", "array is empty"),
    ):
        with pytest.raises(RdmfError, match=said) as error:
            load_video_features(tmp_path / name)
        assert name in str(error.value)


def test_many_rows_are_normalised_as_each_alone():
    rows = np.random.default_rng(0).normal(size=(BLOCK + 3, 2)).astype(np.float16)
    made = normalise_rows(rows)
    assert made.dtype == np.float32
    for number in (0, BLOCK - 1, BLOCK, BLOCK + 2):
        np.testing.assert_array_equal(made[number], normalise_rows(rows[number]))
