"""Extraction: each distinct frame is encoded once; it resumes; videos are known by content."""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import mean_colours
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mean_colours import MeanColours, write_frames

from rdmf_cli.errors import RdmfError
from rdmf_cli.features import FeatureStore, Selection, VideoFeatures, extract, extraction
from rdmf_cli.features.fingerprint import content_fingerprint
from rdmf_cli.features.still import BLOCKS, StillFrames

CLIPS = 61  # clips of a video of 122 seconds


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    seconds = np.arange(0, 2 * CLIPS, 0.5)
    return write_frames(tmp_path_factory.mktemp("film") / "film.mp4", seconds)


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "features", limit=1 << 30)


def same(one: VideoFeatures, other: VideoFeatures) -> bool:
    told = [(f.duration, f.offset, f.frames_failed, f.warnings) for f in (one, other)]
    return one.rows.tobytes() == other.rows.tobytes() and told[0] == told[1]


@pytest.mark.parametrize(
    ("seconds", "clips"),
    [
        pytest.param([*range(10), *range(86_400, 86_410)], 43_205, id="a hole of a day"),
        pytest.param(range(0, 2400, 60), 1170, id="a frame per minute"),
    ],
)
def test_each_distinct_frame_is_encoded_once(tmp_path: Path, store, seconds, clips):
    path = write_frames(tmp_path / "sparse.mkv", seconds)
    encoder = MeanColours()
    found = extract(path, encoder, Selection(2.0), store=store)
    distinct = len(np.unique(found.rows, axis=0))
    assert abs(len(found.rows) - clips) <= 30
    assert encoder.encoded == distinct <= len(seconds)
    again = extract(path, encoder, Selection(2.0), store=store)
    assert again.cached
    assert again.rows.tobytes() == found.rows.tobytes()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        pytest.param([0, 1, 61, 62], None, id="a minute"),
        pytest.param([0, 1, 91, 92], "no frames for 90 seconds from 1.0 s", id="more"),
        pytest.param([0, 90, 180, 90_000], "in 3 stretches, the longest 24.9 hours", id="several"),
    ],
)
def test_holes_of_more_than_a_minute_are_said_and_kept_as_time(tmp_path, seconds, said):
    path = write_frames(tmp_path / "holes.mkv", seconds)
    found = extract(path, MeanColours())
    assert found.duration == pytest.approx(seconds[-1], abs=100)
    assert len(found.rows) == round(found.duration / 2)
    assert [w for w in found.warnings if "no frames" in w] == [w for w in found.warnings if said]
    assert said is None or said in found.warnings[-1]


def test_a_hole_of_more_than_thirty_days_is_refused(tmp_path):
    path = write_frames(tmp_path / "leap.mkv", [0, 1, 2, 31 * 86_400, 31 * 86_400 + 1])
    with pytest.raises(RdmfError, match=r"jump ahead by 31 days after 2.0 s.*so they are wrong"):
        extract(path, MeanColours())


def test_more_clips_than_memory_bears_are_refused_with_a_length_that_works(tmp_path):
    path = write_frames(tmp_path / "weeks.mkv", [0, 1, 2, 29 * 86_400])
    with pytest.raises(RdmfError, match=r"1,252,8\d\d clips of 2 s, more than 100,000") as caught:
        extract(path, MeanColours())
    assert caught.value.subject == str(path)
    length = int(re.search(r"--clip-length (\d+)", str(caught.value))[1])
    assert length == 26
    assert len(extract(path, MeanColours(), Selection(length)).rows) == 96_369
    wide = MeanColours()
    wide.size = 1024
    with pytest.raises(RdmfError, match="more than 39,062"):
        extract(path, wide, Selection(60))
    assert len(extract(path, MeanColours(), Selection(start=0, end=10)).rows) == 5


def test_rows_are_those_of_every_clip_encoded_by_itself(tmp_path: Path):
    path = write_frames(tmp_path / "sparse.mkv", range(0, 60, 6))
    encoder = MeanColours()
    found = extract(path, encoder)
    from rdmf_cli.video import open_clips

    with open_clips(path) as clips:
        alone = [encoder.encode_images(encoder.prepare(f.image)[None])[0] for _, f in clips]
    assert np.array_equal(found.rows, np.asarray(alone).astype(np.float16))


def interrupt_after(clips: int):
    def progress(done: int, total: int) -> None:
        if done >= clips:
            raise KeyboardInterrupt

    return progress


def test_an_interrupted_extraction_is_gone_on_with(film: Path, store: FeatureStore):
    whole = extract(film, MeanColours())
    with pytest.raises(KeyboardInterrupt):
        extract(film, MeanColours(), store=store, progress=interrupt_after(21))
    encoder, said = MeanColours(), []
    found = extract(film, encoder, store=store, notify=said.append)
    assert said == [f"film.mp4: resuming, 24 of {CLIPS} clips are in the cache"]
    assert encoder.encoded == CLIPS - 24
    assert not found.cached
    assert same(found, whole)
    assert same(extract(film, encoder, store=store), whole)
    assert [path.suffix for path in store.folder.iterdir() if path.suffix != ".lock"] == [
        ".safetensors"
    ]


def test_interrupted_twice(film: Path, store: FeatureStore):
    for clips in (9, 30):
        with pytest.raises(KeyboardInterrupt):
            extract(film, MeanColours(), store=store, progress=interrupt_after(clips))
    said = []
    found = extract(film, MeanColours(), store=store, notify=said.append)
    assert said == [f"film.mp4: resuming, 32 of {CLIPS} clips are in the cache"]
    assert same(found, extract(film, MeanColours()))


def test_what_was_kept_stays_when_the_disk_is_full(film: Path, store: FeatureStore, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        extract(film, MeanColours(), store=store, progress=interrupt_after(21))

    def full(*args: object) -> None:
        raise RdmfError("the features cannot be written (No space left on device)")

    with monkeypatch.context() as patched:
        patched.setattr(FeatureStore, "put_part", full)
        with pytest.raises(KeyboardInterrupt):
            extract(film, MeanColours(), store=store, progress=interrupt_after(40))
    said = []
    extract(film, MeanColours(), store=store, notify=said.append)
    assert said == [f"film.mp4: resuming, 24 of {CLIPS} clips are in the cache"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_leaves_what_it_had(film: Path, store: FeatureStore, number):
    script = [sys.executable, mean_colours.__file__, str(film), str(store.folder)]
    with subprocess.Popen(script, stderr=subprocess.DEVNULL) as child:
        until = time.monotonic() + 120
        while len(list(store.folder.glob("*.kept"))) < 3 and time.monotonic() < until:
            assert child.poll() is None
            time.sleep(0.02)
        os.kill(child.pid, number)
    encoder, said = MeanColours(), []
    found = extract(film, encoder, store=store, notify=said.append)
    assert 12 <= CLIPS - encoder.encoded < CLIPS
    assert said == [
        f"film.mp4: resuming, {CLIPS - encoder.encoded} of {CLIPS} clips are in the cache"
    ]
    assert same(found, extract(film, MeanColours()))


def test_work_is_kept_every_few_seconds(film: Path, store: FeatureStore, monkeypatch):
    assert extraction.KEEP_SECONDS <= 60
    monkeypatch.setattr(extraction, "KEEP_SECONDS", 0.0)
    kept = []

    def progress(done: int, total: int) -> None:
        kept.append(len(list(store.folder.glob("*.kept"))))

    extract(film, MeanColours(), store=store, progress=progress)
    assert kept[:4] == [1, 2, 3, 4]


def test_what_decodes_otherwise_is_not_gone_on_with(film: Path, store: FeatureStore):
    """The frame at which decoding resumes is compared bit for bit."""
    with pytest.raises(KeyboardInterrupt):
        extract(film, MeanColours(), store=store, progress=interrupt_after(21))

    class Brighter(MeanColours):
        def prepare(self, frame):
            return super().prepare(frame) + 1

    encoder, said = Brighter(), []
    found = extract(film, encoder, store=store, notify=said.append)
    assert said == []
    assert encoder.encoded == CLIPS
    assert same(found, extract(film, Brighter()))


def test_batches_of_another_size_are_not_gone_on_with(film: Path, store: FeatureStore):
    with pytest.raises(KeyboardInterrupt):
        extract(film, MeanColours(), store=store, progress=interrupt_after(21))
    encoder = MeanColours()
    encoder.batch = 5
    extract(film, encoder, store=store)
    assert encoder.encoded == CLIPS


def test_a_damaged_part_is_not_trusted(film: Path, store: FeatureStore, monkeypatch):
    monkeypatch.setattr(extraction, "KEEP_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        extract(film, MeanColours(), store=store, progress=interrupt_after(21))
    second = sorted(store.folder.glob("*.kept"))[1]
    blob = bytearray(second.read_bytes())
    blob[-40] ^= 1
    second.write_bytes(blob)
    encoder = MeanColours()
    found = extract(film, encoder, store=store)
    assert encoder.encoded == CLIPS - 4
    assert same(found, extract(film, MeanColours()))


@pytest.mark.parametrize("ended", ["whole", "interrupted"])
def test_a_growing_file_is_gone_on_with(tmp_path: Path, store: FeatureStore, ended: str):
    stream = write_frames(tmp_path / "all.ts", np.arange(0, 120, 0.5)).read_bytes()
    growing = tmp_path / "growing.ts"
    growing.write_bytes(stream[: 188 * (len(stream) * 2 // 3 // 188)])
    if ended == "whole":
        extract(growing, MeanColours(), store=store)
    else:
        with pytest.raises(KeyboardInterrupt):
            extract(growing, MeanColours(), store=store, progress=interrupt_after(30))
    growing.write_bytes(stream)
    encoder, said = MeanColours(), []
    found = extract(growing, encoder, store=store, notify=said.append)
    assert "clips are in the cache" in said[0]
    assert encoder.encoded <= len(found.rows) - 24
    assert same(found, extract(growing, MeanColours()))
    assert len(store.entries()) == 1
    other = tmp_path / "other.ts"  # another video of the same name does not use these features
    growing.replace(other)
    write_frames(growing, np.arange(0, 150, 0.25))
    extract(growing, encoder := MeanColours(), store=store)
    assert encoder.encoded == 75


def test_a_copy_and_a_touched_file_are_the_same_video(film: Path, tmp_path: Path, store):
    first = shutil.copy(film, tmp_path / "first.mp4")
    extract(Path(first), MeanColours(), store=store)
    os.utime(first, (1, 1))
    assert extract(Path(first), MeanColours(), store=store).cached
    copy = shutil.copyfile(first, tmp_path / "copy.mkv")
    assert extract(Path(copy), MeanColours(), store=store).cached


def test_the_fingerprint_is_of_the_content(tmp_path: Path):
    rng = np.random.default_rng(0)
    blob = bytearray(rng.bytes(20 << 20))
    path = tmp_path / "large.bin"
    path.write_bytes(blob)
    before = content_fingerprint(path)
    for at in (0, 5, (1 << 20) - 1, 10 << 20, len(blob) - 1):  # both ends are hashed completely
        changed = bytearray(blob)
        changed[at : at + (1 << 20)] = bytes(len(changed[at : at + (1 << 20)]))
        path.write_bytes(changed)
        assert content_fingerprint(path) != before, at
    path.write_bytes(blob + b"more")
    assert content_fingerprint(path) != before
    assert content_fingerprint(path, len(blob)) == before


@pytest.mark.parametrize("decoder", ["pyav", "ffmpeg", "decord"])
def test_every_decoder_goes_on_to_the_same_rows(tour: Path, store: FeatureStore, decoder: str):
    """The example video has B-frames and long groups of pictures."""
    chosen = Selection(1.0, decoder)
    with pytest.raises(KeyboardInterrupt):
        extract(tour, MeanColours(), chosen, store=store, progress=interrupt_after(33))
    encoder = MeanColours()
    found = extract(tour, encoder, chosen, store=store)
    assert encoder.encoded <= len(found.rows) - 32
    assert same(found, extract(tour, MeanColours(), chosen))


@pytest.mark.parametrize("clips", [5, 25, 33, 50])
def test_a_damaged_file_is_gone_on_with_to_the_same_answer(film: Path, tmp_path, store, clips):
    blob = bytearray(film.read_bytes())
    for share in (0.2, 0.45, 0.5, 0.7):  # shares of the file; its index is at the end
        at = int(share * len(blob))
        blob[at : at + 3000] = bytes(3000)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(blob)
    whole = extract(damaged, MeanColours())
    assert whole.frames_failed > 0
    with pytest.raises(KeyboardInterrupt):
        extract(damaged, MeanColours(), store=store, progress=interrupt_after(clips))
    assert same(extract(damaged, MeanColours(), store=store), whole)


def write_camera(path: Path, changes: dict[int, int], seconds: int = 40, noise: int = 2) -> Path:
    """Write a video of a fixed camera: one frame per second, with noise and changes in a patch.

    changes: The levels by which a patch of 8 x 8 pixels is brighter from a second on.
    """
    rng = np.random.default_rng(0)
    scene = rng.integers(60, 180, (180, 320, 3))
    with av.open(str(path), "w") as film:
        stream = film.add_stream("ffv1", rate=1)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "bgr0"
        brighter = 0
        for second in range(seconds):
            brighter = changes.get(second, brighter)
            image = scene + rng.integers(-noise, noise + 1, scene.shape)
            image[96:104, 200:208] += brighter
            frame = av.VideoFrame.from_ndarray(image.astype(np.uint8), format="rgb24")
            frame.pts = second
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    return path


def test_a_still_frame_takes_the_features_of_the_last_encoded_one(tmp_path):
    path = write_camera(tmp_path / "door.mkv", {10: 40, 20: 0})
    whole, camera = MeanColours(), MeanColours()
    exact = extract(path, whole, Selection(2.0))
    found = extract(path, camera, Selection(2.0, still=4.0))
    assert (whole.encoded, camera.encoded) == (20, 3)  # the door, someone in it, the door again
    assert len(found.rows) == len(exact.rows)
    changes = np.flatnonzero((np.diff(found.rows, axis=0) != 0).any(axis=1)) + 1
    np.testing.assert_array_equal(changes, [5, 10])
    np.testing.assert_array_equal(found.rows[[0, 5, 10]], exact.rows[[0, 5, 10]])


def test_a_bound_of_zero_encodes_every_frame(tmp_path):
    path = write_camera(tmp_path / "still.mkv", {}, noise=0)
    encoder = MeanColours()
    extract(path, encoder, Selection(2.0))
    assert encoder.encoded == 20


@given(st.integers(1, 400), st.integers(1, 400), st.floats(0.1, 50), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_no_block_of_a_still_frame_differs_by_more_than_the_bound(height, width, bound, seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    side = max(1, min(height, width) // BLOCKS)
    y, x = (int(rng.integers(0, max(length // side, 1))) * side for length in (height, width))
    block = (slice(y, y + side), slice(x, x + side))
    image[block] = 100
    brighter = image.copy()
    brighter[block] += np.uint8(math.floor(bound))
    frames = StillFrames(bound)
    assert not frames.is_still(image)
    assert frames.is_still(brighter)
    brighter[block] += 2
    assert not frames.is_still(brighter)
    assert not frames.is_still(brighter[: height // 2 + 1, : width // 2]) or width == height == 1


def test_slow_changes_add_up(tmp_path):
    frames = StillFrames(2.0)
    still = [frames.is_still(np.full((100, 100, 3), level, np.uint8)) for level in range(10)]
    assert still == [False, True, True, False, True, True, False, True, True, False]


def test_still_frames_and_an_interruption_give_the_same_rows(tmp_path, store, monkeypatch):
    path = write_camera(
        tmp_path / "door.mkv",
        dict.fromkeys(range(0, 40, 6), 0)
        | {second: 40 * (second // 6 % 2) for second in range(0, 40, 6)},
    )
    chosen = Selection(2.0, still=4.0)
    whole = extract(path, MeanColours(), chosen)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(path, MeanColours(), chosen, store=store, progress=stop)
    encoder = MeanColours()
    resumed = extract(path, encoder, chosen, store=store)
    assert encoder.encoded < 7
    assert same(resumed, whole)


def test_the_cache_keeps_samplings_and_bounds_apart(film, store):
    chosen = [Selection(), Selection(sampling="keyframes"), Selection(still=1.0)]
    keys = [extraction.feature_key(film, MeanColours(), one) for one in chosen]
    assert len({str(key) for key in keys}) == 3
    assert not {"sampling", "still"} & keys[0].keys()  # entries of earlier versions count
    extract(film, MeanColours(), chosen[1], store=store)
    again = extract(film, MeanColours(), chosen[1], store=store)
    assert again.cached
    assert not extract(film, MeanColours(), chosen[0], store=store).cached
    (said,) = [warning for warning in again.warnings if "keyframes" in warning]
    assert re.search(r"on average 0\.\d\d s and at most \d\.\d\d s away", said)
