"""Tiny open_clip models with random weights, saved as open_clip saves real ones."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

WEIGHTS = "random_weights.safetensors"
PREPROCESSING = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "interpolation": "bilinear"}

_VISION = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
_TEXT = {"context_length": 77, "vocab_size": 49408, "width": 24, "heads": 2, "layers": 1}
_RESNET = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}

CONFIGS: dict[str, dict[str, Any]] = {
    "plain": {"embed_dim": 16, "vision_cfg": _VISION, "text_cfg": _TEXT},
    "quickgelu": {"embed_dim": 16, "quick_gelu": True, "vision_cfg": _VISION, "text_cfg": _TEXT},
    "custom-text": {
        "embed_dim": 16,
        "custom_text": True,
        "vision_cfg": {**_VISION, "patch_dropout": 0.5},
        "text_cfg": _TEXT,
    },
    "resnet": {"embed_dim": 16, "vision_cfg": _RESNET, "text_cfg": _TEXT},
    "coca": {
        "embed_dim": 16,
        "custom_text": True,
        "vision_cfg": {**_VISION, "attentional_pool": True, "attn_pooler_heads": 2}
        | {"output_tokens": True},
        "text_cfg": {**_TEXT, "context_length": 76, "embed_cls": True, "output_tokens": True},
        "multimodal_cfg": {"context_length": 76, "vocab_size": 49408, "width": 24, "heads": 2}
        | {"layers": 1, "attn_pooler_heads": 2},
    },
}


@dataclass(frozen=True)
class TinyClip:
    """A saved model, and open_clip's own objects for comparison."""

    kind: str
    folder: Path
    net: Any
    preprocess: Any
    tokenizer: Any

    @property
    def weights(self) -> Path:
        return self.folder / WEIGHTS

    def image_rows(self, frames: np.ndarray) -> np.ndarray:
        import torch
        from PIL import Image

        with torch.inference_mode():
            images = torch.stack([self.preprocess(Image.fromarray(frame)) for frame in frames])
            return self.net.encode_image(images, normalize=False).numpy()

    def text_rows(self, texts: list[str]) -> np.ndarray:
        import torch

        with torch.inference_mode():
            return self.net.encode_text(self.tokenizer(texts), normalize=False).numpy()


def make(kind: str, folder: Path, seed: int = 0) -> TinyClip:
    """Builds and saves the model `kind` of CONFIGS; every seed has its own random weights."""
    import open_clip
    import torch
    from safetensors.torch import save_model

    folder.mkdir(parents=True, exist_ok=True)
    content = {"model_cfg": CONFIGS[kind], "preprocess_cfg": PREPROCESSING}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    save_model(net, str(folder / WEIGHTS))
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    return TinyClip(kind, folder, net.eval(), preprocess, tokenizer)


def frames(count: int, seed: int = 0, height: int = 48, width: int = 70) -> np.ndarray:
    """Random pictures, uint8 RGB (count, height, width, 3)."""
    shape = (count, height, width, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
