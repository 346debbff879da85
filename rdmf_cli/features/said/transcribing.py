"""Speech to text by faster-whisper, for videos without subtitles. The model is never downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rdmf_cli.errors import MissingExtra, RdmfError
from rdmf_cli.features.fingerprint import content_fingerprint
from rdmf_cli.features.said.lines import Said, tidied

SAMPLES_PER_SECOND: Final = 16_000
MODEL: Final = "model.bin"
FETCH: Final = (
    "name the folder of a model of faster-whisper, or fetch one first: "
    "python -c \"import faster_whisper; faster_whisper.download_model('small')\""
)


def model_fingerprint(model: str) -> str:
    """Return a part of a transcript's cache key: the weights' fingerprint, or the model's name."""
    weights = Path(model) / MODEL
    return content_fingerprint(weights) if weights.is_file() else model


def transcribed(video: Path, model: str) -> Said:
    """Transcribe the sound of a video. A video without sound has no lines.

    Args:
        video: The video file.
        model: The folder of a model in the layout of faster-whisper, or the name of a model that
            was fetched before ("small").

    Raises:
        MissingExtra: faster-whisper is not installed.
        RdmfError: There is no such model, or the video cannot be read.
    """
    if find_spec("faster_whisper") is None:
        raise MissingExtra("--transcribe", "speech")
    loaded = _load(model)
    found = _sound(video)
    if found is None:
        return Said()
    begins, sound = found
    # At other temperatures words are drawn at random, and a second run would give other lines.
    segments, _ = loaded.transcribe(sound, temperature=0.0, condition_on_previous_text=False)
    length = len(sound) / SAMPLES_PER_SECOND  # the last window is filled up with silence
    lines = tidied(
        (begins + one.start, begins + min(one.end, length), one.text) for one in segments
    )
    return Said(lines, f"transcript by {model}") if lines else Said()


def _load(model: str) -> Any:
    from faster_whisper import WhisperModel

    try:
        return WhisperModel(model, device="auto", local_files_only=True)
    except Exception as error:  # errors of CTranslate2, tokenizers, huggingface_hub: no common base
        raise RdmfError("there is no such model on this machine", model, FETCH) from error


def _sound(video: Path) -> tuple[float, npt.NDArray[np.float32]] | None:
    """Decode the first sound track: its start and its samples; None if there is no sound track."""
    from rdmf_cli.video.packets import opened

    with opened(video) as (container, _):
        tracks = [track for track in container.streams.audio if track.codec_context is not None]
        if not tracks:
            return None
        first = Fraction(container.start_time or 0, 1_000_000)
        begins, parts = None, []
        for frame in _resampled(container, tracks[0]):
            if begins is None and frame.pts is not None:
                begins = float(frame.pts * Fraction(frame.time_base) - first)
            parts.append(frame.to_ndarray().reshape(-1))
    return None if not parts else (max(begins or 0.0, 0.0), np.concatenate(parts))


def _resampled(container: Any, track: Any) -> Iterator[Any]:
    """Yield the sound as mono frames at 16 kHz; leave out damaged packets."""
    from av.audio.resampler import AudioResampler
    from av.error import FFmpegError

    from rdmf_cli.video.packets import packets

    resampler = AudioResampler(format="flt", layout="mono", rate=SAMPLES_PER_SECOND)
    for packet in packets(container, track):
        try:
            frames = packet.decode()
        except FFmpegError:
            continue
        for frame in frames:
            yield from resampler.resample(frame)
    yield from resampler.resample(None)
