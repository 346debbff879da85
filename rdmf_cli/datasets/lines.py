"""Reading files of JSON Lines so that whatever is wrong is said with its line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdmf_cli.errors import RdmfError
from rdmf_cli.files import content_of

GZIP_MAGIC = b"\x1f\x8b"


class LineError(RdmfError):
    """A line of a file that cannot be taken as it is."""

    def __init__(self, path: Path, line: int, what: str, todo: str = ""):
        self.line = line
        super().__init__(f"line {line}: {what}", path, todo)


def read_text(path: Path) -> str:
    """The whole text of a plain or gzipped UTF-8 file; RdmfError if it cannot be had whole."""
    data = content_of(path)
    if data.startswith(GZIP_MAGIC):
        data = _unzipped(data, path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LineError(path, line, "not UTF-8 text", "save it as UTF-8") from None
    if not text.strip():
        raise RdmfError("the file is empty", path, "give one that holds something")
    return text


def _unzipped(data: bytes, path: Path) -> bytes:
    try:
        return gzip.decompress(data)
    except EOFError:
        whole = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(data)
        line = whole.count(b"\n") + 1
        raise LineError(path, line, "the gzip file is cut off here", "copy it again") from None
    except (OSError, zlib.error) as error:
        raise RdmfError(f"a damaged gzip file ({error})", path, "copy it again") from None


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, line) for every line that is not blank."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            yield number, line


def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) for every line of a JSON Lines file."""
    text = read_text(path)
    last = text.count("\n") + 1  # is empty, unless the file ends without a line break
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _not_json(path, number, line, error, is_last=number == last) from None
        if not isinstance(record, dict):
            raise LineError(path, number, "not a JSON object", "write one {...} a line")
        yield number, record


def _not_json(path: Path, number: int, line: str, error: Exception, is_last: bool) -> LineError:
    if is_last and line.lstrip().startswith("{"):
        what = "the line is cut off, the file ends inside it"
        return LineError(path, number, what, "write or copy the file again")
    reason = error.msg if isinstance(error, json.JSONDecodeError) else "too long or too deep"
    return LineError(path, number, f"not JSON ({reason})", "write one {...} a line")


# ------------------------------------------------------------------- fields of a record


def identifier(record: dict[str, Any], path: Path, line: int) -> int | str:
    """The qid of a record: a whole number or a name."""
    if "qid" not in record:
        raise LineError(path, line, "no qid")
    qid = record["qid"]
    if isinstance(qid, bool) or not isinstance(qid, int | str) or qid == "":
        raise LineError(path, line, f"qid {qid!r} is neither a whole number nor a name")
    return qid


def numbers(value: Any, name: str, path: Path, line: int) -> npt.NDArray[np.float64]:
    """A list, or a list of lists of one length, of finite numbers."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise LineError(path, line, f"the rows of {name} differ in length") from None
    if not isinstance(value, list) or array.dtype.kind not in "iuf":
        raise LineError(path, line, f"{name} is not a list of numbers")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        index = int(np.argwhere(~np.isfinite(array))[0][0])
        raise LineError(path, line, f"{name}[{index}] holds NaN or infinity")
    return array


def table(value: Any, columns: str, name: str, path: Path, line: int) -> npt.NDArray[np.float64]:
    """A list of rows such as "[start, end, score]": (N, 3) finite numbers."""
    width = columns.count(",") + 1
    array = numbers(value, name, path, line)
    if array.shape == (0,):
        return array.reshape(0, width)
    if array.ndim != 2 or array.shape[1] != width:
        raise LineError(path, line, f"{name} is not a list of {columns}")
    return array


def windows(value: Any, columns: str, name: str, path: Path, line: int) -> npt.NDArray[np.float64]:
    """A `table` whose first two columns are a start and an end, seconds, in that order."""
    array = table(value, columns, name, path, line)
    inverted = np.flatnonzero(array[:, 1] < array[:, 0])
    if inverted.size:
        raise LineError(path, line, f"{entry(name, array, inverted[0])} ends before it starts")
    return array


def entry(name: str, rows: npt.NDArray[np.float64], index: int) -> str:
    """How an error names one row: "relevant_windows[0] = [12, 4]"."""
    row = ", ".join(f"{number:.10g}" for number in rows[index])
    return f"{name}[{index}] = [{row}]"
