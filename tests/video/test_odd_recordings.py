"""Files of recorders and players: joined, with several streams, encrypted, HDR, raw."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import av
import numpy as np
import pytest
from barcoded import Recipe, read_barcode
from PIL import Image

from rdmf_cli.errors import RdmfError
from rdmf_cli.video import open_clips, probe

OURS = pytest.mark.parametrize("decoder", ["pyav", "ffmpeg"])
WANTED = [12, 37, 62, 87]  # in four seconds at 25 frames per second, with clips of 1 s


def numbers(path: Path, decoder: str = "auto") -> list[int]:
    with open_clips(path, 1.0, decoder) as reader:
        return [read_barcode(frame.image) for _, frame in reader]


def joined(paths: list[Path], to: Path) -> Path:
    to.write_bytes(b"".join(path.read_bytes() for path in paths))
    return to


class TestJoinedRecordings:
    """`cat a b > c`: time continues, and there is a note."""

    @OURS
    @pytest.mark.parametrize("suffix", ["ts", "mpg", "mkv"])
    def test_time_goes_on_from_the_last_frame(
        self,
        suffix: str,
        decoder: str,
        made: Callable[[Recipe], Path],
        tmp_path: Path,
        ffmpeg_program: str,
    ) -> None:
        codec = "mpeg2video" if suffix == "mpg" else "libx264"
        piece = made(Recipe(f"piece_{suffix}", codec, suffix, frames=100, b_frames=2))
        path = joined([piece, piece], tmp_path / f"both.{suffix}")
        with open_clips(path, 1.0, decoder) as reader:
            got = [read_barcode(frame.image) for _, frame in reader]
            assert "restart once" in reader.info.warnings[0]
            assert reader.info.duration == pytest.approx(8.0, abs=0.1)
        # A Matroska file may lose only the first picture of its second part.
        assert got == WANTED * 2

    @OURS
    @pytest.mark.parametrize(
        ("suffix", "codec"),
        [
            ("flv", "flv"),
            ("mp4", "libx264"),
            ("mov", "mpeg4"),
            ("wmv", "wmv2"),
            ("nut", "mpeg4"),
            ("wtv", "mpeg2video"),
        ],
    )
    def test_a_second_recording_that_is_not_read_is_said(
        self,
        suffix: str,
        codec: str,
        decoder: str,
        made: Callable[[Recipe], Path],
        tmp_path: Path,
        ffmpeg_program: str,
    ) -> None:
        """FFmpeg reads such containers only up to the end of the first recording."""
        piece = made(Recipe(f"first_{suffix}", codec, suffix, frames=100))
        said = f"a second recording begins at byte {piece.stat().st_size:,} and is not read"
        with open_clips(
            joined([piece, piece], tmp_path / f"both.{suffix}"), 1.0, decoder
        ) as reader:
            assert len(list(reader)) == 4
            assert [w for w in reader.info.warnings if said in w]
        assert not [w for w in probe(piece).warnings if "second recording" in w]

    @OURS
    def test_frames_of_one_time_are_said(
        self, decoder: str, made: Callable[[Recipe], Path], tmp_path: Path, ffmpeg_program: str
    ) -> None:
        """In joined MXF files, FFmpeg gives all frames after the first recording the same time."""
        piece = made(Recipe("first_mxf", "mpeg2video", "mxf", frames=100))
        with open_clips(joined([piece, piece], tmp_path / "both.mxf"), 1.0, decoder) as reader:
            assert len(list(reader)) == 4
            assert "frames have the same time" in reader.info.warnings[0]
        assert probe(piece).warnings == ()

    @OURS
    def test_an_avi_without_a_beginning_holds_its_first_frame(
        self, decoder: str, tmp_path: Path, ffmpeg_program: str
    ) -> None:
        """FFmpeg fills the time before with empty chunks; its guess for the first frame is late."""
        late = {"output_ts_offset": "20"}
        recipe = Recipe("late", "libx264", "avi", 50, b_frames=2, container_options=late)
        with open_clips(recipe.make(tmp_path), 2.0, decoder) as reader:
            got = [read_barcode(frame.image) for _, frame in reader]
            assert reader.info.duration == pytest.approx(21.92)  # the value of ffprobe
        assert got == [0] * 10 + [26]

    def test_from_a_high_time_to_a_low_one(self, tmp_path: Path) -> None:
        """FFmpeg reads the fall as an overflow of the counter: 26 hours."""
        late = Recipe("high", "libx264", "ts", 100, times=tuple(range(12500, 12600)))
        early = Recipe("low", "libx264", "ts", 100)
        path = joined([late.make(tmp_path), early.make(tmp_path)], tmp_path / "both.ts")
        assert numbers(path) == WANTED * 2
        assert probe(path).duration == pytest.approx(8.0, abs=0.1)

    def test_many_pieces(self, made: Callable[[Recipe], Path], tmp_path: Path) -> None:
        piece = made(Recipe("piece_ts", "libx264", "ts", frames=100, b_frames=2))
        path = joined([piece] * 5, tmp_path / "all.ts")
        assert numbers(path) == WANTED * 5
        assert "restart 4 times" in probe(path).warnings[0]

    def test_a_hole_in_a_recording_stays_a_hole(self, tmp_path: Path) -> None:
        times = (*range(50), *range(500, 550))
        path = Recipe("hole", "libx264", "ts", 100, times=times).make(tmp_path)
        info = probe(path)
        assert info.duration == pytest.approx(22.0, abs=0.1)
        assert not any("restart" in warning for warning in info.warnings)


def write_streams(path: Path, sizes: list[tuple[int, int]], defaults: list[bool]) -> Path:
    """Write a second of video in each stream; the grey level is 60 times the stream's number."""
    with av.open(str(path), "w") as container:
        streams = []
        for (width, height), default in zip(sizes, defaults, strict=True):
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.disposition = av.stream.Disposition.default if default else 0
            streams.append(stream)
        for pts in range(25):
            for number, stream in enumerate(streams):
                container.mux(stream.encode(grey(stream, 60 * (number + 1), pts)))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


def grey(stream: av.VideoStream, level: int, pts: int) -> av.VideoFrame:
    picture = np.full((stream.height, stream.width, 3), level, np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    frame.pts, frame.time_base = pts, Fraction(1, 25)
    return frame


def watched(path: Path, decoder: str) -> tuple[int, tuple[str, ...]]:
    with open_clips(path, decoder=decoder) as reader:
        level = float(next(iter(reader))[1].image.mean())
        return round(level / 60), reader.info.warnings


class TestSeveralStreams:
    @OURS
    @pytest.mark.parametrize("suffix", ["mp4", "mkv"])
    @pytest.mark.parametrize(
        ("defaults", "number"), [([True, False], 1), ([False, True], 2), ([True, True], 2)]
    )
    def test_the_default_is_watched_then_the_largest(
        self,
        defaults: list[bool],
        number: int,
        suffix: str,
        decoder: str,
        tmp_path: Path,
        ffmpeg_program: str,
    ) -> None:
        sizes = [(160, 96), (320, 192)]
        path = write_streams(tmp_path / f"two.{suffix}", sizes, defaults)
        got, warnings = watched(path, decoder)
        assert got == number
        assert f"2 video streams; number {number}" in warnings[0]

    def test_decord_is_not_asked(self, tmp_path: Path) -> None:
        path = write_streams(tmp_path / "two.mp4", [(160, 96)] * 2, [True, False])
        with pytest.raises(RdmfError, match=r"one of its 2 video streams.*--decoder pyav"):
            watched(path, "decord")

    def test_one_that_begins_in_mid_file_is_said(self, tmp_path: Path) -> None:
        """Two transport streams are joined whose pictures have different numbers (PID)."""
        pieces = []
        for pid in ("256", "768"):
            options = {"mpegts_start_pid": pid, "mpegts_pmt_start_pid": str(int(pid) + 4096)}
            recipe = Recipe(f"pid{pid}", "libx264", "ts", 100, container_options=options)
            pieces.append(recipe.make(tmp_path))
        path = joined(pieces, tmp_path / "pids.ts")
        assert numbers(path) == WANTED
        assert any("begins in the middle" in warning for warning in probe(path).warnings)


KEY = {"encryption_key": "76a6c65c5ea762046bd749a2e632ccbb"}
KEY_ID = {"encryption_kid": "a7e61c373e219033c21091fa607bf3b8"}


class TestEncrypted:
    """No answer from noise, and no advice to copy the file again."""

    def refused(self, path: Path, decoder: str = "auto") -> None:
        with (
            pytest.raises(RdmfError, match=r"is encrypted \(DRM\)"),
            open_clips(path, decoder=decoder) as reader,
        ):
            list(reader)

    @OURS
    @pytest.mark.parametrize("fragments", ["", "frag_keyframe+empty_moov"])
    def test_mp4(self, fragments: str, decoder: str, tmp_path: Path, ffmpeg_program: str) -> None:
        options = {"encryption_scheme": "cenc-aes-ctr", **KEY, **KEY_ID}
        if fragments:
            options["movflags"] = fragments
        recipe = Recipe("secret", "libx264", "mp4", 50, container_options=options)
        self.refused(recipe.make(tmp_path), decoder)

    def test_transport_stream(self, tmp_path: Path) -> None:
        data = bytearray(Recipe("clear", "libx264", "ts", 50).make(tmp_path).read_bytes())
        for at in range(0, len(data), 188):
            if (data[at + 1] & 0x1F) << 8 | data[at + 2] == 0x100:
                data[at + 3] |= 0x80
        (tmp_path / "secret.ts").write_bytes(data)
        self.refused(tmp_path / "secret.ts")

    @pytest.mark.parametrize(
        ("scheme", "entry", "removed"),
        [
            (b"cbcs", b"encv", ()),
            (b"cbcs", b"encv", (b"senc", b"saiz", b"saio")),  # one vector for all samples
            (b"itun", b"drmi", (b"senc", b"saiz", b"saio")),  # FairPlay
        ],
    )
    def test_other_schemes_of_mp4(
        self, scheme: bytes, entry: bytes, removed: tuple[bytes, ...], tmp_path: Path
    ) -> None:
        options = {"encryption_scheme": "cenc-aes-ctr", **KEY, **KEY_ID}
        data = Recipe("secret", "libx264", "mp4", 50, container_options=options).make(tmp_path)
        changed = data.read_bytes().replace(b"cenc", scheme).replace(b"encv", entry)
        for box in removed:
            changed = changed.replace(box, b"free")
        (tmp_path / "other.mp4").write_bytes(changed)
        self.refused(tmp_path / "other.mp4")

    def test_fragments_that_ffmpeg_cannot_open(self, tmp_path: Path) -> None:
        options = {"encryption_scheme": "cenc-aes-ctr", **KEY, **KEY_ID}
        options["movflags"] = "frag_keyframe+empty_moov"
        path = Recipe("secret", "libx264", "mp4", 50, container_options=options).make(tmp_path)
        data = path.read_bytes()
        at = data.index(b"avcC")
        (tmp_path / "other.mp4").write_bytes(data[:at] + b"free" + data[at + 4 :])
        self.refused(tmp_path / "other.mp4")

    def test_samples_of_a_transport_stream(self, tmp_path: Path) -> None:
        self.refused(of_stream_type(0xDB, tmp_path))

    @pytest.mark.parametrize("size", [0, 5, 1 << 31, (1 << 64) - 1])
    def test_a_damaged_size_of_a_box_is_no_crash(self, size: int, tmp_path: Path) -> None:
        """rdmf reads the header of a file that FFmpeg cannot open."""
        large = size >= 1 << 32
        start = (1 if large else size).to_bytes(4, "big") + b"free"
        start += size.to_bytes(8, "big") if large else b""
        path = tmp_path / "damaged.mp4"
        path.write_bytes(start + bytes(100))
        with pytest.raises(RdmfError, match="cannot be read as a video"):
            probe(path)

    @pytest.mark.parametrize("number", [0xEA, 0xD1], ids=["VC-1", "Dirac"])
    def test_a_type_of_stream_that_is_no_character_is_no_crash(
        self, number: int, tmp_path: Path
    ) -> None:
        path = of_stream_type(number, tmp_path)
        with pytest.raises(RdmfError, match="decoded") as caught:
            probe(path)
        assert "DRM" not in str(caught.value)

    def test_dvd(self, tmp_path: Path) -> None:
        data = bytearray(Recipe("clear", "mpeg2video", "vob", 50).make(tmp_path).read_bytes())
        at = data.find(b"\x00\x00\x01\xe0")
        while at >= 0:
            data[at + 6] |= 0x10
            at = data.find(b"\x00\x00\x01\xe0", at + 4)
        (tmp_path / "secret.mpg").write_bytes(data)
        self.refused(tmp_path / "secret.mpg")

    def test_wmv(self, tmp_path: Path) -> None:
        """An object for the extended content encryption is put at the end of the header."""
        data = Recipe("clear", "mpeg4", "asf", 50).make(tmp_path).read_bytes()
        secret = b"\0" * 8
        mark = UUID("298ae614-2622-4c17-b935-dae07ee9289c").bytes_le
        added = mark + (24 + len(secret)).to_bytes(8, "little") + secret
        size = int.from_bytes(data[16:24], "little")
        count = int.from_bytes(data[24:28], "little")
        head = data[:16] + (size + len(added)).to_bytes(8, "little")
        head += (count + 1).to_bytes(4, "little") + data[28:size]
        (tmp_path / "secret.wmv").write_bytes(head + added + data[size:])
        self.refused(tmp_path / "secret.wmv")

    def test_matroska(self, tmp_path: Path) -> None:
        """The track's name is long here; its bytes are replaced by a description of the key."""
        name = "x" * 100
        path = tmp_path / "clear.mkv"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
            stream.metadata["title"] = name
            for pts in range(50):
                container.mux(stream.encode(grey(stream, 100, pts)))
            container.mux(stream.encode(None))
        data = path.read_bytes()
        at = data.index(name.encode())
        assert data[at - 3 : at] == b"\x53\x6e" + bytes([0x80 | len(name)])
        room = 3 + len(name)
        key = element("47e1", b"\x05") + element("47e2", b"a key by name")
        parts = element("5031", b"\0") + element("5032", b"\1") + element("5033", b"\1")
        coding = element("6d80", element("6240", parts + element("5035", key)))
        rest = room - len(coding) - 2
        new = coding + bytes([0xEC, 0x80 | rest]) + bytes(rest)
        (tmp_path / "secret.mkv").write_bytes(data[: at - 3] + new + data[at - 3 + room :])
        self.refused(tmp_path / "secret.mkv")


def of_stream_type(number: int, folder: Path) -> Path:
    """Make a transport stream of H.264 whose table of streams states another type."""
    data = bytearray(Recipe("clear", "libx264", "ts", 50).make(folder).read_bytes())
    for at in range(0, len(data), 188):
        if data[at + 1] & 0x40 and data[at + 5] == 2:
            begin, end = at + 5, at + 8 + (data[at + 6] & 0x0F) * 256 + data[at + 7]
            data[data.index(b"\x1b\xe1\x00", begin, end)] = number
            data[end - 4 : end] = checksum(data[begin : end - 4])
    path = folder / f"type_{number:x}.ts"
    path.write_bytes(data)
    return path


def checksum(section: bytes) -> bytes:
    """CRC-32 of MPEG-2 (ISO/IEC 13818-1, annex A)."""
    rest = 0xFFFFFFFF
    for byte in section:
        rest ^= byte << 24
        for _ in range(8):
            rest = (rest << 1 ^ (0x04C11DB7 if rest >> 31 else 0)) & 0xFFFFFFFF
    return rest.to_bytes(4, "big")


def element(number: str, content: bytes) -> bytes:
    """An EBML element of less than 127 bytes."""
    return bytes.fromhex(number) + bytes([0x80 | len(content)]) + content


def encoded(path: Path, codec: str, pictures: Iterator[av.VideoFrame], **colours: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=5, options={"x265-params": "log-level=none"})
        for pts, frame in enumerate(pictures):
            if not pts:
                stream.width, stream.height = frame.width, frame.height
                stream.pix_fmt = frame.format.name
                for name, value in colours.items():
                    setattr(stream.codec_context, name, value)
            frame.pts, frame.time_base = pts, Fraction(1, 5)
            for name, value in colours.items():
                setattr(frame, name, value)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def plain(red: int, green: int, blue: int, pixels: str, matrix: int) -> av.VideoFrame:
    """Make a frame of one colour, with code values of 16 bits, in YCbCr by a matrix."""
    image = np.empty((96, 160, 3), np.uint16)
    image[:] = (red, green, blue)
    frame = av.VideoFrame.from_ndarray(image, format="rgb48le")
    return frame.reformat(format=pixels, dst_colorspace=matrix)


BT2020_TABLE = 9  # its number in swscale and in H.273


class TestColours:
    @OURS
    @pytest.mark.parametrize("matrix", [8, 10, 11, 12, 13, 14, 15])
    def test_a_matrix_without_a_table_is_converted_by_the_nearest(
        self, matrix: int, decoder: str, tmp_path: Path, ffmpeg_program: str
    ) -> None:
        grey = (plain(30000, 30000, 30000, "yuv420p", 1) for _ in range(5))
        path = encoded(tmp_path / "m.mkv", "libx265", grey, colorspace=matrix)
        with open_clips(path, decoder=decoder) as reader:
            image = next(iter(reader))[1].image
            assert np.abs(image.reshape(-1, 3).mean(0) - 30000 / 257).max() < 4
            assert "cannot be converted" in reader.info.warnings[0]

    def test_the_nearest_to_bt2020_constant_luminance(self, tmp_path: Path) -> None:
        colour = (plain(50000, 20000, 10000, "yuv420p", BT2020_TABLE) for _ in range(5))
        path = encoded(tmp_path / "m.mkv", "libx265", colour, colorspace=10)
        with open_clips(path) as reader:
            image = next(iter(reader))[1].image
        assert (
            np.abs(image.reshape(-1, 3).mean(0) - np.array([50000, 20000, 10000]) / 257).max() < 6
        )

    @OURS
    @pytest.mark.parametrize("curve", ["pq", "hlg"])
    def test_hdr_is_shown_as_on_an_ordinary_screen(
        self, curve: str, decoder: str, tmp_path: Path, ffmpeg_program: str
    ) -> None:
        """White of 203 cd/m² (ITU-R BT.2408) is white, not grey, and grey stays neutral."""
        code, number = (0.5807, 16) if curve == "pq" else (0.75, 18)
        level = round(code * 65535)
        white = (plain(level, level, level, "yuv420p10le", BT2020_TABLE) for _ in range(5))
        colours = {"colorspace": 9, "color_primaries": 9, "color_trc": number}
        path = encoded(tmp_path / "hdr.mkv", "libx265", white, **colours)
        with open_clips(path, decoder=decoder) as reader:
            mean = next(iter(reader))[1].image.reshape(-1, 3).mean(0)
        assert mean.min() > 225, mean
        assert mean.max() - mean.min() < 6


class TestRawStreams:
    @OURS
    @pytest.mark.parametrize(("suffix", "codec"), [("h264", "libx264"), ("hevc", "libx265")])
    @pytest.mark.parametrize("rate", [30, 50])
    def test_are_timed_by_the_rate_in_their_pictures(
        self,
        rate: int,
        suffix: str,
        codec: str,
        decoder: str,
        tmp_path: Path,
        ffmpeg_program: str,
    ) -> None:
        options = {"x265-params": "log-level=none"}
        recipe = Recipe("raw", codec, suffix, 4 * rate, rate=Fraction(rate), options=options)
        path = recipe.make(tmp_path)
        assert probe(path).duration == pytest.approx(4.0, abs=0.01)
        assert numbers(path, decoder) == [recipe.expected(Fraction(1), n) for n in range(4)]


LATE_BY = 6  # seconds that the sound begins before the picture


def late(suffix: str, folder: Path) -> Path:
    times = tuple(range(LATE_BY * 25, LATE_BY * 25 + 100))
    recipe = Recipe(f"late_{suffix}", "libx264", suffix, 100, times=times, b_frames=2, sound=True)
    return recipe.make(folder)


class TestPictureThatBeginsAfterTheSound:
    """Times are the player's times: they count from the earliest stream."""

    def test_the_clock_of_a_transport_stream(self, tmp_path: Path) -> None:
        """In such a file, `ffmpeg -ss` does not always seek to the requested time."""
        clock = probe(late("ts", tmp_path)).clock
        assert clock.begins == pytest.approx(LATE_BY, abs=0.1)
        assert clock.duration == pytest.approx(LATE_BY + 4, abs=0.1)

    @pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "flv"])
    def test_the_clock_is_that_of_ffmpeg_ss(
        self, suffix: str, tmp_path: Path, ffmpeg_program: str
    ) -> None:
        path = late(suffix, tmp_path)
        info = probe(path)
        assert info.duration == pytest.approx(4.0, abs=0.01)
        assert info.clock.begins == pytest.approx(LATE_BY, abs=0.1)
        assert info.clock.duration == pytest.approx(LATE_BY + 4, abs=0.1)
        with open_clips(path, 1.0) as reader:
            for _, frame in reader:
                at = info.clock.begins + frame.time.seconds
                assert read_barcode(frame.image) == shown_at(path, at, tmp_path, ffmpeg_program)

    def test_a_part_is_given_in_the_players_times(self, tmp_path: Path) -> None:
        path = late("mp4", tmp_path)
        with open_clips(path, 1.0, start=8.0, end=9.5) as reader:
            assert [clip for clip, _ in reader] == [2, 3]
        with open_clips(path, 1.0, start=2.0, end=6.5) as reader:
            assert [clip for clip, _ in reader] == [0]
        with pytest.raises(
            RdmfError, match=r"--end is 5 s, but the first picture is shown at 6\.0 s"
        ):
            open_clips(path, 1.0, end=5.0)
        with pytest.raises(RdmfError, match=r"--start is 11 s, but the video ends at 10\.0 s"):
            open_clips(path, 1.0, start=11.0)

    def test_a_picture_that_begins_first_begins_at_0(self, made: Callable[[Recipe], Path]) -> None:
        for suffix in ("mp4", "mkv", "ts", "avi"):
            clock = probe(made(Recipe(f"plain_{suffix}", "libx264", suffix, 50))).clock
            assert clock.begins == 0
            assert clock.duration == pytest.approx(2.0, abs=0.05)


def shown_at(path: Path, seconds: float, folder: Path, program: str) -> int:
    """Return the number of the frame that `ffmpeg -ss` shows at a time, to half a frame."""
    picture = folder / "shown.png"
    at = f"{seconds - 0.02:.3f}"
    options = ["-v", "error", "-y", "-i", str(path), "-ss", at, "-frames:v", "1", str(picture)]
    subprocess.run([program, *options], check=True)
    return read_barcode(np.asarray(Image.open(picture).convert("RGB")))
