"""The device that torch computes on, and a measurement of its speed in bfloat16 and float32."""

from __future__ import annotations

import time

import torch

from rdmf_cli.errors import UsageError


def device_named(name: str = "auto") -> torch.device:
    """Return the torch device for a name.

    Args:
        name: "cpu", "cuda", "cuda:1", "mps" or "auto"; "auto" is the fastest available kind.

    Raises:
        UsageError: rdmf cannot use this device on this machine.
    """
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next((kind for kind, there in found.items() if there), "cpu"))
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        usable = ["auto", "cpu", *(kind for kind, there in found.items() if there)]
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")
        todo = f"choose one of: {', '.join(usable)}"
        raise UsageError(f"this device cannot be used ({reason})", name, todo) from error
    return device


def bfloat16_speed() -> float:
    """Measure how much faster this processor multiplies matrices in bfloat16 than in float32.

    The measurement takes milliseconds.

    Returns:
        The ratio of the speeds: about 4 with AMX, 1/7 if the processor emulates bfloat16.
    """
    return _product_seconds(torch.float32) / _product_seconds(torch.bfloat16)


def _product_seconds(dtype: torch.dtype) -> float:
    square = torch.ones(256, 256, dtype=dtype)  # larger ones take seconds if emulated
    times = []
    for _ in range(4):
        start = time.perf_counter()
        square @ square
        times.append(time.perf_counter() - start)
    return min(times)
