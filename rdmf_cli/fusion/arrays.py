"""Array functions that work on numpy arrays and on torch tensors alike, without importing torch."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

Array = Any
"""A numpy array or a torch tensor. Functions return the kind of array that they receive."""


def is_torch(x: Array) -> bool:
    """Check whether x, of any shape (...), is a torch tensor; torch is not imported."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def namespace(*arrays: Array) -> Any:
    """Choose the module whose functions take the arrays, of any shapes (...).

    Returns:
        torch if any of the arrays is a tensor, else numpy.
    """
    return sys.modules["torch"] if any(map(is_torch, arrays)) else np


def like(x: Array, field: Array) -> Array:
    """Convert x (...) to the kind, floating dtype and device of `field`."""
    if is_torch(field):
        return sys.modules["torch"].as_tensor(x, dtype=field.dtype, device=field.device)
    return np.asarray(x, dtype=field.dtype)


def boolean(mask: Array, field: Array) -> Array:
    """Convert a mask (...) to booleans of the kind and device of `field`."""
    if is_torch(field):
        torch = sys.modules["torch"]
        return torch.as_tensor(mask, dtype=torch.bool, device=field.device)
    return np.asarray(mask, dtype=bool)


def floating(x: Array) -> Array:
    """Convert x (...) to a precision in which the reaction can be computed.

    float16 and bfloat16 become float32, integers become float64 (numpy) or float32 (torch).
    """
    if is_torch(x):
        torch = sys.modules["torch"]
        wide = x.dtype in (torch.float32, torch.float64)
        return x if wide else x.to(torch.float32)
    x = np.asarray(x)
    if x.dtype == np.float16:
        return x.astype(np.float32)
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def result_dtype(x: Array) -> Any:
    """Choose the dtype of a result.

    A floating x (...) keeps its dtype, also in half precision. For integers it is the dtype that
    `floating` chooses.
    """
    if is_torch(x):
        return x.dtype if x.is_floating_point() else floating(x).dtype
    x = np.asarray(x)
    return x.dtype if x.dtype.kind == "f" else floating(x).dtype


def cast(x: Array, dtype: Any) -> Array:
    """Convert x (...) to `dtype`. If x has this dtype already, it is not copied."""
    if x.dtype == dtype:
        return x
    return x.to(dtype) if is_torch(x) else x.astype(dtype)


def column(x: Array, field: Array) -> Array:
    """Reshape per-channel numbers (C,) to (C, 1), to broadcast against fields (..., C, L)."""
    x = like(x, field)
    return x[:, None] if x.ndim == 1 else x


def broadcast(*arrays: Array) -> list[Array]:
    """Broadcast arrays (...) against each other.

    Returns:
        The arrays, all of their common shape.
    """
    xp = namespace(*arrays)
    shape = np.broadcast_shapes(*(tuple(a.shape) for a in arrays))
    return [xp.broadcast_to(a, shape) for a in arrays]
