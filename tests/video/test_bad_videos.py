"""Damaged or mislabelled files, and files that are no videos: a helpful error, or a warning."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from barcoded import Recipe, read_barcode, write_silence

from rdmf_cli.errors import RdmfError
from rdmf_cli.video import open_clips, probe

MP4 = Recipe("whole", "libx264", "mp4", frames=300, b_frames=2)
FAST_START = Recipe(
    "fast_start", "libx264", "mp4", frames=300, container_options={"movflags": "faststart"}
)
MKV = Recipe("whole_mkv", "libx264", "mkv", frames=300, b_frames=2)
TS = Recipe("whole_ts", "libx264", "ts", frames=300, b_frames=2)
AVI = Recipe("whole_avi", "mpeg4", "avi", frames=300)


def copy_of(path: Path, folder: Path, change: Callable[[bytes], bytes]) -> Path:
    copy = folder / path.name
    copy.write_bytes(change(path.read_bytes()))
    return copy


def first_part(share: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(len(data) * share)]


def error_of(path: Path) -> RdmfError:
    with pytest.raises(RdmfError) as caught:
        probe(path)
    assert caught.value.subject == str(path)
    assert caught.value.todo
    return caught.value


class TestNoVideo:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        assert "no such file" in error_of(tmp_path / "missing.mp4").what

    def test_a_directory(self, tmp_path: Path) -> None:
        assert "is a folder" in error_of(tmp_path).what

    def test_a_pipe(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.mp4")
        assert "not a regular file" in error_of(tmp_path / "pipe.mp4").what

    def test_an_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "empty.mp4").touch()
        assert "0 bytes" in error_of(tmp_path / "empty.mp4").what

    @pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi", "gif"])
    def test_text_renamed(self, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"notes.{suffix}"
        path.write_text("These are notes, not a film.\n" * 200)
        assert "cannot be read as a video" in error_of(path).what

    def test_sound_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "song.m4a"
        with av.open(str(path), "w") as container:
            write_silence(container, container.add_stream("aac", rate=16000), 2.0)
        assert "only sound" in error_of(path).what

    def test_sound_with_cover_art(self, tmp_path: Path) -> None:
        path = tmp_path / "album.mp4"
        with av.open(str(path), "w") as container:
            cover = container.add_stream("mjpeg", rate=1)
            cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
            cover.disposition = av.stream.Disposition.attached_pic.value
            sound = container.add_stream("aac", rate=16000)
            container.mux(cover.encode(av.VideoFrame(64, 64, "yuvj420p")))
            container.mux(cover.encode(None))
            write_silence(container, sound, 2.0)
        assert "only sound" in error_of(path).what

    def test_no_permission(self, made: Callable[[Recipe], Path]) -> None:
        """Root can read every file, so if root runs the tests, the user nobody asks."""
        script = """
import os, sys
from rdmf_cli.video import open_clips, probe
from rdmf_cli.errors import RdmfError
import rdmf_cli.video.decoders.pyav
if os.geteuid() == 0:
    os.setuid(65534)
try:
    probe(sys.argv[1])
except RdmfError as error:
    print(error)
"""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            secret = Path(folder) / "secret.mp4"
            secret.write_bytes(made(MP4).read_bytes())
            secret.chmod(0)
            said = subprocess.run(
                [sys.executable, "-c", script, str(secret)],
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            ).stdout
        assert "no permission" in said
        assert "chmod" in said

    def test_an_unknown_codec(self, made: Callable[[Recipe], Path], tmp_path: Path) -> None:
        path = copy_of(made(MP4), tmp_path, lambda data: data.replace(b"avc1", b"zzzz"))
        assert "codec" in error_of(path).what
        assert "ffmpeg" in error_of(path).todo

    def test_a_video_without_frames(self, made: Callable[[Recipe], Path], tmp_path: Path) -> None:
        """The header is complete, and the pictures are zeros."""
        path = copy_of(made(FAST_START), tmp_path, zero_the_pictures)
        error = error_of(path)
        assert "can be decoded" in error.what
        assert "again" not in error.todo  # the file is complete
        assert "convert it" in error.todo

    def test_a_new_copy_is_advised_where_the_file_is_cut_off(
        self, made: Callable[[Recipe], Path], tmp_path: Path
    ) -> None:
        path = copy_of(
            made(FAST_START), tmp_path, lambda data: first_part(0.6)(zero_the_pictures(data))
        )
        error = error_of(path)
        assert "can be decoded" in error.what
        assert error.todo == "copy or download it again"

    def test_a_name_like_a_protocol_is_a_name(
        self, made: Callable[[Recipe], Path], tmp_path: Path
    ) -> None:
        path = tmp_path / "https:film.mp4"
        path.write_bytes(made(MP4).read_bytes())
        assert probe(path).n_frames == 300


def zero_the_pictures(data: bytes) -> bytes:
    at = data.index(b"mdat") + 4
    return data[:at] + bytes(len(data) - at)


class TestCutShort:
    def test_an_mp4_without_its_index_is_an_error(
        self, made: Callable[[Recipe], Path], tmp_path: Path
    ) -> None:
        path = copy_of(made(MP4), tmp_path, first_part(0.5))
        error = error_of(path)
        assert "cannot be read as a video" in error.what
        assert "completely" in error.todo

    @pytest.mark.parametrize("recipe", [MKV, TS, AVI, FAST_START], ids=str)
    def test_other_files_are_answered_as_far_as_they_go(
        self, recipe: Recipe, made: Callable[[Recipe], Path], tmp_path: Path
    ) -> None:
        path = copy_of(made(recipe), tmp_path, first_part(0.603))
        with open_clips(path, 1.0) as reader:
            got = [read_barcode(frame.image) for _, frame in reader]
            assert 4 <= len(got) <= 9
            assert got[:-1] == [12 + 25 * clip for clip in range(len(got) - 1)]
            assert "cut short" in reader.info.warnings[0]
            assert f"{reader.info.duration:.1f} s" in reader.info.warnings[0]

    def test_damage_in_the_middle_is_counted_and_survived(
        self, made: Callable[[Recipe], Path], tmp_path: Path
    ) -> None:
        path = copy_of(made(FAST_START), tmp_path, damage_frames(100, 150))
        with open_clips(path, 1.0) as reader:
            got = [read_barcode(frame.image) for _, frame in reader]
            assert len(got) == 12
            assert got[:4] == [12, 37, 62, 87]
            assert got[-5:] == [187, 212, 237, 262, 287]
            assert reader.failures.errors > 0
            assert reader.failures.count == 2  # the clips in the gap have older frames
            assert "could not be decoded" in reader.failures.messages[0]

    def test_clips_of_which_none_decodes_are_no_answer(
        self, made: Callable[[Recipe], Path], tmp_path: Path
    ) -> None:
        """The first pictures decode, and would replace the frames of all requested clips."""
        path = copy_of(made(FAST_START), tmp_path, damage_frames(5, 300))
        with open_clips(path, 1.0, start=1) as reader, pytest.raises(RdmfError) as caught:
            list(reader)
        assert "could decode none of its frames" in caught.value.what
        with open_clips(path, 1.0) as reader:
            assert len(list(reader)) == 12
            assert reader.failures.count == 11


def damage_frames(first: int, last: int) -> Callable[[bytes], bytes]:
    """Overwrite packets [first, last) of an MP4 file with zeros, each in its full length."""

    def change(data: bytes) -> bytes:
        with av.open(io.BytesIO(data)) as container:
            spans = [(packet.pos, packet.size) for packet in container.demux(video=0)]
        out = bytearray(data)
        for start, size in spans[first:last]:
            out[start : start + size] = bytes(size)
        return bytes(out)

    return change


class TestAbsurdHeaders:
    """The packets count, not the header: the result is neither a year of clips nor no clip."""

    @pytest.mark.parametrize("seconds", [0, 1, 31_536_000])
    def test_an_mp4_that_lies_about_its_duration(
        self, seconds: int, made: Callable[[Recipe], Path], tmp_path: Path
    ) -> None:
        path = copy_of(made(MP4), tmp_path, mp4_claiming(seconds))
        with open_clips(path) as reader:
            got = [read_barcode(frame.image) for _, frame in reader]
        assert got == [24 + 50 * clip for clip in range(6)]
        assert reader.info.duration == 12.0
        if seconds == 1:  # FFmpeg itself does not pass on the other two
            assert "the header states 1.0 s, the packets last 12.0 s" in reader.info.warnings[0]

    def test_an_mkv_that_lies_about_its_duration(
        self, made: Callable[[Recipe], Path], tmp_path: Path
    ) -> None:
        path = copy_of(made(MKV), tmp_path, mkv_claiming(1e12))
        info = probe(path)
        assert info.duration == 12.0
        assert "the packets last 12.0 s" in info.warnings[0]

    @pytest.mark.parametrize("decoder", ["pyav", "ffmpeg"])
    @pytest.mark.parametrize("shape", [Fraction(5000), Fraction(1, 5000), Fraction(2)], ids=str)
    def test_pixels_more_oblong_than_any_are_taken_as_square(
        self,
        shape: Fraction,
        decoder: str,
        made: Callable[[Recipe], Path],
        ffmpeg_program: str,
    ) -> None:
        name = f"pixels_{shape.numerator}_{shape.denominator}"
        path = made(Recipe(name, "libx264", "mp4", frames=25, pixel_shape=shape))
        with open_clips(path, 1.0, decoder=decoder) as reader:
            ((_, frame),) = reader
        assert frame.image.shape == (96, 320 if shape == 2 else 160, 3)

    def test_an_honest_file_gives_no_warning(self, made: Callable[[Recipe], Path]) -> None:
        for recipe in (MP4, MKV, TS, AVI, FAST_START):
            assert probe(made(recipe)).warnings == ()


def mp4_claiming(seconds: int) -> Callable[[bytes], bytes]:
    """Rewrite the durations of the movie and the media header (ISO/IEC 14496-12, version 0)."""

    def change(data: bytes) -> bytes:
        for box in (b"mvhd", b"mdhd"):
            at = data.index(box) + 16
            (timescale,) = struct.unpack(">I", data[at : at + 4])
            new = struct.pack(">I", min(seconds * timescale, 0x7FFFFFFF))
            data = data[: at + 4] + new + data[at + 8 :]
        return data

    return change


def mkv_claiming(milliseconds: float) -> Callable[[bytes], bytes]:
    """Rewrite the segment's Duration element (id 0x4489, an eight-byte float)."""

    def change(data: bytes) -> bytes:
        at = data.index(b"\x44\x89\x88") + 3
        return data[:at] + struct.pack(">d", milliseconds) + data[at + 8 :]

    return change


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_a_title_that_is_not_utf8_is_no_hindrance(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"titled.{suffix}"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Caxe"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(160, 96, "yuv420p")))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes().replace(b"Caxe", b"Caf\xe9"))
    assert probe(path).n_frames == 1
