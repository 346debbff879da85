"""Cuts of barcoded videos: first and last frame, sound, colours, subtitles, montage."""

from __future__ import annotations

import io
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from barcoded import Recipe, read_barcode

from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.handover.copying import copy_span
from rdmf_cli.handover.cutting import span_of, write_montage, write_span
from rdmf_cli.handover.film import KINDS, kind_of
from rdmf_cli.video.decoders import DECODERS, scan
from rdmf_cli.video.decoders.base import Tally

NTSC = Fraction(30000, 1001)
RECIPES = [
    Recipe("plain", "libx264", "mp4", 100, sound=True),
    Recipe("b_frames", "libx264", "mp4", 100, b_frames=3, gop=40, sound=True),
    Recipe("open_gops", "libx264", "mkv", 100, b_frames=2, options={"x264-params": "open-gop=1"}),
    Recipe("ntsc_in_milliseconds", "libx264", "mkv", 100, NTSC, sound=True),
    Recipe("sixty", "libx264", "mov", 100, Fraction(60000, 1001)),
    Recipe("varies", "libx264", "mkv", 100, Fraction(1000),
           tuple(40 * n + (13 * n) % 17 for n in range(100)), sound=True),
    Recipe("hidden", "libx264", "mp4", 100, hidden=13),
    Recipe("untimed", "mpeg4", "avi", 100),
    Recipe("turned", "libx264", "mp4", 100, matrix=(0, 1, -1, 0), sound=True),
    Recipe("transport", "mpeg2video", "ts", 100, b_frames=2, sound=True),
    Recipe("late_picture", "libx264", "mkv", 50, Fraction(25), tuple(range(25, 75)), sound=True),
]  # fmt: skip


def frames_of(path: Path) -> list[tuple[float, int]]:
    """Return time and number of each frame, as a program without edit lists reads the file."""
    with av.open(str(path)) as container:
        return [
            (float(f.pts * f.time_base), read_barcode(f.to_ndarray(format="rgb24")))
            for f in container.decode(video=0)
        ]


def cut(video: Path, first: int, stop: int, out: Path, pad: float = 0.0) -> tuple[str, ...]:
    """Cut the frames [first, stop), given by their times in a player."""
    found = scan(video)
    timeline = found.timeline
    edges = [int(t) for t in (*timeline.shown, timeline.end)]
    shift = found.info.clock.begins - edges[0] * float(timeline.time_base)
    start, end = (float(edges[n] * timeline.time_base) + shift for n in (first, stop))
    with out.open("w+b") as file:
        return write_span(file, kind_of(out), span_of(found, start, end, pad))


@pytest.mark.parametrize(("first", "stop"), [(0, 1), (7, 32), (30, 50)])
@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_the_first_and_the_last_frame_are_those_that_were_asked_for(
    recipe, first, stop, made, tmp_path
):
    out = tmp_path / "out.mp4"
    cut(made(recipe), first, stop, out)
    times, numbers = zip(*frames_of(out), strict=True)
    assert list(numbers) == [recipe.hidden + n for n in range(first, stop)]
    wanted = [float(t - recipe.seconds[first]) for t in recipe.seconds[first:stop]]
    assert times == pytest.approx(wanted, abs=0.0011)


@pytest.mark.parametrize("ending", KINDS)
def test_every_kind_of_file_starts_at_nought(ending, made, tmp_path):
    out = tmp_path / f"out.{ending}"
    cut(made(RECIPES[1]), 20, 45, out)
    frames = frames_of(out)
    assert [number for _, number in frames] == list(range(20, 45))
    assert frames[0][0] == 0
    with av.open(str(out)) as container:
        assert container.start_time == 0
        assert container.duration / 1e6 == pytest.approx(1.0, abs=0.07)  # up to a packet of sound
        assert len(container.streams.audio) == 1


def test_padding_goes_as_far_as_the_video(made, tmp_path):
    out = tmp_path / "out.mp4"
    cut(made(RECIPES[0]), 10, 95, out, pad=0.4 - 0.001)
    numbers = [number for _, number in frames_of(out)]
    assert numbers == list(range(100))


def test_a_suffix_of_no_kind_is_a_usage_error():
    with pytest.raises(UsageError, match=r"\.mp4"):
        kind_of(Path("cut.gif"))


def write_beeps(path: Path, rate: int, every: float) -> Path:
    """Make a video with a short tone every few seconds, in the right channel only."""
    with av.open(str(path), "w") as film:
        picture = film.add_stream("libx264", rate=25)
        picture.width = picture.height = 64
        picture.pix_fmt = "yuv420p"
        sound = film.add_stream(
            "aac" if path.suffix != ".mkv" else "flac", rate=rate, layout="stereo"
        )
        for n in range(100):
            image = np.full((64, 64, 3), n, np.uint8)
            film.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        time = np.arange(4 * rate) / rate
        tone = 0.5 * np.sin(2 * np.pi * 1000 * time) * (time % every < 0.02)
        samples = (np.stack([0 * tone, tone]) * 32767).astype(np.int16)
        for at in range(0, len(time), 1000):
            block = np.ascontiguousarray(samples[:, at : at + 1000])
            frame = av.AudioFrame.from_ndarray(block, format="s16p", layout="stereo")
            frame.sample_rate, frame.pts = rate, at
            film.mux(sound.encode(frame))
        for stream in (picture, sound):
            film.mux(stream.encode(None))
    return path


def onsets(path: Path) -> list[float]:
    """Return when tones begin, in seconds, in the left and in the right channel."""
    blocks, rate, begun = [], 0, None
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            begun = float(frame.pts * frame.time_base) if begun is None else begun
            block = frame.to_ndarray().astype(float)
            blocks.append(block / (32768 if block.max(initial=0) > 4 else 1))
            rate = frame.sample_rate
    samples = np.concatenate(blocks, axis=1)
    assert np.abs(samples[0]).max() < 0.05
    loud = np.flatnonzero(np.abs(samples[1]) > 0.25)
    starts = loud[np.diff(loud, prepend=-rate) > rate // 10]
    return [begun + start / rate for start in starts]


@pytest.mark.parametrize(
    ("suffix", "rate"), [("mp4", 44100), ("mkv", 48000), ("mp4", 16000), ("mkv", 11025)]
)
def test_sound_stays_with_its_picture(suffix, rate, tmp_path):
    video = write_beeps(tmp_path / f"beeps.{suffix}", rate, 0.5)
    cut(video, 33, 83, tmp_path / "out.mp4")  # from 1.32 s to 3.32 s
    assert onsets(tmp_path / "out.mp4") == pytest.approx([0.18, 0.68, 1.18, 1.68], abs=0.004)


def test_sound_before_a_late_picture_is_cut_with_it(made, tmp_path):
    cut(made(RECIPES[-1]), 0, 25, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.audio[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(1.0, abs=0.03)


COLOURS = {
    "bt601": ("yuv420p", "smpte170m:smpte170m:smpte170m"),
    "bt709": ("yuv420p", "bt709:bt709:bt709"),
    "pq": ("yuv420p10le", "bt2020:smpte2084:bt2020nc"),
}


@pytest.mark.parametrize("name", COLOURS)
def test_colours_stay_as_they_are_shown(name, tmp_path):
    pixels, (primaries, transfer, matrix) = COLOURS[name][0], COLOURS[name][1].split(":")
    params = f"colorprim={primaries}:transfer={transfer}:colormatrix={matrix}"
    recipe = Recipe(
        name, "libx264", "mp4", 30, pixel_format=pixels, options={"x264-params": params}
    )
    video = recipe.make(tmp_path)
    cut(video, 5, 7, tmp_path / "out.mp4")
    shown, kept = (picture(path, n) for path, n in ((video, 6), (tmp_path / "out.mp4", 1)))
    assert np.abs(shown.astype(float) - kept).mean() < 2.5
    assert np.abs(shown.mean((0, 1)) - kept.mean((0, 1))).max() < 2.5


def picture(path: Path, number: int) -> np.ndarray:
    """Return a frame as rdmf's decoder shows it."""
    found = scan(path)
    (only,) = (
        DECODERS["pyav"].load().pictures(found, found.timeline.shown[number : number + 1], Tally())
    )
    return only.image


def test_pixels_become_square_and_sizes_even(tmp_path):
    recipe = Recipe("oblong", "libx264", "mp4", 20, pixel_shape=Fraction(65, 64))
    cut(recipe.make(tmp_path), 0, 5, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (162, 96)
        assert stream.sample_aspect_ratio in (None, 0, 1)  # 0: not stated


def copied(video: Path, first: int, stop: int, out: Path) -> Fraction:
    found = scan(video)
    seconds = [float((t - found.timeline.start) * found.timeline.time_base)
               for t in (*found.timeline.shown, found.timeline.end)]  # fmt: skip
    with out.open("w+b") as file:
        return copy_span(file, kind_of(out), span_of(found, seconds[first], seconds[stop]))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("recipe", [*RECIPES[:5], RECIPES[8]], ids=str)
def test_a_copy_starts_at_the_key_frame_and_says_how_much_earlier(recipe, suffix, made, tmp_path):
    out = tmp_path / f"out.{suffix}"
    earlier = copied(made(recipe), 33, 60, out)
    frames = numbers_upright(out)
    key = frames[0]
    assert key <= 33
    assert earlier == pytest.approx(float((33 - key) / recipe.rate), abs=0.0011)
    assert set(range(key, 60)) <= set(frames)
    assert max(frames) < 60 + recipe.b_frames + 1


def numbers_upright(path: Path) -> list[int]:
    found = scan(path)
    pictures = DECODERS["pyav"].load().pictures(found, found.timeline.shown, Tally())
    return [read_barcode(picture.image) for picture in pictures]


def test_what_cannot_be_copied_is_said(made, tmp_path):
    with pytest.raises(RdmfError, match="leave out --copy"):
        copied(made(RECIPES[7]), 33, 60, tmp_path / "out.mp4")
    with pytest.raises(RdmfError, match=r"\.mkv"):
        copied(made(RECIPES[0]), 33, 60, tmp_path / "out.webm")


CUES = """\
1
00:00:00,500 --> 00:00:01,500
over the start

2
00:00:02,000 --> 00:00:02,500
inside

"""


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "srt"), ("mp4", "mov_text")])
@pytest.mark.parametrize("exactly", [True, False])
def test_subtitles_follow_their_pictures(suffix, codec, exactly, made, tmp_path):
    (tmp_path / "cues.srt").write_text(CUES)
    video = tmp_path / f"subtitled.{suffix}"
    inputs = ["-i", made(RECIPES[0]), "-i", tmp_path / "cues.srt"]
    program = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run(
        [
            program,
            "-v",
            "error",
            *inputs,
            "-map",
            "0",
            "-map",
            "1",
            "-c",
            "copy",
            "-c:s",
            codec,
            video,
        ],
        check=True,
    )
    out = tmp_path / f"out.{suffix}"
    if exactly:
        assert cut(video, 25, 75, out) == ()
    else:
        assert copied(video, 25, 75, out) == 0
    with av.open(str(out)) as container:
        cues = [
            (round(float(p.pts * p.time_base), 2), bytes(p).lstrip(b"\0")[-14:].strip())
            for p in container.demux(subtitles=0)
            if p.size > 2
        ]
    inside = [(time, text) for time, text in cues if b"inside" in text]
    assert inside[0][0] == 1.0
    assert [time for time, text in cues if b"start" in text] == ([0.0] if exactly else [])


def test_subtitles_that_do_not_fit_are_said(made, tmp_path):
    (tmp_path / "cues.srt").write_text(CUES)
    video, program = tmp_path / "subtitled.mkv", imageio_ffmpeg.get_ffmpeg_exe()
    inputs = ["-i", made(RECIPES[0]), "-i", tmp_path / "cues.srt"]
    subprocess.run(
        [program, "-v", "error", *inputs, "-map", "0", "-map", "1", "-c", "copy", video], check=True
    )
    (note,) = cut(video, 25, 75, tmp_path / "out.mp4")
    assert "subrip" in note
    assert ".mkv" in note


def test_a_montage_joins_videos_of_any_size_and_rate(made, tmp_path):
    turned, ntsc = RECIPES[8], RECIPES[3]
    spans = []
    for recipe, first, stop in ((ntsc, 10, 40), (turned, 50, 75), (ntsc, 60, 62)):
        start, end = (float(recipe.seconds[n]) for n in (first, stop))
        spans.append(span_of(scan(made(recipe)), start, end))
    stream = io.BytesIO()
    write_montage(stream, KINDS["mp4"], spans)
    (tmp_path / "out.mp4").write_bytes(stream.getvalue())
    times, numbers = zip(*frames_of(tmp_path / "out.mp4"), strict=True)
    assert (numbers[:30], numbers[-2:]) == (tuple(range(10, 40)), (60, 61))
    assert len(numbers) == 57
    assert np.diff(times).min() > 0
    assert times[30] == pytest.approx(1.001, abs=0.002)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.duration / 1e6 == pytest.approx(2.07, abs=0.05)
        assert container.streams.video[0].width == 160


def test_a_montage_of_one_rate_keeps_it(made, tmp_path):
    found = scan(made(RECIPES[3]))
    spans = [span_of(found, n / 10, n / 10 + 0.2) for n in range(0, 25, 5)]
    with (tmp_path / "out.mkv").open("w+b") as file:
        write_montage(file, KINDS["mkv"], spans)
    again = scan(tmp_path / "out.mkv")
    assert len(again.timeline.shown) == sum(span.stop - span.first for span in spans)
    steps = np.diff(again.timeline.shown) * float(again.timeline.time_base)
    assert steps == pytest.approx(1001 / 30000, abs=0.0011)


def test_a_span_of_which_nothing_decodes_is_an_error(made, tmp_path):
    video = tmp_path / "spoilt.mp4"
    data = bytearray(made(RECIPES[0]).read_bytes())
    at = data.index(b"mdat") + 4
    data[at : data.index(b"moov") - 4] = bytes(data.index(b"moov") - 4 - at)
    found = scan(made(RECIPES[0]))
    video.write_bytes(data)
    spoilt = replace(found, info=replace(found.info, path=video))
    with (tmp_path / "out.mp4").open("w+b") as file, pytest.raises(RdmfError, match="decoded"):
        write_span(file, KINDS["mp4"], span_of(spoilt, 0.5, 1.0))
