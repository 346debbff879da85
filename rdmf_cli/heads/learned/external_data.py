"""Check whether an ONNX graph has tensors in other files.

A head is one file. But a graph can name other files, from which ONNX Runtime then reads tensors.
The folder in which ONNX Runtime looks for these files depends on its version. So rdmf refuses such
a graph before it is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

MOST_NESTED: Final = 100  # largest depth of nested messages, the same limit as in protobuf
VARINT, FIXED_64, MESSAGE, FIXED_32 = 0, 1, 2, 5
TENSOR = "tensor"

# The fields that lead to a tensor, by the kind of message that holds them (onnx.proto)
LEADING: Final = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: TENSOR, 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: TENSOR, 6: "graph", 10: TENSOR, 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: TENSOR, 2: TENSOR},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # numbers of fields of a tensor


def has_external_data(model: bytes) -> bool:
    """Check whether any tensor of an ONNX model is in another file.

    Raises:
        ValueError: the bytes are not an ONNX model.
    """
    return _has(memoryview(model), "model", MOST_NESTED)


def _has(message: memoryview, kind: str, nested: int) -> bool:
    if not nested:
        raise ValueError("messages are nested too deeply")
    for number, value in _fields(message):
        if kind == TENSOR:
            if number == EXTERNAL_DATA or (number == DATA_LOCATION and value != 0):
                return True
            continue
        below = LEADING.get(kind, {}).get(number)
        if below and isinstance(value, memoryview) and _has(value, below, nested - 1):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the number and the value of each field; fixed-width values as raw bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire = key & 7
        if wire == VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if wire == MESSAGE:
            size, at = _varint(message, at)
        elif wire in (FIXED_32, FIXED_64):
            size = 4 if wire == FIXED_32 else 8
        else:
            raise ValueError(f"unknown protobuf wire type {wire}")
        if at + size > len(message):
            raise ValueError("a field reaches beyond the end")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("a number reaches beyond the end")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number is too long")
