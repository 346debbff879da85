"""Side data that a decoder attaches to a frame, with every version of PyAV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from av.sidedata import sidedata


def side_data(frame: Any) -> Mapping[Any, Any]:
    """Return the side data of a frame by the name of its type, such as "DISPLAYMATRIX".

    FFmpeg has types for which PyAV has no names (EXIF, for example). PyAV 17 and 18 then raise
    ValueError and list no side data; so this function first names the unnamed types.
    """
    found: Mapping[Any, Any]
    try:
        found = frame.side_data
    except ValueError:
        types: Any = sidedata.Type
        types._missing_ = classmethod(_nameless)
        found = frame.side_data
    return found


def _nameless(types: Any, number: int) -> Any:
    member = object.__new__(types)
    member._name_, member._value_ = f"NUMBER_{number}", number
    return member
