"""--transcribe: real speech-to-text code with a model of random weights (its words are random)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import av
import faster_whisper
import numpy as np
import pytest
import tiny_whisper
from typer.testing import CliRunner

from rdmf_cli.cli.app import app
from rdmf_cli.errors import MissingExtra, RdmfError
from rdmf_cli.features import FeatureStore
from rdmf_cli.features.said import said_in
from rdmf_cli.features.said.transcribing import transcribed

SECONDS = 4


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(tiny_whisper.save(tmp_path_factory.mktemp("whisper") / "model", seed=2))


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    return filmed(tmp_path_factory.mktemp("film") / "film.mkv", delay=0.0)


def filmed(path: Path, delay: float | None) -> Path:
    """A film of four seconds with noise that begins `delay` seconds late; None: without sound."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as made:
        pictures = made.add_stream("mpeg4", rate=5)
        pictures.width = pictures.height = 64
        sound = None if delay is None else made.add_stream("pcm_s16le", rate=22_050)
        if sound is not None:
            sound.layout = "mono"
        for n in range(5 * SECONDS):
            frame = av.VideoFrame.from_ndarray(
                rng.integers(0, 255, (64, 64, 3), dtype=np.uint8), format="rgb24"
            )
            frame.pts = n
            made.mux(pictures.encode(frame))
        made.mux(pictures.encode(None))
        if sound is not None:
            noise = rng.integers(-8000, 8000, (1, 22_050 * 3), dtype=np.int16)
            for at in range(0, noise.shape[1], 1024):
                piece = np.ascontiguousarray(noise[:, at : at + 1024])
                heard = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
                heard.sample_rate, heard.pts = 22_050, at + int((delay or 0) * 22_050)
                made.mux(sound.encode(heard))
            made.mux(sound.encode(None))
    return path


def test_what_a_model_writes_are_lines_within_the_sound(film, model):
    said = transcribed(film, model)
    assert said.lines
    assert all(0 <= line.start < line.end <= 3.01 for line in said.lines)
    assert said.source == f"transcript by {model}"


def test_times_count_from_the_start_of_the_video(film, model, tmp_path):
    late = transcribed(filmed(tmp_path / "late.mkv", delay=1.0), model)
    early = transcribed(film, model)
    for one, other in zip(late.lines, early.lines, strict=True):
        assert one.start == pytest.approx(other.start + 1.0, abs=0.05)


def test_a_transcript_is_made_once(film, model, tmp_path, monkeypatch):
    store = FeatureStore(tmp_path / "cache")
    first = said_in(film, "auto", store, model)
    assert first.lines
    monkeypatch.delattr(faster_whisper, "WhisperModel")
    assert said_in(film, "auto", store, model) == first


def test_the_video_is_hashed_once(film, model, tmp_path, monkeypatch):
    hashed = []
    real = said_in.__globals__["content_fingerprint"]

    def counted(path, size):
        hashed.append(path)
        return real(path, size)

    monkeypatch.setitem(said_in.__globals__, "content_fingerprint", counted)
    assert said_in(film, "auto", FeatureStore(tmp_path / "cache"), model).lines
    assert hashed == [film]


def test_subtitles_are_preferred_to_a_transcript(film, model):
    film.with_suffix(".srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhello there\n")
    try:
        assert said_in(film, "auto", None, model).source == "film.srt"
    finally:
        film.with_suffix(".srt").unlink()


def test_a_film_without_sound_has_no_lines(model, tmp_path):
    assert transcribed(filmed(tmp_path / "silent.mkv", delay=None), model).lines == ()


def test_a_model_that_is_not_there_is_an_error_and_not_a_download(film, tmp_path):
    with pytest.raises(RdmfError, match="there is no such model on this machine"):
        transcribed(film, str(tmp_path / "none"))


def test_without_the_package_the_message_names_it(film, monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(MissingExtra, match="pip install faster-whisper"):
        transcribed(film, "small")


def test_the_command_transcribes_and_quotes(film, model):
    (line, *_) = transcribed(film, model).lines
    words = ["query", str(film), line.text, "--transcribe", model, "--encoder", "embedded"]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.stderr
    quoted = [q["text"] for m in json.loads(done.stdout)["moments"] for q in m["said"]]
    assert line.text in quoted
