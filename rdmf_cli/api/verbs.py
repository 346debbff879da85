"""query, extract, fuse: one call for one video. For many videos, `Searcher` loads once."""

from __future__ import annotations

from rdmf_cli.api.arguments import (
    ClipLength,
    Count,
    Device,
    FilePath,
    Levels,
    Part,
    Share,
    Time,
    checked,
)
from rdmf_cli.api.fused import Fused
from rdmf_cli.api.records import Answer
from rdmf_cli.api.searcher import Searcher
from rdmf_cli.features import VideoFeatures
from rdmf_cli.handover.ends import refined


@checked
def query(
    video: FilePath,
    sentence: str,
    *,
    top_k: Count = 5,
    min_score: Share = 0.0,
    start: Time = None,
    end: Time = None,
    refine: bool = False,
    clip_length: ClipLength = 2.0,
    encoder: str = "auto",
    head: str = "auto",
    checkpoint: FilePath | None = None,
    device: Device = "auto",
    decoder: str = "auto",
    sampling: str = "exact",
    still: Levels = 0.0,
    cache: bool = True,
    subtitles: str = "auto",
    transcribe: str | None = None,
    name_time: str | None = None,
) -> Answer:
    """Find the moments of a video that a sentence describes.

    >>> answer = query("examples/tour.mp4", "the face of a cat", encoder="embedded")
    >>> [(m.start, m.end, m.score) for m in answer.moments]  # doctest: +SKIP

    Args:
        video: The file.
        sentence: What to look for, in words.
        top_k: The largest number of moments.
        min_score: Leave out moments with a lower score, 0 to 1.
        start: Search from this time: seconds, "m:ss" or "h:mm:ss".
        end: Search up to this time.
        refine: Move the ends of moments to cuts that are at most a clip away, exact to the frame.
        clip_length: Seconds per clip; one frame per clip is encoded.
        encoder: "auto", "embedded", or a model of open_clip: "ARCH/PRETRAINED", "hf-hub:NAME", a
            file.
        head: "auto", "learned" or "training-free".
        checkpoint: A head of your own: a file of rates, an exported head, or a trained head's
            folder.
        device: "auto", "cpu", "cuda", "cuda:1", "mps": the device of open_clip.
        decoder: "auto", "pyav", "ffmpeg" or "decord".
        sampling: "exact", or "keyframes": each clip has the key frame nearest to its exact frame.
        still: For a fixed camera: a frame is not encoded if it looks like the last encoded frame:
            the mean colour of each small block differs by at most this much (0 to 255). 0: every
            frame is encoded.
        cache: False: features are neither read from the cache nor written to the cache.
        subtitles: Where to read what is said: "auto" (a file of the same stem beside the video,
            else a track inside the video), "none", or a subtitle file.
        transcribe: A model of faster-whisper (its folder, or the name of a model that was fetched).
            If "auto" finds no subtitles, the model transcribes what is said.
        name_time: How the name of the file tells when its recording began: directives of
            `datetime.strptime`, such as "%Y-%m-%d_%H-%M". None: only the file's metadata.

    Returns:
        The moments, best first, and the saliency of every clip.

    Raises:
        UsageError: An argument has a wrong type or value.
        RdmfError: The video cannot be read. If there is no such file, the error is also a
            FileNotFoundError.
    """
    searcher = Searcher(
        encoder=encoder,
        head=head,
        checkpoint=checkpoint,
        clip_length=clip_length,
        device=device,
        decoder=decoder,
        sampling=sampling,
        still=still,
        cache=cache,
        subtitles=subtitles,
        transcribe=transcribe,
        name_time=name_time,
    )
    (answer,) = searcher.ask(
        video, [sentence], top_k=top_k, min_score=min_score, start=start, end=end
    )
    return refined(answer, Part.of(start, end)) if refine else answer


@checked
def extract(
    video: FilePath,
    *,
    start: Time = None,
    end: Time = None,
    clip_length: ClipLength = 2.0,
    encoder: str = "auto",
    device: Device = "auto",
    decoder: str = "auto",
    sampling: str = "exact",
    still: Levels = 0.0,
    cache: bool = True,
) -> VideoFeatures:
    """Decode and encode a video, or take its features from the cache.

    >>> extract("examples/tour.mp4", encoder="embedded").rows.shape  # doctest: +SKIP
    (22, 384)

    Args:
        video: The file.
        start: Extract from this time: seconds, "m:ss" or "h:mm:ss".
        end: Extract up to this time.
        clip_length: Seconds per clip; one frame per clip is encoded.
        encoder: The same as in `query`.
        device: The same as in `query`.
        decoder: The same as in `query`.
        sampling: The same as in `query`.
        still: The same as in `query`.
        cache: The same as in `query`.

    Returns:
        The features (L, D), one row per clip, not normalised, and facts about their extraction.

    Raises:
        UsageError, RdmfError: The same as in `query`.
    """
    searcher = Searcher(
        encoder=encoder,
        clip_length=clip_length,
        device=device,
        decoder=decoder,
        sampling=sampling,
        still=still,
        cache=cache,
    )
    return searcher.extract(video, start=start, end=end)


@checked
def fuse(
    video: FilePath,
    sentence: str,
    *,
    start: Time = None,
    end: Time = None,
    clip_length: ClipLength = 2.0,
    encoder: str = "auto",
    checkpoint: FilePath | None = None,
    device: Device = "auto",
    decoder: str = "auto",
    sampling: str = "exact",
    still: Levels = 0.0,
    cache: bool = True,
) -> Fused:
    """Run the reaction-diffusion fusion of a video and a sentence.

    >>> fuse("examples/tour.mp4", "a rocket").reading.v.shape  # (channels, clips)  # doctest: +SKIP

    Args:
        video: The file.
        sentence: What to look for, in words.
        start: Use the video from this time: seconds, "m:ss" or "h:mm:ss".
        end: Use the video up to this time.
        clip_length: Seconds per clip; one frame per clip is encoded.
        encoder: The same as in `query`.
        checkpoint: A file of rates; None: the rates of rdmf itself.
        device: The same as in `query`.
        decoder: The same as in `query`.
        sampling: The same as in `query`.
        still: The same as in `query`.
        cache: The same as in `query`.

    Returns:
        Similarity, reaction rates, the pattern over pseudo-time, and the answer.

    Raises:
        UsageError, RdmfError: The same as in `query`.
    """
    searcher = Searcher(
        encoder=encoder,
        head="auto" if checkpoint else "training-free",
        checkpoint=checkpoint,
        clip_length=clip_length,
        device=device,
        decoder=decoder,
        sampling=sampling,
        still=still,
        cache=cache,
    )
    return searcher.fuse(video, sentence, start=start, end=end)
