"""The choice of a decoder, and the messages if a decoder is missing, hangs or crashes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from barcoded import Recipe, read_barcode
from cli_shell import run_here

from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.video import open_clips, probe
from rdmf_cli.video.decoders import decord, ffmpeg, pyav
from rdmf_cli.video.decoders.base import Picture, Scan, Tally

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

    def test_never_takes_decord(
        self, made: Callable[[Recipe], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """decord contains an old FFmpeg: it may read videos of unknown origin only on request."""
        monkeypatch.setattr(decord, "pictures", None)
        assert numbers(made(VP9), "auto") == WANTED_OF_PLAIN


def test_an_unknown_decoder_is_a_usage_error(made: Callable[[Recipe], Path]) -> None:
    with pytest.raises(UsageError, match="choose one of: auto, pyav, ffmpeg, decord"):
        open_clips(made(PLAIN), decoder="nvdec")


class TestDecord:
    def test_says_when_it_is_not_installed(
        self, made: Callable[[Recipe], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(decord, "find_spec", lambda name: None)
        with pytest.raises(RdmfError, match=r"not installed.*--decoder pyav"):
            open_clips(made(PLAIN), decoder="decord")

    def test_is_not_mistaken_for_decord2(
        self, made: Callable[[Recipe], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """decord2 is imported as decord, too, and on some systems it is the only one of the two."""
        folder = tmp_path / "decord2-3.4.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: decord2\nVersion: 3.4.0\n")
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(RdmfError, match=r"decord2 is installed.*--decoder pyav"):
            open_clips(made(PLAIN), decoder="decord")

    def test_is_stopped_when_it_falls_silent(
        self, made: Callable[[Recipe], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(decord, "SILENCE_SECONDS", 0.001)
        with pytest.raises(RdmfError, match=r"returned nothing for 0\.001 s and was stopped"):
            numbers(made(PLAIN), "decord")

    def test_its_crash_is_an_error_and_not_ours(
        self, made: Callable[[Recipe], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "decord.py").write_text("import os\nos._exit(11)\n")
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(RdmfError, match=r"it crashed.*11"):
            numbers(made(PLAIN), "decord")

    def test_its_early_end_is_an_error_of_the_command(
        self, made: Callable[[Recipe], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """A broken pipe to the child process is an error; a broken pipe to the reader is not."""
        ends_at_once = tmp_path / "child.py"
        ends_at_once.touch()
        monkeypatch.setattr(decord, "CHILD", str(ends_at_once))
        monkeypatch.setattr(decord, "index_of_frames", lambda *_: np.zeros(500_000, np.int64))
        told = run_here("query", made(PLAIN), "a", "--decoder", "decord")
        assert told.returncode == 1
        assert "decord failed: it crashed" in told.stderr

    def test_its_child_runs_no_code_of_the_working_directory(
        self, made: Callable[[Recipe], Path], tmp_path: Path
    ) -> None:
        for module in ("decord", "struct", "numpy"):
            mark = f"open({str(tmp_path / 'marker')!r}, 'a').write({module!r})"
            (tmp_path / f"{module}.py").write_text(mark)
        script = (
            "import sys; here = sys.path.pop(0); from pathlib import Path\n"
            "from rdmf_cli.video import open_clips\n"
            "sys.path.insert(0, here)\n"
            "print(sum(1 for _ in open_clips('film.mp4', decoder='decord')))"
        )
        (tmp_path / "film.mp4").write_bytes(made(PLAIN).read_bytes())
        path = os.pathsep.join(filter(None, sys.path))
        told = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
        )
        assert (told.stdout, told.stderr) == ("3\n", "")
        assert not (tmp_path / "marker").exists()

    def test_says_what_it_is_known_to_get_wrong(self, made: Callable[[Recipe], Path]) -> None:
        transport = Recipe("transported", "libx264", "ts", b_frames=2)
        with open_clips(made(transport), decoder="decord") as reader:
            list(reader)
            assert "known to fail" in reader.failures.messages[0]

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

    @pytest.mark.parametrize("entry", ["", ".", "{here}"])
    def test_a_program_in_the_working_directory_is_not_run(
        self,
        entry: str,
        made: Callable[[Recipe], Path],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        (tmp_path / "ffmpeg").write_text("#!/bin/sh\ntouch marker\n")
        (tmp_path / "ffmpeg").chmod(0o755)
        monkeypatch.delenv("RDMF_FFMPEG", raising=False)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PATH", f"{entry.format(here=tmp_path)}{os.pathsep}{tmp_path}/none")
        with pytest.raises(RdmfError, match="not installed"):
            open_clips(made(PLAIN), decoder="ffmpeg")
        assert not (tmp_path / "marker").exists()

    @pytest.mark.parametrize("limit", ["SILENCE_SECONDS", "VERSION_SECONDS"])
    def test_is_stopped_when_it_makes_no_progress(
        self,
        limit: str,
        made: Callable[[Recipe], Path],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        silent = "" if limit == "VERSION_SECONDS" else '[ "$1" = -version ] || '
        (tmp_path / "slow").write_text(f"#!/bin/sh\n{silent}exec sleep 600\n")
        (tmp_path / "slow").chmod(0o755)
        monkeypatch.setenv("RDMF_FFMPEG", str(tmp_path / "slow"))
        monkeypatch.setattr(ffmpeg, limit, 0.3)
        with pytest.raises(RdmfError, match=r"no progress .* was stopped|timed out after 0\.3"):
            numbers(made(PLAIN), "ffmpeg")

    def test_is_at_work_while_it_looks_for_a_frame_far_ahead(
        self, made: Callable[[Recipe], Path], ffmpeg_program: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The log shows progress every few frames, long before the first picture arrives."""
        scanned = pyav.scan(made(PLAIN))
        seen: list[bytes] = []
        monkeypatch.setattr(ffmpeg._Log, "follow", lambda self, line: seen.append(line))
        monkeypatch.setattr(ffmpeg, "LOG_LAGS_SECONDS", 0.1)
        with pytest.raises(RdmfError, match="did not report"):
            list(ffmpeg.pictures(scanned, scanned.timeline.shown[-1:], Tally()))
        assert sum(b"showinfo@beat" in line for line in seen) >= 15

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
            ours, theirs = pyav.scan(made(recipe)), ffmpeg.scan_alone(made(recipe))
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
        """The expression is a search tree, so its depth grows with the logarithm."""
        expression = ffmpeg.is_one_of("n", list(range(0, 60_000, 7)))
        depth = deepest = 0
        for letter in expression:
            depth += (letter == "(") - (letter == ")")
            deepest = max(deepest, depth)
        assert deepest < 20
