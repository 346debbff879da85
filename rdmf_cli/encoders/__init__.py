"""Encoders: images to rows, texts to rows and word states, in one shared space."""

from rdmf_cli.encoders.base import Encoder, TextFeatures
from rdmf_cli.encoders.registry import Choice, choose_encoder, list_encoders, load_encoder

__all__ = [
    "Choice",
    "Encoder",
    "TextFeatures",
    "choose_encoder",
    "list_encoders",
    "load_encoder",
]
