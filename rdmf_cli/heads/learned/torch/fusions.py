"""Fusions let the clips of a video exchange along time: reaction-diffusion, and baselines.

Every fusion has about as many parameters as reaction-diffusion with the same configuration.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdmf_cli.fusion.module import RATES, ReactionDiffusion
from rdmf_cli.fusion.reaction import Fields
from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.heads.learned.torch.blocks import Attention, Context

FEED, REACTION = 2.0, 0.5
"""Initial biases: u0 starts near 0.9 and r near 1. The initial rates were made for these values."""

MOST_SHIFT = 1.5
"""A query shifts a raw rate by at most this much: f, k, dt up to 4.5 times as high or low."""

RATE_WIDTH = 16
"""Hidden width of the network from the query to the rates."""

FIRST_GAIN, FIRST_ACTIVATOR = 8.0, 0.5
"""Reacting pattern: initial slope of the log-odds, and the v at which they start at 0."""

STATES, LOCAL_TAPS, LONGEST_STATE = 16, 3, 32.0
"""Gated recurrence: states per head, taps of its convolution, longest initial decay in clips."""

LONGEST_WAVE = 200.0
"""Wavelength of the slowest sinusoid of the positions, in clips (times 2 pi)."""

NARROW, WIDE = 0.5, 10.0
"""Standard deviations of the narrowest and the widest Gaussian, in clips."""


def budget(config: ModelConfig) -> int:
    """Return the number of parameters of one reaction-diffusion fusion."""
    W, C = config.width, config.fusion_channels
    drive, rates, out = 3 * (W * C + C), 5 * C, 2 * C * W + W
    return drive + rates + out


def inner_width(config: ModelConfig, each: int, multiple: int = 1) -> int:
    """Choose the inner width with which a fusion has about `budget(config)` parameters.

    Args:
        config: the head's configuration.
        each: number of parameters per column of the inner width, without W further parameters.
        multiple: the width is a multiple of this number.
    """
    columns = (budget(config) - config.width) / each
    return max(round(columns / multiple), 1) * multiple


class Fusion(nn.Module):
    """Base class of the fusions: clips (B, L, W) in, clips (B, L, W) out; built from a ModelConfig.

    Attributes:
        reads_words: True if the fusion reads the query's words; then the words are projected to the
            fusion's width.
    """

    reads_words = False

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """Fuse clips x (B, L, W) along time; return (B, L, W)."""
        raise NotImplementedError

    def for_export(self) -> Fusion:
        """Return the module for an exported head, which takes videos of one length."""
        return self


class DrivenReaction(Fusion):
    """Reaction-diffusion whose u0, r and initial v are read from the clips.

    The system is from Gray and Scott (1983); arXiv 2606.01615 uses it to fuse video and language.
    See docs/reaction-diffusion.md.

    Args:
        config: the head's configuration.
        channels: C, number of channels of u and v.
        turing_share: share of the channels that start Turing-unstable.
    """

    def __init__(self, config: ModelConfig, channels: int, turing_share: float):
        super().__init__()
        W, C = config.width, channels
        self.feed, self.react, self.seed = (nn.Linear(W, C) for _ in range(3))
        nn.init.constant_(self.feed.bias, FEED)
        nn.init.constant_(self.react.bias, REACTION)
        self.evolve = ReactionDiffusion(
            C,
            steps=config.steps,
            dilations=config.dilations,
            turing_share=turing_share,
            pool=config.pool,
        )
        self.shift = _rate_shift(config, C) if config.rates == "query" else None

    def for_export(self) -> Fusion:
        """Return this fusion with its steps as one scripted loop: an export keeps such a loop."""
        from rdmf_cli.heads.learned.torch.looped import LoopedReactionDiffusion

        self.evolve = LoopedReactionDiffusion(self.evolve)  # type: ignore[assignment, unused-ignore]
        return self

    def drive(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute u0, r and the initial v of clips x (B, L, W): (B, C, L) each."""
        u0, seed = torch.sigmoid(self.feed(x)), torch.sigmoid(self.seed(x))
        r = functional.softplus(self.react(x))
        return u0.transpose(1, 2), r.transpose(1, 2), seed.transpose(1, 2)

    def fields(self, x: Tensor, context: Context) -> Fields:
        """Run the reaction on clips x (B, L, W); return u and v, (B, C, L) each."""
        u0, r, seed = self.drive(x)
        after: Fields = self.evolve(
            u0,
            seed,
            u0=u0,
            r=r,
            edges=context.edges,
            shifts=self.rate_shifts(context.query),
            **self._video(context),
        )
        return after

    def rate_shifts(self, query: Tensor | None) -> Tensor | None:
        """Return the numbers to add to the raw rates of each video, (B, RATES, C); None: 0."""
        if self.shift is None or query is None:
            return None
        shifts: Tensor = MOST_SHIFT * torch.tanh(self.shift(query)).unflatten(-1, (RATES, -1))
        return shifts

    def _video(self, context: Context) -> dict[str, Any]:
        """Return mask and stretch. In an export there is no mask, because all clips are real."""
        if isinstance(self.evolve, ReactionDiffusion):
            return {"mask": context.mask, "stretch": context.one_stretch}
        return {"stretch": context.stretch}


def _rate_shift(config: ModelConfig, channels: int) -> nn.Sequential:
    """Build the network from the query to the shifts of the rates; the shifts start at zero."""
    last = nn.Linear(RATE_WIDTH, RATES * channels)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(config.projection, RATE_WIDTH), nn.GELU(), last)


class ReactionDiffusionFusion(DrivenReaction):
    """Reaction-diffusion: clips drive the fields, and the fields are mapped back to clips."""

    def __init__(self, config: ModelConfig):
        super().__init__(config, config.fusion_channels, config.turing_share)
        self.out = nn.Linear(2 * config.fusion_channels, config.width)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """Fuse clips x (B, L, W) along time; return (B, L, W)."""
        fused: Tensor = self.out(torch.cat(self.fields(x, context), 1).transpose(1, 2))
        return fused


class ReactingPattern(DrivenReaction):
    """Reads each curve from small reacting fields of its own, one field per distance.

    log-odds of a curve = Σ (gain · v) + offset, summed over the fields of the curve

    Args:
        config: the head's configuration.
        curves: number of curves; each has one field per distance.
    """

    def __init__(self, config: ModelConfig, curves: int):
        distances = len(config.dilations)
        super().__init__(config, curves * distances, turing_share=0.0)
        self.gain = nn.Parameter(torch.full((distances, curves, 1), FIRST_GAIN / distances))
        self.offset = nn.Parameter(torch.full((curves,), -FIRST_GAIN * FIRST_ACTIVATOR))

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """Return the log-odds (B, L, curves) of clips x (B, L, W)."""
        v = self.fields(x, context).v.unflatten(1, tuple(self.gain.shape[:2]))
        log_odds: Tensor = (self.gain * v).sum(1).transpose(1, 2) + self.offset
        return log_odds


class JointAttention(Fusion):
    """Clips and words attend to all clips and words, as in Moment-DETR. Clips have positions.

    If the query has no words (universal head), this is self-attention over the clips.
    """

    reads_words = True

    def __init__(self, config: ModelConfig):
        super().__init__()
        inner = inner_width(config, 4 * config.width + 3, config.heads)
        self.attention = Attention(config.width, config.heads, 0.0, inner)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """Fuse clips x (B, L, W) along time; return (B, L, W)."""
        fused: Tensor
        placed = x + positions(x, context.stretch)
        if context.words is None or context.word_mask is None:
            fused = self.attention(placed, placed, x, context.mask)
            return fused
        tokens, values = torch.cat([placed, context.words], 1), torch.cat([x, context.words], 1)
        mask = torch.cat([context.mask, context.word_mask], 1)
        fused = self.attention(tokens, tokens, values, mask)[:, : x.shape[1]]
        return fused


class CrossAttention(Fusion):
    """Clips attend to the words, as in QD-DETR, and then, with positions, to each other.

    If the query has no words (universal head), this is self-attention over the clips.
    """

    reads_words = True

    def __init__(self, config: ModelConfig):
        super().__init__()
        parts = 2 if config.full else 1
        inner = inner_width(config, parts * (4 * config.width + 3), config.heads)
        self.attention = Attention(config.width, config.heads, 0.0, inner)
        self.to_words = Attention(config.width, config.heads, 0.0, inner) if config.full else None

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """Fuse clips x (B, L, W) along time; return (B, L, W)."""
        if self.to_words is None or context.words is None or context.word_mask is None:
            return self._among_clips(x, context)
        read = self.to_words(x, context.words, context.words, context.word_mask)
        fused: Tensor = read + self._among_clips(x + read, context)
        return fused

    def _among_clips(self, x: Tensor, context: Context) -> Tensor:
        placed = x + positions(x, context.stretch)
        fused: Tensor = self.attention(placed, placed, x, context.mask)
        return fused


class GatedRecurrence(Fusion):
    """Baseline: a gated linear recurrence in both directions, as in Mamba-2.

    Each column x of a clip drives states h of its attention head; decay, input and reading depend
    on the clip (a selective state space; Dao and Gu, 2024, arXiv 2405.21060).

        h_t = exp(-δ_t) h_{t-1} + δ_t b_t x_t,   y_t = c_t · h_t,   δ_t > 0

    The recurrence runs in both directions, each with its own decays, and a gate multiplies its
    output. It is computed in its closed form, a matrix (L, L) per head. A short convolution lies
    before it.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        W, heads, states = config.width, config.heads, min(STATES, config.width)
        fixed = 2 * states * (W + 1) + 2 * heads * (W + 1)
        each = 3 * W + 2 + LOCAL_TAPS + 1  # x, gate, out, local
        inner = max(round((budget(config) - W - fixed) / each / heads), 1) * heads
        self.heads = heads
        self.project, self.gate = nn.Linear(W, inner), nn.Linear(W, inner)
        self.local = nn.Conv1d(inner, inner, LOCAL_TAPS, groups=inner)
        self.write, self.read = nn.Linear(W, states), nn.Linear(W, states)
        self.rate = nn.Linear(W, 2 * heads)
        with torch.no_grad():  # decays over 1 to 32 clips
            lasting = torch.logspace(0.0, math.log10(LONGEST_STATE), heads).repeat(2)
            self.rate.bias.copy_(torch.log(torch.expm1(1.0 / lasting)))
        self.out = nn.Linear(inner, W)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """Fuse clips x (B, L, W) along time; return (B, L, W)."""
        apart = context.one_stretch
        projected = self.project(x) * context.mask[..., None]
        driven = functional.silu(self._local(projected, max(round(apart), 1)))
        rate = functional.softplus(self.rate(x)) / apart * context.mask[..., None]
        forward, backward = rate.transpose(1, 2).chunk(2, 1)
        match = (self.read(x) @ self.write(x).mT / self.read.out_features**0.5)[:, None]
        weights = match * (recurrence(forward) + recurrence(backward.flip(-1)).flip(-1, -2))
        split = driven.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        read = (weights @ split).transpose(1, 2).flatten(2)
        fused: Tensor = self.out(read * functional.silu(self.gate(x)))
        return fused

    def _local(self, x: Tensor, apart: int) -> Tensor:
        local = functional.conv1d(
            x.transpose(1, 2),
            self.local.weight,
            self.local.bias,
            padding=apart * (LOCAL_TAPS // 2),
            dilation=apart,
            groups=self.local.groups,
        )
        return local.transpose(1, 2)


def recurrence(rate: Tensor) -> Tensor:
    """Compute the weights of h_t = exp(-δ_t) h_{t-1} + δ_t x_t, h before the first clip 0.

    Args:
        rate: (..., L) δ, at least 0.

    Returns:
        (..., L, L): h_t = Σ_s weights[t, s] x_s, with weights exp(-(δ_{s+1} + … + δ_t)) δ_s for s
        up to t, and 0 for later s.
    """
    passed = rate.cumsum(-1)
    between = passed[..., :, None] - passed[..., None, :]
    later = torch.ones(rate.shape[-1:] * 2, dtype=torch.bool, device=rate.device).triu(1)
    decay = torch.exp(-between.clamp_min(0.0)).masked_fill(later, 0.0)
    return decay * rate[..., None, :]


class NoFusion(Fusion):
    """Baseline without fusion: a network on each clip alone, with the same number of parameters."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        inner = inner_width(config, 2 * config.width + 1)
        self.alone = nn.Sequential(
            nn.Linear(config.width, inner), nn.GELU(), nn.Linear(inner, config.width)
        )

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """Map clips x (B, L, W) one by one; return (B, L, W)."""
        fused: Tensor = self.alone(x)
        return fused


class GaussianFusion(Fusion):
    """Baseline: fixed Gaussians smooth the projected clips, with one width per column."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        inner = inner_width(config, 2 * config.width + 1)
        self.project, self.out = nn.Linear(config.width, inner), nn.Linear(inner, config.width)
        self.kernel: Tensor
        self.register_buffer("kernel", gaussians(inner, config.kernel), persistent=False)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """Fuse clips x (B, L, W) along time; return (B, L, W)."""
        real = context.mask[:, None].to(x.dtype)
        kernel = self._kernel(context.one_stretch)
        smooth = _convolved(functional.gelu(self.project(x)).transpose(1, 2) * real, kernel)
        share = _convolved(real.expand(-1, len(kernel), -1), kernel)
        fused: Tensor = self.out((smooth / share.clamp_min(1e-3)).transpose(1, 2))
        return fused

    def _kernel(self, stretch: float) -> Tensor:
        """Return the kernel, of the same width in seconds, for clips `stretch` times shorter."""
        if stretch == 1.0:
            return self.kernel
        columns, _, taps = self.kernel.shape
        return gaussians(columns, 2 * round(taps // 2 * stretch) + 1, stretch).to(self.kernel)


class ConvolutionFusion(Fusion):
    """Baseline: one learned kernel per projected column.

    A kernel is as long as the reach of reaction-diffusion, or 33 clips. The kernels start as
    Gaussians.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        taps = config.kernel
        inner = inner_width(config, 2 * config.width + 2 + taps)
        self.project, self.out = nn.Linear(config.width, inner), nn.Linear(inner, config.width)
        self.kernels = nn.Conv1d(inner, inner, taps, padding=taps // 2, groups=inner)
        with torch.no_grad():
            self.kernels.weight.copy_(gaussians(inner, taps))

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """Fuse clips x (B, L, W) along time; return (B, L, W)."""
        projected = functional.gelu(self.project(x)) * context.mask[..., None]
        apart = max(round(context.one_stretch), 1)  # clips between taps
        spread = functional.conv1d(
            projected.transpose(1, 2),
            self.kernels.weight,
            self.kernels.bias,
            padding=apart * (self.kernels.kernel_size[0] // 2),
            dilation=apart,
            groups=self.kernels.groups,
        )
        fused: Tensor = self.out(spread.transpose(1, 2))
        return fused


def _convolved(x: Tensor, kernel: Tensor) -> Tensor:
    padding, columns = kernel.shape[-1] // 2, len(kernel)
    return functional.conv1d(x, kernel.to(x.dtype), padding=padding, groups=columns)


def positions(x: Tensor, stretch: Tensor | None = None) -> Tensor:
    """Compute sinusoids of each clip's position.

    Args:
        x: (B, L, W) with W even.
        stretch: (B,) number of clips that count as one clip of training, the same for all videos;
            None: 1.

    Returns:
        (L, W), wavelengths from 2 pi clips to 2 pi `LONGEST_WAVE`.
    """
    L, W = x.shape[1:]
    order = torch.arange(W // 2, device=x.device) / max(W // 2 - 1, 1)
    waves = LONGEST_WAVE**order
    place = torch.arange(L, device=x.device)[:, None]
    angle = (place if stretch is None else place / stretch[0]) / waves
    return torch.cat([angle.sin(), angle.cos()], -1)


def gaussians(columns: int, taps: int, stretch: float = 1.0) -> Tensor:
    """Make Gaussian kernels of sum 1, from narrow to wide: (columns, 1, taps).

    Args:
        columns: number of kernels.
        taps: number of clips under each kernel, odd.
        stretch: factor of all widths.
    """
    sigma = torch.logspace(math.log10(NARROW), math.log10(WIDE), columns)[:, None, None] * stretch
    distance = torch.arange(taps) - taps // 2
    kernels = torch.exp(-0.5 * (distance / sigma) ** 2)
    return kernels / kernels.sum(-1, keepdim=True)
