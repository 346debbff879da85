"""Fusions let the clips of a video exchange along time: reaction-diffusion, and baselines.

Every fusion has about as many parameters as reaction-diffusion with the same configuration.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdmf_cli.fusion.module import ReactionDiffusion
from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.heads.learned.torch.blocks import Attention, Context

FEED, REACTION = 2.0, 0.5
"""Initial biases: u0 starts near 0.9 and r near 1. The initial rates were made for these values."""

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
        """Return the module for an exported head, which takes one video at a time."""
        return self


class ReactionDiffusionFusion(Fusion):
    """Reaction-diffusion: it maps each clip to u0, r and the initial v, and the pattern to clips.

    The system is from Gray and Scott (1983); arXiv 2606.01615 uses it to fuse video and language.
    See docs/reaction-diffusion.md.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        W, C = config.width, config.fusion_channels
        self.feed, self.react, self.seed = (nn.Linear(W, C) for _ in range(3))
        nn.init.constant_(self.feed.bias, FEED)
        nn.init.constant_(self.react.bias, REACTION)
        self.evolve = ReactionDiffusion(
            C, steps=config.steps, dilations=config.dilations, turing_share=config.turing_share
        )
        self.out = nn.Linear(2 * C, W)

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

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """Fuse clips x (B, L, W) along time; return (B, L, W)."""
        u0, r, seed = self.drive(x)
        u, v = self.evolve(u0, seed, u0=u0, r=r, edges=context.edges, **self._video(context))
        fused: Tensor = self.out(torch.cat([u, v], 1).transpose(1, 2))
        return fused

    def _video(self, context: Context) -> dict[str, Any]:
        """Return mask and stretch. In an export there is no mask, because all clips are real."""
        if isinstance(self.evolve, ReactionDiffusion):
            return {"mask": context.mask, "stretch": context.one_stretch}
        return {"stretch": context.stretch}


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
        stretch: (B,) number of clips that count as one clip, the same for all videos; None: 1.

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
