"""The public records: an answer, a moment and a hit that show themselves and open their video."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, PrivateAttr

from rdmf_cli.api.arguments import Count, FilePath, Share, checked
from rdmf_cli.errors import RdmfError
from rdmf_cli.library import types as hits
from rdmf_cli.moments import types

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL.Image import Image
    from typing_extensions import Self

    from rdmf_cli.handover.written import Cut

Pad = Annotated[float, Field(ge=0, le=3600)]


class _InVideo:
    """Decode or write a span of a video."""

    if TYPE_CHECKING:  # fields of the records; pydantic would read annotations of this class
        start: float
        end: float

    def _file(self) -> str:
        """Return the path of the video."""
        raise NotImplementedError

    @checked
    def frame(self, at: Share = 0.5, *, width: Count | None = None) -> Image:
        """Decode a frame of the moment.

        Args:
            at: Which frame: 0 is the first frame of the moment, 0.5 the middle, 1 the last frame.
            width: Maximum width in pixels; a wider frame is scaled down. None: as it is.

        Returns:
            An upright Pillow image in RGB, which a notebook displays; `numpy.asarray(image)` is the
            array, uint8 (H, W, 3).

        Raises:
            RdmfError: The video cannot be read. If there is no such file, the error is also a
                FileNotFoundError.
        """
        from PIL.Image import fromarray

        from rdmf_cli.errors import errors_of
        from rdmf_cli.handover.cutting import span_of
        from rdmf_cli.handover.stills import scanned, stills
        from rdmf_cli.video.refine import player_times

        video = self._file()
        with errors_of(video):
            found = scanned(video)
            frames = span_of(found, self.start, self.end)
            times = player_times(found)[frames.first : frames.stop]
            time = float(times[min(int(at * len(times)), len(times) - 1)])
            (image,) = stills(found, [time], width or found.info.width)
        return fromarray(image)

    @checked
    def clip(
        self, path: FilePath, *, pad: Pad = 0.0, copy: bool = False, force: bool = False
    ) -> Cut:
        """Write the moment as a video file, exact to the frame.

        Args:
            path: The file; its suffix selects the container.
            pad: Seconds to add on both sides.
            copy: Copy without encoding; then the file starts at the key frame before the moment.
            force: Replace a file that rdmf did not write.

        Returns:
            The file, its start and end in the video in seconds, and notes.

        Raises:
            UsageError: The suffix is not supported, or a file would be replaced.
            RdmfError: The video cannot be read, or the file cannot be written.
        """
        from pathlib import Path

        from rdmf_cli.errors import errors_of
        from rdmf_cli.handover.cutter import write_cut
        from rdmf_cli.handover.cutting import span_of
        from rdmf_cli.handover.stills import scanned

        video = self._file()
        with errors_of(video):
            frames = span_of(scanned(video), self.start, self.end, pad)
            return write_cut(Path(path), frames, copy=copy, force=force)


class Moment(_InVideo, types.Moment):
    """A span of the video that answers the query.

    >>> moment = answer.moments[0]  # doctest: +SKIP
    >>> moment.frame()              # a picture, which a notebook displays  # doctest: +SKIP
    >>> moment.clip("cat.mp4")      # a video file of this moment alone  # doctest: +SKIP
    """

    _video: str = PrivateAttr("")

    def _file(self) -> str:
        if not self._video:
            todo = "take the moment from an answer: answer.moments[0]"
            raise RdmfError("this moment does not belong to a video", todo=todo)
        return self._video


class Answer(types.Answer):
    """Ranked moments (best first), one saliency per clip, and how they came about.

    Clip i covers [offset + i·clip_length, offset + (i+1)·clip_length) seconds of the video. A
    notebook displays an answer as its curve, with a picture of each moment.
    """

    moments: tuple[Moment, ...]

    def model_post_init(self, context: Any, /) -> None:
        """Tell each moment the video that it belongs to."""
        super().model_post_init(context)
        for moment in self.moments:
            moment._video = self.video

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy the answer; the moments of a copy with another video belong to that video.

        Args:
            update: New values of fields, which are not checked.
            deep: Copy the values, too.
        """
        changed = dict(update or {})
        moved = "video" in changed
        if moved:
            moments: tuple[Moment, ...] = changed.get("moments", self.moments)
            changed["moments"] = tuple(moment.model_copy() for moment in moments)
        copied = super().model_copy(update=changed, deep=deep)
        if moved:
            copied.model_post_init(None)
        return copied

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the saliency over time, and the moments with their ranks.

        >>> axes = answer.plot()  # doctest: +SKIP

        Args:
            ax: Axes of matplotlib to draw on; None: the axes of a new figure.

        Returns:
            The axes.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        from rdmf_cli.outputs.answer_figure import draw_answer

        return draw_answer(self, ax)

    def _repr_html_(self) -> str:
        """Return what a notebook displays: the curve, and a picture of each moment."""
        from rdmf_cli.outputs.html.notebook import answer_html

        return answer_html(self)


class Hit(_InVideo, hits.Hit):
    """A moment in one of the searched videos; rank 1 is the most relevant."""

    def _file(self) -> str:
        return self.video
