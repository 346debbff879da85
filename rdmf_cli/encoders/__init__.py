"""Encoders: images to rows, texts to rows and word states, in one shared space.

`base.py` describes an encoder and a family of encoders, `registry.py` lists the families.
"""

from rdmf_cli.encoders.base import Encoder, EncoderFamily, TextFeatures
from rdmf_cli.encoders.registry import (
    FAMILIES,
    Choice,
    choose_encoder,
    fetch,
    list_encoders,
    load_encoder,
)

__all__ = [
    "FAMILIES",
    "Choice",
    "Encoder",
    "EncoderFamily",
    "TextFeatures",
    "choose_encoder",
    "fetch",
    "list_encoders",
    "load_encoder",
]
