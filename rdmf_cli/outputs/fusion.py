"""The pattern of a fusion in the terminal: rates and regimes, then a heat map of each channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from rdmf_cli.outputs.payloads.fusion import Channel, Fusion
from rdmf_cli.outputs.strip import PatternStrip, RegimeTable

Trace = NDArray[np.floating]


@dataclass(frozen=True)
class FusionView:
    """Show the table of channels and, if traces are given, the pattern of each channel.

    Attributes:
        fusion: The pattern and its channels.
        traces: u and v over pseudo-time, (steps + 1, C, L) each; None: only the table.
    """

    fusion: Fusion
    traces: tuple[Trace, Trace] | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, then a line and a strip per channel."""
        rows = [channel.model_dump(by_alias=True) for channel in self.fusion.channels]
        yield RegimeTable(rows)
        for channel in self.fusion.channels:
            yield Text(in_words(channel))
            yield from self._strip(channel)

    def _strip(self, channel: Channel) -> Iterator[RenderableType]:
        if self.traces is None:
            return
        u, v = (trace[:, channel.channel] for trace in self.traces)
        yield PatternStrip(
            v,
            self.fusion.clip_length,
            u=u,
            offset=self.fusion.offset,
            title=f"channel {channel.channel}",
            level_sets={one.height: one.spans for one in channel.level_sets},
        )


def in_words(channel: Channel) -> str:
    """Describe in words the effect of a channel's reaction rates on its clips."""
    r, v, r_star = channel.r, channel.v, channel.r_star
    said = f"channel {channel.channel}: the query gives r = {min(r):.3g} to {max(r):.3g}; "
    if r_star is None:
        said += "no rate keeps a uniform field active; "
    else:
        able = sum(rate >= r_star for rate in r)
        said += (
            f"a uniform field stays active from r* = {r_star:.3g} on, which {able} of {len(r)} "
            "clips reach; "
        )
    return f"{said}highest v = {max(v):.3g}"
