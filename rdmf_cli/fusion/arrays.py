"""The few array functions that numpy and torch spell alike, picked by the array at hand."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

Array = Any
"""A numpy array or a torch tensor; the functions here return the kind they are given."""


def is_torch(x: Array) -> bool:
    """Whether x is a torch tensor; never imports torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def namespace(*arrays: Array) -> Any:
    """The module whose functions suit the arrays: torch if any of them is a tensor, else numpy."""
    return sys.modules["torch"] if any(map(is_torch, arrays)) else np


def like(x: Array, field: Array) -> Array:
    """x as an array of the kind, floating dtype and device of `field`."""
    if is_torch(field):
        return sys.modules["torch"].as_tensor(x, dtype=field.dtype, device=field.device)
    return np.asarray(x, dtype=field.dtype)


def boolean(mask: Array, field: Array) -> Array:
    """A mask as booleans of the kind and device of `field`."""
    if is_torch(field):
        torch = sys.modules["torch"]
        return torch.as_tensor(mask, dtype=torch.bool, device=field.device)
    return np.asarray(mask, dtype=bool)


def floating(x: Array) -> Array:
    """x in a precision the reaction may run in: float16 and bfloat16 become float32."""
    if is_torch(x):
        torch = sys.modules["torch"]
        wide = x.dtype in (torch.float32, torch.float64)
        return x if wide else x.to(torch.float32)
    x = np.asarray(x)
    if x.dtype == np.float16:
        return x.astype(np.float32)
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def result_dtype(x: Array) -> Any:
    """The floating dtype to answer in: x's own, half precision too; that of `floating` else."""
    if is_torch(x):
        return x.dtype if x.is_floating_point() else floating(x).dtype
    x = np.asarray(x)
    return x.dtype if x.dtype.kind == "f" else floating(x).dtype


def cast(x: Array, dtype: Any) -> Array:
    """x in `dtype`, without a copy where it is already."""
    if x.dtype == dtype:
        return x
    return x.to(dtype) if is_torch(x) else x.astype(dtype)


def column(x: Array, field: Array) -> Array:
    """Per-channel numbers (C,) as (C, 1), so that they stand beside fields (..., C, L)."""
    x = like(x, field)
    return x[:, None] if x.ndim == 1 else x


def broadcast(*arrays: Array) -> list[Array]:
    """The arrays, each broadcast to their common shape."""
    xp = namespace(*arrays)
    shape = np.broadcast_shapes(*(tuple(a.shape) for a in arrays))
    return [xp.broadcast_to(a, shape) for a in arrays]
