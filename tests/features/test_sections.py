"""Sections of a video: extracted one by one and joined, they equal a single extraction."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mean_colours import MeanColours, write_frames

from rdmf_cli.errors import RdmfError
from rdmf_cli.features import FeatureStore, Selection, extract
from rdmf_cli.features.extraction import (
    extract_section,
    feature_key,
    join_sections,
    plan_sections,
    store_section,
)
from rdmf_cli.features.sections import SectionFeatures, sections_of

BATCH = MeanColours.batch


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames at irregular times; some clips of 0.5 s have the frame of the clip before."""
    seconds = np.unique(np.random.default_rng(1).integers(0, 900, 130)) / 10
    return write_frames(tmp_path_factory.mktemp("film") / "film.mp4", seconds)


def read_sections(path: Path, length: int, clips: Selection) -> list[SectionFeatures]:
    """Return the sections as workers send them; the last section is read first."""
    scanned, sections = plan_sections(path, MeanColours(), clips, length)
    scanned = pickle.loads(pickle.dumps(scanned))
    read = [extract_section(scanned, MeanColours(), clips, one) for one in reversed(sections)]
    return pickle.loads(pickle.dumps(read[::-1]))


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(1, 5), st.integers(1, 20))
def test_sections_cover_all_clips_and_begin_with_batches(wanted, batch, length) -> None:
    wanted = np.sort(np.array(wanted))
    sections = sections_of(wanted, batch, length)
    assert [one.stop for one in sections] == [one.first for one in sections[1:]] + [len(wanted)]
    assert sections[0][::2] == (0, 0)
    for one in sections[1:]:
        assert len(np.unique(wanted[: one.first])) % batch == 0
        assert wanted[one.first] != wanted[one.first - 1] == wanted[one.begin]
        assert one.begin == 0 or wanted[one.begin - 1] != wanted[one.begin]
    assert all(one.stop - one.first >= length for one in sections[:-1])


@pytest.mark.parametrize(("length", "count"), [(1, 24), (30, 6), (10_000, 1)])
def test_the_joined_sections_are_the_entry_of_one_extraction(film, tmp_path, length, count) -> None:
    clips = Selection(0.5)
    one, other = (FeatureStore(tmp_path / name, limit=1 << 30) for name in ("one", "other"))
    expected = extract(film, MeanColours(), clips, store=one)
    read = read_sections(film, length, clips)
    assert len(read) == count
    whole = join_sections(read, film)
    assert whole is not None
    key = feature_key(film, MeanColours(), clips)
    features = store_section(other, key, film, whole)
    (arrays, about), (others, about_others) = one.load(key), other.load(key)
    assert about == about_others
    assert arrays.keys() == others.keys()
    assert all(np.array_equal(arrays[name], others[name]) for name in arrays)
    assert np.array_equal(features.rows, expected.rows)
    assert replace(features, rows=None, timings={}, frames_decoded=0) == replace(
        expected, rows=None, timings={}, frames_decoded=0
    )


def test_sections_that_do_not_fit_are_not_joined(film: Path) -> None:
    read = read_sections(film, 40, Selection(0.5))
    assert join_sections(read, film) is not None
    assert join_sections(read[:1] + read[2:], film) is None  # a section is missing
    other = replace(read[1], before=bytes(32))
    assert (
        join_sections([read[0], other, *read[2:]], film) is None
    )  # the frame before the section differs
    read[2].made.flags[3] = 0
    assert join_sections(read, film) is None  # a clip has the frame of another clip


def test_a_damaged_video_is_not_joined(film: Path, tmp_path: Path) -> None:
    content = bytearray(film.read_bytes())
    at = content.index(b"mdat") + 4
    middle = (at + content.index(b"moov")) // 2
    content[middle : middle + 600] = bytes(600)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(content)
    assert extract(path, MeanColours(), Selection(0.5)).frames_failed > 0
    assert join_sections(read_sections(path, 30, Selection(0.5)), path) is None


def test_a_video_of_a_single_section_may_be_damaged_and_must_not_be_empty(film: Path) -> None:
    (whole,) = read_sections(film, 10_000, Selection(0.5))
    whole.made.flags[:] = [2] * whole.made.clips
    with pytest.raises(RdmfError, match="none of its clips can be decoded"):
        join_sections([whole], film)
