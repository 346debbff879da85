"""A Whisper model with random weights, in the layout of faster-whisper; nothing is downloaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEADS, MELS, AUDIO, TEXT = 16, 2, 80, 1500, 448
SPECIAL = (
    *("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|translate|>", "<|transcribe|>"),
    *("<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"),
)
TIMES = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]


def save(folder: Path, seed: int = 0) -> Path:
    """Write the model into a new folder."""
    import ctranslate2
    from tokenizers.pre_tokenizers import ByteLevel

    folder.mkdir()
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *SPECIAL, *TIMES]
    rng = np.random.default_rng(seed)
    spec = ctranslate2.specs.WhisperSpec(1, HEADS, 1, HEADS)
    _fill_encoder(spec.encoder, rng)
    _fill_decoder(spec.decoder, rng, len(tokens))
    spec.decoder.projection.bias += np.array([_liking(token) for token in tokens], np.float32)
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.lang_ids = [tokens.index("<|en|>")]
    spec.config.alignment_heads = [[0, 0]]
    spec.validate()
    spec.optimize(quantization=None)
    spec.save(str(folder))
    _save_tokenizer(folder / "tokenizer.json", tokens)
    return folder


def _liking(token: str) -> float:
    """Make the model write letters, and then end."""
    if token == "<|endoftext|>":
        return 2.0
    return 3.0 if token.isascii() and token.isalpha() else 0.0 if token in TIMES else -9.0


def _random(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(scale=0.3, size=shape).astype(np.float32)


def _linear(spec: Any, rng: np.random.Generator, outputs: int, inputs: int = WIDTH) -> None:
    spec.weight, spec.bias = _random(rng, outputs, inputs), _random(rng, outputs)


def _norm(spec: Any) -> None:
    spec.gamma, spec.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)


def _attention(spec: Any, rng: np.random.Generator, sizes: tuple[int, ...]) -> None:
    _norm(spec.layer_norm)
    for linear, size in zip(spec.linear, sizes, strict=True):
        _linear(linear, rng, size)


def _forward(spec: Any, rng: np.random.Generator) -> None:
    _norm(spec.layer_norm)
    _linear(spec.linear_0, rng, 2 * WIDTH)
    _linear(spec.linear_1, rng, WIDTH, 2 * WIDTH)


def _fill_encoder(spec: Any, rng: np.random.Generator) -> None:
    spec.conv1.weight, spec.conv1.bias = _random(rng, WIDTH, MELS, 3), _random(rng, WIDTH)
    spec.conv2.weight, spec.conv2.bias = _random(rng, WIDTH, WIDTH, 3), _random(rng, WIDTH)
    spec.position_encodings.encodings = _random(rng, AUDIO, WIDTH)
    _norm(spec.layer_norm)
    for layer in spec.layer:
        _attention(layer.self_attention, rng, (3 * WIDTH, WIDTH))
        _forward(layer.ffn, rng)


def _fill_decoder(spec: Any, rng: np.random.Generator, tokens: int) -> None:
    spec.embeddings.weight = _random(rng, tokens, WIDTH)
    spec.position_encodings.encodings = _random(rng, TEXT, WIDTH)
    _linear(spec.projection, rng, tokens)
    _norm(spec.layer_norm)
    for layer in spec.layer:
        _attention(layer.self_attention, rng, (3 * WIDTH, WIDTH))
        _attention(layer.attention, rng, (WIDTH, 2 * WIDTH, WIDTH))
        _forward(layer.ffn, rng)


def _save_tokenizer(path: Path, tokens: list[str]) -> None:
    vocabulary = {token: number for number, token in enumerate(tokens)}
    added = [
        {
            "id": vocabulary[token],
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": token in SPECIAL,
        }
        for token in (*SPECIAL, *TIMES)
    ]
    model = {"type": "BPE", "vocab": vocabulary, "merges": []}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    whole = {
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": {**byte_level, "use_regex": True},
        "decoder": {**byte_level, "use_regex": True},
        "model": model,
    }
    path.write_text(json.dumps(whole), encoding="utf-8")
