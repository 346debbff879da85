"""Reading of JSON Lines; every error names the line."""

from __future__ import annotations

import codecs
import gzip
import json
import zlib
from collections.abc import Iterator
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdmf_cli.errors import RdmfError
from rdmf_cli.files import MIB, content_of, too_large

GZIP_MAGIC = b"\x1f\x8b"

MOST_TEXT = 128 * MIB  # limit for annotations or predictions in bytes, unpacked
MOST_JSON = 32 * MIB  # limit for a single JSON object in bytes; it is parsed as a whole
MOST_LINE = 16 * MIB  # limit for a line in characters
MOST_LINES = 250_000  # limit for a file

ONE_A_LINE = "write one {...} per line"
NESTED = "a number is too long, or lists are nested too deeply"


class LineError(RdmfError):
    """An error in a line of a file.

    Args:
        path: The file.
        line: Number of the line, from 1.
        what: The error in this line.
        todo: Advice for the user; may be empty.
    """

    def __init__(self, path: Path, line: int, what: str, todo: str = ""):
        self.line = line
        super().__init__(f"line {line}: {what}", path, todo)


def read_text(path: Path, most: int = MOST_TEXT) -> str:
    """Read a UTF-8 text file, plain or gzipped.

    Args:
        path: The file.
        most: Limit for the unpacked size in bytes.

    Raises:
        RdmfError: The file cannot be read, is damaged, empty, too large, or not UTF-8.
    """
    return "".join(text for _, text in _decoded(_content(path, most), path))


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line without its end) for every line that is not blank."""
    return ((number, line.removesuffix("\n")) for number, line in _lines(path))


def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) for every line of a JSON Lines file.

    Raises:
        RdmfError: The file cannot be read.
        LineError: A line is not a JSON object.
    """
    return ((number, _record(path, number, line)) for number, line in _lines(path))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number, line with its end) for every line that is not blank."""
    data = _content(path, MOST_TEXT)
    if data.count(b"\n") > MOST_LINES:
        raise RdmfError(f"has more than {MOST_LINES} lines, the limit", path, "split it")
    for number, line in _decoded(data, path):
        if not line.strip():
            continue
        if len(line) > MOST_LINE:
            what = f"longer than {MOST_LINE / MIB:g} MiB, the limit"
            raise LineError(path, number, what, ONE_A_LINE)
        yield number, line


def _record(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _not_json(path, number, line, error) from None
    if not isinstance(record, dict):
        raise LineError(path, number, "not a JSON object", ONE_A_LINE)
    return record


def _content(path: Path, most: int) -> bytes:
    """Return the content of a file, unpacked if it is gzipped."""
    data = content_of(path, most=most)
    if data.startswith(GZIP_MAGIC):
        data = _unzipped(data, path, most)
    if not data.removeprefix(codecs.BOM_UTF8).strip():
        raise RdmfError("the file is empty", path, "name another file")
    return data


def _unzipped(data: bytes, path: Path, most: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=BytesIO(data)) as file:
            content = file.read(most + 1)
    except EOFError:
        whole = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(data, most)
        line = whole.count(b"\n") + 1
        raise LineError(
            path, line, "the gzip file ends in the middle of this line", "copy it again"
        ) from None
    except (OSError, zlib.error) as error:
        raise RdmfError(f"is a damaged gzip file ({error})", path, "copy it again") from None
    if len(content) > most:
        raise too_large(path, "the unpacked text", most)
    return content


def _decoded(data: bytes, path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number, line with its end); decode lines one by one to save memory."""
    for number, line in enumerate(BytesIO(data), start=1):
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise LineError(path, number, "not UTF-8 text", "save it as UTF-8") from None


def _not_json(path: Path, number: int, line: str, error: Exception) -> LineError:
    if line.lstrip().startswith("{") and not line.endswith("\n"):  # only the last line
        what = "the file ends in the middle of this line"
        return LineError(path, number, what, "write or copy the file again")
    reason = error.msg if isinstance(error, json.JSONDecodeError) else NESTED
    return LineError(path, number, f"not JSON ({reason})", ONE_A_LINE)


# ------------------------------------------------------------------- fields of a record


def identifier(record: dict[str, Any], path: Path, line: int) -> int | str:
    """Return the qid of a record: a whole number or a text.

    Args:
        record: The record.
        path: The file, for errors.
        line: Number of the line, for errors.

    Raises:
        LineError: There is no qid, or the qid has another type.
    """
    if "qid" not in record:
        raise LineError(path, line, "no qid")
    qid = record["qid"]
    if isinstance(qid, bool) or not isinstance(qid, int | str) or qid == "":
        raise LineError(path, line, f"qid must be a whole number or a text, not {qid!r}")
    return qid


def numbers(value: Any, name: str, path: Path, line: int) -> npt.NDArray[np.float64]:
    """Convert a list of finite numbers, or a list of such lists (of equal length), to an array.

    Types are checked first, because numpy would convert texts to numbers.

    Args:
        value: The value of a record.
        name: The value's key, for errors.
        path: The file, for errors.
        line: Number of the line, for errors.

    Returns:
        (N,) or (N, M).

    Raises:
        LineError: The value has another form.
    """
    if not isinstance(value, list) or not _holds_numbers(value):
        raise LineError(path, line, f"{name} must be a list of numbers")
    try:
        array = np.asarray(value, dtype=np.float64)
    except ValueError:
        raise LineError(path, line, f"the rows of {name} differ in length") from None
    except OverflowError:
        raise LineError(path, line, f"{name} holds a number that is too large") from None
    if not np.isfinite(array).all():
        index = int(np.argwhere(~np.isfinite(array))[0][0])
        raise LineError(path, line, f"{name}[{index}] holds NaN or infinity")
    return array


def _holds_numbers(value: list[Any]) -> bool:
    """Return whether a list holds only numbers, or only lists of numbers."""
    kinds = set(map(type, value))
    if kinds == {list}:
        kinds = set(map(type, chain.from_iterable(value)))
    return kinds <= {int, float}


def table(value: Any, columns: str, name: str, path: Path, line: int) -> npt.NDArray[np.float64]:
    """Convert a list of rows to an array.

    Args:
        value: The value of a record.
        columns: The columns of a row in words: "[start, end, score]".
        name: The value's key, for errors.
        path: The file, for errors.
        line: Number of the line, for errors.

    Returns:
        (N, number of columns); finite numbers.

    Raises:
        LineError: The value has another form.
    """
    width = columns.count(",") + 1
    array = numbers(value, name, path, line)
    if array.shape == (0,):
        return array.reshape(0, width)
    if array.ndim != 2 or array.shape[1] != width:
        raise LineError(path, line, f"{name} must be a list of {columns}")
    return array


def windows(value: Any, columns: str, name: str, path: Path, line: int) -> npt.NDArray[np.float64]:
    """Convert a list of windows to an array; see `table`.

    Args:
        value: The value of a record.
        columns: The columns of a row in words; the first two are start and end, in seconds.
        name: The value's key, for errors.
        path: The file, for errors.
        line: Number of the line, for errors.

    Returns:
        (N, number of columns); finite numbers.

    Raises:
        LineError: The value has another form, or a window ends before it starts.
    """
    array = table(value, columns, name, path, line)
    inverted = np.flatnonzero(array[:, 1] < array[:, 0])
    if inverted.size:
        raise LineError(path, line, f"{entry(name, array, inverted[0])} ends before it starts")
    return array


def entry(name: str, rows: npt.NDArray[np.float64], index: int) -> str:
    """Return a row in the form for errors: "relevant_windows[0] = [12, 4]"."""
    row = ", ".join(f"{number:.10g}" for number in rows[index])
    return f"{name}[{index}] = [{row}]"
