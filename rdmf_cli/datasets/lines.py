"""Reading files of JSON Lines so that whatever is wrong is said with its line."""

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

MOST_TEXT = 128 * MIB  # bytes of annotations or predictions, unpacked
MOST_JSON = 32 * MIB  # bytes of a file that is one JSON object: it is parsed as a whole
MOST_LINE = 16 * MIB  # characters
MOST_LINES = 250_000

ONE_A_LINE = "write one {...} per line"
NESTED = "too long a number, or nested too deeply"


class LineError(RdmfError):
    """A line of a file that cannot be taken as it is."""

    def __init__(self, path: Path, line: int, what: str, todo: str = ""):
        self.line = line
        super().__init__(f"line {line}: {what}", path, todo)


def read_text(path: Path, most: int = MOST_TEXT) -> str:
    """Read the whole text of a plain or gzipped UTF-8 file of at most so many bytes, unpacked.

    Raises RdmfError where it cannot be had whole.
    """
    return "".join(text for _, text in _decoded(_content(path, most), path))


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line) for every line that is not blank, without its end."""
    return ((number, line.removesuffix("\n")) for number, line in _lines(path))


def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object) for every line of a JSON Lines file."""
    return ((number, _record(path, number, line)) for number, line in _lines(path))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, line with its end), of lines that are not blank."""
    data = _content(path, MOST_TEXT)
    if data.count(b"\n") > MOST_LINES:
        raise RdmfError(f"more than {MOST_LINES} lines, the most that are read", path, "split it")
    for number, line in _decoded(data, path):
        if not line.strip():
            continue
        if len(line) > MOST_LINE:
            what = f"the line is longer than {MOST_LINE / MIB:g} MiB, the most that is read"
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
    """All of a file, unpacked where it is gzipped, without a byte order mark."""
    data = content_of(path, most=most)
    if data.startswith(GZIP_MAGIC):
        data = _unzipped(data, path, most)
    if not data.removeprefix(codecs.BOM_UTF8).strip():
        raise RdmfError("the file is empty", path, "give one that holds something")
    return data


def _unzipped(data: bytes, path: Path, most: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=BytesIO(data)) as file:
            content = file.read(most + 1)
    except EOFError:
        whole = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(data, most)
        line = whole.count(b"\n") + 1
        raise LineError(path, line, "the gzip file is cut off here", "copy it again") from None
    except (OSError, zlib.error) as error:
        raise RdmfError(f"a damaged gzip file ({error})", path, "copy it again") from None
    if len(content) > most:
        raise too_large(path, "the unpacked text", most)
    return content


def _decoded(data: bytes, path: Path) -> Iterator[tuple[int, str]]:
    """(line number, line with its end): line by line, so that the text is not held twice."""
    for number, line in enumerate(BytesIO(data), start=1):
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise LineError(path, number, "not UTF-8 text", "save it as UTF-8") from None


def _not_json(path: Path, number: int, line: str, error: Exception) -> LineError:
    if line.lstrip().startswith("{") and not line.endswith("\n"):  # the last line alone
        what = "the line is cut off, the file ends inside it"
        return LineError(path, number, what, "write or copy the file again")
    reason = error.msg if isinstance(error, json.JSONDecodeError) else NESTED
    return LineError(path, number, f"not JSON ({reason})", ONE_A_LINE)


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
    """Take a list, or a list of lists of one length, of finite numbers.

    Types are looked at first: numpy would make text into an array as wide as the longest.
    """
    if not isinstance(value, list) or not _holds_numbers(value):
        raise LineError(path, line, f"{name} is not a list of numbers")
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
    """Whether it is a list of numbers, or of such lists."""
    kinds = set(map(type, value))
    if kinds == {list}:
        kinds = set(map(type, chain.from_iterable(value)))
    return kinds <= {int, float}


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
