"""Encoders: they map images and texts to features in a joint space.

`base.py` contains the interfaces of an encoder and of a family of encoders; `registry.py` contains
the families.
"""

from rdmf_cli.encoders.base import Encoder, EncoderFamily, TextFeatures
from rdmf_cli.encoders.registry import (
    FAMILIES,
    ChosenEncoder,
    choose_encoder,
    fetch,
    list_encoders,
    load_encoder,
)

__all__ = [
    "FAMILIES",
    "ChosenEncoder",
    "Encoder",
    "EncoderFamily",
    "TextFeatures",
    "choose_encoder",
    "fetch",
    "list_encoders",
    "load_encoder",
]
