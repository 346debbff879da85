"""cut: write the best moments of a video as separate videos."""

from __future__ import annotations

from os import fspath
from pathlib import Path
from typing import Annotated

from pydantic import Field

from rdmf_cli.api.arguments import ClipLength, Count, Device, FilePath, Part, Share, Time, checked
from rdmf_cli.api.searcher import Searcher
from rdmf_cli.handover.written import NAME, Cut

Pad = Annotated[float, Field(ge=0, le=3600)]


@checked
def cut(
    video: FilePath,
    sentence: str,
    *,
    output: FilePath | None = None,
    top_k: Count = 1,
    min_score: Share = 0.0,
    pad: Pad = 0.0,
    copy: bool = False,
    montage: FilePath | None = None,
    anyway: bool = False,
    force: bool = False,
    start: Time = None,
    end: Time = None,
    refine: bool = False,
    clip_length: ClipLength = 2.0,
    encoder: str = "auto",
    head: str = "auto",
    checkpoint: FilePath | None = None,
    device: Device = "auto",
    decoder: str = "auto",
    cache: bool = True,
) -> list[Cut]:
    """Cut the best moments out of a video, exact to the frame.

    >>> [part.path for part in cut("tour.mp4", "a rocket", top_k=2)]  # doctest: +SKIP
    [PosixPath('tour_1.mp4'), PosixPath('tour_2.mp4')]

    Args:
        video: The file.
        sentence: What to look for, in words.
        output: Names of the files. Fields: {stem}, {name} and {folder} of the video, {rank},
            {query}, {start}, {end} and {score} of the moment. None: "{stem}_{rank}.mp4"; with
            `montage`, None writes no file per moment.
        top_k: The largest number of moments.
        min_score: Leave out moments with a lower score, 0 to 1.
        pad: Seconds to add on both sides.
        copy: Copy without encoding; then a file starts at the key frame before its moment.
        montage: One file that joins all moments.
        anyway: Cut even if the query is probably not in the video (presence below 0.2).
        force: Replace files that rdmf did not write.
        start: Search from this time: seconds, "m:ss" or "h:mm:ss".
        end: Search up to this time.
        refine: Move the ends of moments to cuts that are at most a clip away, exact to the frame.
        clip_length: The same as in `query`, and so are all arguments below.
        encoder: The same as in `query`.
        head: The same as in `query`.
        checkpoint: The same as in `query`.
        device: The same as in `query`.
        decoder: The same as in `query`.
        cache: The same as in `query`.

    Returns:
        The files that were written: the best moment first, the montage last.

    Raises:
        NothingFoundError: Nothing was found, or the query is probably not in the video.
        UsageError: Two moments would have the same file name, or a file would be replaced.
        RdmfError: The video cannot be read, or a file cannot be written.
    """
    from rdmf_cli.handover.cutter import Cutter  # this import loads the codecs
    from rdmf_cli.handover.ends import refined

    name = fspath(output) if output is not None else None if montage else NAME
    joined = None if montage is None else Path(montage)
    cutter = Cutter(name, joined, pad=pad, copy=copy, force=force, anyway=anyway)
    searcher = Searcher(
        encoder=encoder,
        head=head,
        checkpoint=checkpoint,
        clip_length=clip_length,
        device=device,
        decoder=decoder,
        cache=cache,
    )
    answers = searcher.ask(
        video, [sentence], top_k=top_k, min_score=min_score, start=start, end=end
    )
    if refine:
        answers = [refined(answer, Part.of(start, end)) for answer in answers]
    written = cutter.cut(answers, top_k, min_score)
    cutter.require_something()
    return [*written, *cutter.join()]
