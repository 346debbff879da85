"""Which decoder is taken, and what is said where one is missing, hangs or dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from barcoded import Recipe, read_barcode

from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.video import open_clips, probe
from rdmf_cli.video.decoders import Picture, Scan, Tally, decord, ffmpeg, pyav

PLAIN = Recipe("plain", "libx264", "mp4", b_frames=2)
VP9 = Recipe("plain_vp9", "libvpx-vp9", "webm", options={"deadline": "realtime", "cpu-used": "8"})
WANTED_OF_PLAIN = [24, 74, 124]


def numbers(path: Path, decoder: str) -> list[int]:
    with open_clips(path, decoder=decoder) as reader:
        return [read_barcode(frame.image) for _, frame in reader]


class TestAuto:
    def test_is_pyav_where_nothing_speaks_for_another(self, made: Callable[[Recipe], Path]) -> None:
        for recipe in (PLAIN, VP9):
            with open_clips(made(recipe)) as reader:
                assert reader.decoder == "pyav"

    def test_turns_to_ffmpeg_for_what_pyav_cannot_open(
        self,
        made: Callable[[Recipe], Path],
        ffmpeg_program: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def closed(path: Path) -> Scan:
            raise RdmfError("cannot be read as a video", path)

        monkeypatch.setattr(pyav, "scan", closed)
        with open_clips(made(PLAIN)) as reader:
            assert reader.decoder == "ffmpeg"
            assert [read_barcode(frame.image) for _, frame in reader] == WANTED_OF_PLAIN
        assert probe(made(PLAIN)).codec == "h264"

    def test_takes_decord_where_it_is_exact_and_quicker_on_this_very_file(
        self, made: Callable[[Recipe], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(decord, "LONG_SECONDS", 1.0)
        monkeypatch.setattr(decord, "CLEARLY_LESS", 1000.0)
        with open_clips(made(VP9)) as reader:
            assert reader.decoder == "decord"
            assert [read_barcode(frame.image) for _, frame in reader] == WANTED_OF_PLAIN
        with open_clips(made(PLAIN)) as reader:
            assert reader.decoder == "pyav"  # H.264 is not worth a trial
        monkeypatch.setattr(decord, "CLEARLY_LESS", 0.0)
        with open_clips(made(VP9)) as reader:
            assert reader.decoder == "pyav"

    def test_pyav_takes_over_where_decord_fails_after_all(
        self, made: Callable[[Recipe], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(decord, "wins", lambda scan: True)
        edited = Recipe("edited_again", "libx264", "mp4", hidden=37)
        with open_clips(made(edited)) as reader:
            assert [read_barcode(frame.image) for _, frame in reader] == [61, 111]
            assert "PyAV took over" in reader.failures.messages[-1]


def test_an_unknown_decoder_is_a_usage_error(made: Callable[[Recipe], Path]) -> None:
    with pytest.raises(UsageError, match="choose from auto, pyav, ffmpeg, decord"):
        open_clips(made(PLAIN), decoder="nvdec")


class TestDecord:
    def test_says_when_it_is_not_installed(
        self, made: Callable[[Recipe], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(decord, "find_spec", lambda name: None)
        with pytest.raises(RdmfError, match=r"not installed.*--decoder pyav"):
            open_clips(made(PLAIN), decoder="decord")

    def test_is_stopped_when_it_falls_silent(
        self, made: Callable[[Recipe], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(decord, "SILENCE_SECONDS", 0.001)
        with pytest.raises(RdmfError, match=r"gave nothing for 0\.001 s and was stopped"):
            numbers(made(PLAIN), "decord")

    def test_its_crash_is_an_error_and_not_ours(
        self, made: Callable[[Recipe], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "decord.py").write_text("import os\nos._exit(11)\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        with pytest.raises(RdmfError, match=r"it crashed.*11"):
            numbers(made(PLAIN), "decord")

    def test_says_what_it_is_known_to_get_wrong(self, made: Callable[[Recipe], Path]) -> None:
        transport = Recipe("transported", "libx264", "ts", b_frames=2)
        with open_clips(made(transport), decoder="decord") as reader:
            list(reader)
            assert "known to go wrong" in reader.failures.messages[0]

    def test_its_child_is_gone_when_reading_stops_early(
        self, made: Callable[[Recipe], Path]
    ) -> None:
        scanned = pyav.scan(made(PLAIN))
        pictures = decord.pictures(scanned, scanned.timeline.shown, Tally())
        first: Picture = next(pictures)
        pictures.close()  # type: ignore[attr-defined]
        assert first.pts == 0
        with pytest.raises(StopIteration):
            next(pictures)


class TestFfmpegProgram:
    @pytest.mark.parametrize(
        ("system", "line"),
        [("linux", "apt install"), ("darwin", "brew install"), ("win32", "winget install")],
    )
    def test_a_missing_program_is_told_with_the_line_that_installs_it(
        self,
        system: str,
        line: str,
        made: Callable[[Recipe], Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        path = made(PLAIN)
        monkeypatch.delenv("RDMF_FFMPEG", raising=False)
        monkeypatch.setenv("PATH", "")
        monkeypatch.setattr(sys, "platform", system)
        with pytest.raises(RdmfError, match=f"{line} ffmpeg"):
            open_clips(path, decoder="ffmpeg")

    def test_a_wrong_rdmf_ffmpeg_is_named(
        self, made: Callable[[Recipe], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RDMF_FFMPEG", os.devnull)
        with pytest.raises(RdmfError, match="RDMF_FFMPEG"):
            open_clips(made(PLAIN), decoder="ffmpeg")

    def test_the_main_job_needs_no_program(
        self, made: Callable[[Recipe], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = made(PLAIN)
        monkeypatch.delenv("RDMF_FFMPEG", raising=False)
        monkeypatch.setenv("PATH", "")
        assert numbers(path, "auto") == WANTED_OF_PLAIN

    def test_knows_what_pyav_knows_of_a_file(
        self, made: Callable[[Recipe], Path], ffmpeg_program: str
    ) -> None:
        for recipe in (PLAIN, VP9, Recipe("turned_again", "libx264", "mov", matrix=(0, 1, -1, 0))):
            ours, theirs = pyav.scan(made(recipe)), ffmpeg.scan(made(recipe))
            assert np.array_equal(ours.timeline.shown, theirs.timeline.shown)
            for name in ("duration", "width", "height", "rotation", "codec", "container", "start"):
                assert getattr(ours.info, name) == getattr(theirs.info, name), name

    @pytest.mark.parametrize("content", [b"just text\n" * 100, b"\0" * 5000])
    def test_refuses_what_is_no_video(
        self, content: bytes, tmp_path: Path, ffmpeg_program: str
    ) -> None:
        (tmp_path / "note.mp4").write_bytes(content)
        with pytest.raises(RdmfError, match="no video"):
            open_clips(tmp_path / "note.mp4", decoder="ffmpeg")

    def test_selects_thousands_of_frames(self) -> None:
        """Its expression is a search tree: its depth grows with the logarithm."""
        expression = ffmpeg.is_one_of("n", list(range(0, 60_000, 7)))
        depth = deepest = 0
        for letter in expression:
            depth += (letter == "(") - (letter == ")")
            deepest = max(deepest, depth)
        assert deepest < 20
