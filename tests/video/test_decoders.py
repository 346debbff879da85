"""One test for every decoder: the right frame, by its number, for every clip."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from barcoded import EXIF, Recipe, read_barcode

from rdmf_cli.errors import RdmfError
from rdmf_cli.video import open_clips
from rdmf_cli.video.decoders import DECODERS, decord, scan

UNEVEN = tuple(int(t) for t in np.cumsum([0, *[1, 1, 2, 3, 9, 1, 5] * 12]))
LATE = tuple(range(1000, 1150))
REFERENCED = {"x264-params": "b-adapt=0:scenecut=0:b-pyramid=normal:keyint=24"}
OPEN_GOP = {"x264-params": REFERENCED["x264-params"] + ":open-gop=1:min-keyint=24"}
FAST_VP9 = {"deadline": "realtime", "cpu-used": "8"}
ALT_REF = {"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "good", "cpu-used": "5"}
QUIET_X265 = "log-level=none:keyint=25"

RECIPES = [
    Recipe("h264", "libx264", "mp4"),
    Recipe("h264_b_frames", "libx264", "mp4", b_frames=3, options=REFERENCED),
    Recipe("h264_long_gop", "libx264", "mp4", b_frames=2, gop=250),
    Recipe("h264_short_gop", "libx264", "mkv", b_frames=2, gop=5),
    Recipe("h264_open_gop", "libx264", "mp4", b_frames=3, options=OPEN_GOP),
    Recipe("h264_open_gop_mkv", "libx264", "mkv", b_frames=3, options=OPEN_GOP),
    Recipe(
        "h264_intra_refresh",
        "libx264",
        "mp4",
        options={"x264-params": "intra-refresh=1:keyint=24"},
    ),
    Recipe("h264_mov", "libx264", "mov", b_frames=2, sound=True),
    Recipe("h264_ts", "libx264", "ts", b_frames=2),
    Recipe("h264_flv", "libx264", "flv", b_frames=2),
    Recipe("h264_avi", "libx264", "avi", b_frames=2),
    Recipe("hevc", "libx265", "mkv", options={"x265-params": QUIET_X265 + ":open-gop=0"}),
    Recipe(
        "hevc_open_gop",
        "libx265",
        "mp4",
        b_frames=3,
        options={"x265-params": QUIET_X265 + ":open-gop=1:bframes=3"},
    ),
    Recipe("hevc_ts", "libx265", "ts", options={"x265-params": QUIET_X265}),
    Recipe("vp9", "libvpx-vp9", "webm", options=ALT_REF),
    Recipe("vp8", "libvpx", "webm", frames=60, options=ALT_REF),
    Recipe("av1", "libsvtav1", "mp4", options={"preset": "12"}),
    Recipe("av1_mkv", "libsvtav1", "mkv", options={"preset": "12"}),
    Recipe("mpeg4", "mpeg4", "mp4", b_frames=2),
    Recipe("mpeg4_avi", "mpeg4", "avi", b_frames=2),
    Recipe("mpeg2_ps", "mpeg2video", "mpg", b_frames=2),
    Recipe("ten_bits", "prores_ks", "mov", pixel_format="yuv422p10le"),
    Recipe("alpha", "png", "mov", frames=60, pixel_format="rgba"),
    Recipe("gif", "gif", "gif", pixel_format="rgb8"),
    Recipe("uneven", "libx264", "mp4", times=UNEVEN, b_frames=2),
    Recipe("uneven_mkv", "libx264", "mkv", times=UNEVEN, b_frames=2),
    Recipe("uneven_webm", "libvpx-vp9", "webm", times=UNEVEN, options=FAST_VP9),
    Recipe("late", "libx264", "mp4", times=LATE, b_frames=2),
    Recipe("late_mkv", "libx264", "mkv", times=LATE, b_frames=2),
    Recipe("late_ts", "libx264", "ts", times=LATE, b_frames=2),
    Recipe("edit_list", "libx264", "mp4", hidden=37, b_frames=2),
    Recipe("edit_list_long_gop", "libx264", "mp4", hidden=37, gop=250),
    Recipe("turned_90", "libx264", "mp4", matrix=(0, 1, -1, 0)),
    Recipe("turned_180", "libx264", "mp4", matrix=(-1, 0, 0, -1)),
    Recipe("turned_270", "libx264", "mp4", matrix=(0, -1, 1, 0)),
    Recipe("turned_mkv", "libx264", "mkv", matrix=(0, 1, -1, 0)),
    Recipe("mirrored", "libx264", "mp4", matrix=(-1, 0, 0, 1)),
    *(
        Recipe(
            f"exif_{turn}", "mjpeg", "avi", 60, pixel_format="yuvj420p", matrix=matrix, exif=True
        )
        for matrix, turn in EXIF.items()
    ),
    Recipe("oblong_pixels", "libx264", "mp4", pixel_shape=Fraction(2)),
    Recipe("one_frame", "libx264", "mp4", frames=1),
    Recipe("one_frame_mkv", "libx264", "mkv", frames=1),
    Recipe("one_frame_gif", "gif", "gif", frames=1, pixel_format="rgb8"),
    Recipe("two_a_second", "libx264", "mp4", frames=20, rate=Fraction(2)),
    Recipe("ntsc", "libx264", "mp4", frames=180, rate=Fraction(30000, 1001), b_frames=2),
    Recipe("seekable", "libx264", "mkv", frames=1000, gop=10, b_frames=2),
]
BY_NAME = {recipe.name: recipe for recipe in RECIPES}

# The faults in `decord.KNOWN_FAULTS` are expected, and must occur.
DECORD_FAULTS = {
    "av1": "AV1",
    "av1_mkv": "AV1",
    "gif": "GIF",
    "one_frame_gif": "GIF",
    "h264_ts": "transport stream",
    "late_ts": "transport stream",
    "mpeg2_ps": "transport stream",
    "h264_avi": "no presentation times",
    "mpeg4_avi": "no presentation times",
    "h264_open_gop": "open GOP",
    "h264_open_gop_mkv": "open GOP",
    "hevc_open_gop": "open GOP",
    "mpeg4": "open GOP",
    "h264_intra_refresh": "intra refresh",
    "edit_list": "edit list",
    "edit_list_long_gop": "edit list",
    "exif_2": "mirrored",
    "exif_3": "turned",
    "exif_4": "mirrored",
    "exif_6": "turned",
    "exif_8": "turned",
    "turned_mkv": "turned",
    "mirrored": "mirrored",
    "oblong_pixels": "oblong pixels",
}
CLIP_LENGTHS = (Fraction(2), Fraction(1), Fraction(1, 2))


def mistakes(path: Path, recipe: Recipe, decoder: str) -> list[str]:
    """Return all deviations, over all clips at all clip lengths."""
    return [m for length in CLIP_LENGTHS for m in mistakes_at(path, recipe, decoder, length)]


def mistakes_at(path: Path, recipe: Recipe, decoder: str, clip_length: Fraction) -> list[str]:
    found = []
    with open_clips(path, float(clip_length), decoder) as reader:
        for clip, frame in reader:
            due = recipe.expected(clip_length, clip)
            where = f"clip {clip} of {float(clip_length)} s"
            if (got := read_barcode(frame.image)) != due:
                found.append(f"{where}: frame {got} instead of {due}")
            if abs(frame.time.seconds - recipe.seconds[due - recipe.hidden]) > 0.001:
                found.append(f"{where}: time {frame.time.seconds}")
            if frame.image.shape != (reader.info.height, reader.info.width, 3):
                found.append(f"{where}: shape {frame.image.shape}")
        if reader.failures:
            found.append(str(reader.failures))
    return found


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
@pytest.mark.parametrize("decoder", DECODERS)
class TestEveryDecoder:
    """Many codecs, containers and timings; the number in its pixels identifies a frame."""

    def test_shows_the_last_frame_before_each_middle(
        self, decoder: str, recipe: Recipe, made: Callable[[Recipe], Path], ffmpeg_program: str
    ) -> None:
        path = made(recipe)
        if decoder == "decord" and recipe.name in DECORD_FAULTS:
            self.goes_wrong_as_stated(path, recipe)
        else:
            assert mistakes(path, recipe, decoder) == []

    def goes_wrong_as_stated(self, path: Path, recipe: Recipe) -> None:
        name = DECORD_FAULTS[recipe.name]
        assert name in {fault.name for fault in decord.KNOWN_FAULTS}
        if name != "intra refresh":  # only decoding shows this
            assert name in {fault.name for fault in decord.known_faults(scan(path))}
        try:
            found = mistakes(path, recipe, "decord")
        except RdmfError as error:
            found = [error.what]
        assert found


def nearest_key(path: Path, recipe: Recipe, clip: int, clip_length: Fraction) -> int:
    """Return the number of the key frame nearest to a clip's frame, from the packets' times."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.pts is not None]
    order = sorted(packet.pts for packet in packets)
    keys = [order.index(packet.pts) for packet in packets if packet.is_keyframe]
    due = recipe.expected(clip_length, clip)
    return min(keys, key=lambda key: (abs(recipe.seconds[key] - recipe.seconds[due]), key))


KEYED = ["h264_b_frames", "h264_open_gop", "hevc_open_gop", "vp9", "uneven", "late_ts", "mpeg2_ps"]


@pytest.mark.parametrize("recipe", [BY_NAME[name] for name in KEYED], ids=str)
def test_key_frames_are_the_nearest_and_the_error_is_stated(
    recipe: Recipe, made: Callable[[Recipe], Path]
) -> None:
    path, length = made(recipe), Fraction(1, 2)
    with open_clips(path, float(length), sampling="keyframes") as reader:
        shown = {clip: read_barcode(frame.image) for clip, frame in reader}
        assert not reader.failures
        errors = reader.errors
    assert shown == {clip: nearest_key(path, recipe, clip, length) for clip in shown}
    for clip, error in zip(shown, errors, strict=True):
        due = recipe.seconds[recipe.expected(length, clip)]
        assert error == pytest.approx(float(abs(recipe.seconds[shown[clip]] - due)), abs=1e-3)


@pytest.mark.parametrize("decoder", DECODERS)
def test_every_decoder_reads_key_frames(
    decoder: str, made: Callable[[Recipe], Path], ffmpeg_program: str
) -> None:
    recipe = BY_NAME["h264_short_gop"]
    path, length = made(recipe), Fraction(1, 2)
    with open_clips(path, float(length), decoder, sampling="keyframes") as reader:
        for clip, frame in reader:
            assert read_barcode(frame.image) == nearest_key(path, recipe, clip, length)
            assert frame.exact
        assert reader.errors.max() <= 2 / 25 + 1e-6  # half of five frames at most


def test_an_avi_without_times_keeps_its_exact_frames(made: Callable[[Recipe], Path]) -> None:
    recipe = BY_NAME["h264_avi"]
    with open_clips(made(recipe), 1.0, sampling="keyframes") as reader:
        shown = [(clip, read_barcode(frame.image)) for clip, frame in reader]
        assert not reader.errors.any()
    assert shown == [(clip, recipe.expected(Fraction(1), clip)) for clip, _ in shown]


def test_no_file_that_decord_gets_right_is_called_faulty(made: Callable[[Recipe], Path]) -> None:
    right = [r for r in RECIPES if r.name not in {*DECORD_FAULTS, "hevc_ts", "exif_1"}]
    assert {r.name for r in right if decord.known_faults(scan(made(r)))} == set()


@pytest.mark.parametrize("decoder", DECODERS)
class TestParts:
    """Read only a part of a video; clips keep their numbers in the whole video."""

    def test_a_part_gives_the_same_frames_as_the_whole(
        self, decoder: str, made: Callable[[Recipe], Path], ffmpeg_program: str
    ) -> None:
        recipe = BY_NAME["seekable"]
        with open_clips(made(recipe), 1.0, decoder, start=33.4, end=36.0) as reader:
            got = [(clip, read_barcode(frame.image)) for clip, frame in reader]
        assert got == [(clip, recipe.expected(Fraction(1), clip)) for clip in (33, 34, 35)]

    def test_frames_are_given_once_where_clips_share_them(
        self, decoder: str, made: Callable[[Recipe], Path], ffmpeg_program: str
    ) -> None:
        with open_clips(made(BY_NAME["two_a_second"]), 0.1, decoder) as reader:
            frames = [frame for _, frame in reader]
        assert len(frames) == 100
        assert len({id(frame.image) for frame in frames}) == 20


@pytest.mark.parametrize("name", ["seekable", "h264_ts", "h264", "late_mkv", "h264_flv"])
def test_far_parts_are_exact_in_containers_that_seek_badly(name: str, tmp_path: Path) -> None:
    """The decoder seeks past 250 packets or more; where the seek ends is checked."""
    short = BY_NAME[name]
    times = tuple(short.times[0] + i if short.times else i for i in range(600))
    recipe = Recipe(name, short.codec, short.suffix, 600, times=times, gop=10, b_frames=2)
    with open_clips(recipe.make(tmp_path), 1.0, "pyav", start=18.0) as reader:
        got = [(clip, read_barcode(frame.image)) for clip, frame in reader]
        assert got == [(clip, recipe.expected(Fraction(1), clip)) for clip in range(18, 24)]


class TestPyAV:
    def test_decodes_no_more_than_it_must(self, made: Callable[[Recipe], Path]) -> None:
        with open_clips(made(BY_NAME["seekable"]), 10.0, "pyav") as reader:
            assert len(list(reader)) == 4
            assert reader.frames_decoded < 4 * 20

    def test_stopping_early_is_fine(self, made: Callable[[Recipe], Path]) -> None:
        with open_clips(made(BY_NAME["seekable"]), 1.0, "pyav") as reader:
            clip, frame = next(iter(reader))
            assert (clip, read_barcode(frame.image)) == (0, 12)
            assert reader.frames_decoded < 100


def colourful(path: Path, matrix: int, tag: int) -> None:
    """Make two frames of pure red, coded in limited range with this colour matrix."""
    red = np.zeros((96, 160, 3), np.uint8)
    red[..., 0] = 255
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "1"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = tag, 1
        for pts in range(2):
            frame = av.VideoFrame.from_ndarray(red, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=matrix)
            frame.pts = pts
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("decoder", ["pyav", "ffmpeg"])
@pytest.mark.parametrize(("matrix", "tag"), [(1, 1), (5, 6)], ids=["bt709", "bt601"])
def test_colours_follow_the_matrix_that_the_file_names(
    decoder: str, matrix: int, tag: int, tmp_path: Path, ffmpeg_program: str
) -> None:
    colourful(tmp_path / "red.mp4", matrix, tag)
    with open_clips(tmp_path / "red.mp4", decoder=decoder) as reader:
        _, frame = next(iter(reader))
    assert np.abs(frame.image.reshape(-1, 3).mean(0) - [255, 0, 0]).max() < 4


@pytest.mark.parametrize("name", ["h264_b_frames", "vp9", "turned_90", "oblong_pixels"])
def test_pixels_are_those_of_the_ffmpeg_program(
    name: str, made: Callable[[Recipe], Path], ffmpeg_program: str
) -> None:
    path = made(BY_NAME[name])
    with open_clips(path, decoder="pyav") as ours, open_clips(path, decoder="ffmpeg") as theirs:
        for (_, a), (_, b) in zip(ours, theirs, strict=True):
            assert np.abs(a.image.astype(int) - b.image.astype(int)).mean() < 1.0
