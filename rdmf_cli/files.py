"""Read and write whole files: after a write, there is the complete new file or the old file.

rdmf recognises the files that it wrote by a record in the user's data folder. The record holds a
hash of the path and a hash of the content of each file. A file that is not in the record, or that
was edited since, belongs to the user; rdmf replaces it only on request (`force`).
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from rdmf_cli.errors import MissingFileError, RdmfError, UsageError, advice_on_writing
from rdmf_cli.folders import data_folder

CHECK = "check its name and your permission to read it"
PART = re.compile(r"\.rdmf-[0-9a-f]{16}\.part")  # names of unfinished files
MIB = 1 << 20
BLOCK = MIB  # bytes per read
RECORD = "written.log"
RECORD_LIMIT = 16 << 20  # bytes; a longer record loses its older half

Content = bytes | Callable[[BinaryIO], object]


def content_of(
    path: Path, what: str = "the file", todo: str = CHECK, most: int | None = None
) -> bytes:
    """Read a whole file.

    Args:
        path: The file.
        what: The file in words, for errors: "the annotations".
        todo: What a user can do if the file cannot be read, for errors.
        most: The largest number of bytes that the file may hold; None: any number. rdmf never reads
            more bytes than `most`, whatever size the system reports.

    Raises:
        RdmfError: The file cannot be read, or holds more than `most` bytes.
    """
    try:
        with open(path, "rb") as file:
            content = file.read() if most is None else file.read(most + 1)
    except OSError as error:
        raise unreadable(path, error, what, todo) from error
    if most is not None and len(content) > most:
        raise too_large(path, what, most)
    return content


def too_large(
    path: str | PathLike[str], what: str, most: int, todo: str = "check that it is the right file"
) -> RdmfError:
    """Return the error for a file that is larger than `most` bytes."""
    return RdmfError(f"{what} is larger than {most / MIB:g} MiB, the limit", path, todo)


def unreadable(
    path: str | PathLike[str], error: OSError, what: str = "the file", todo: str = CHECK
) -> RdmfError:
    """Return the error for a file that cannot be read, for example because of its permissions."""
    kind = MissingFileError if isinstance(error, FileNotFoundError) else RdmfError
    return kind(f"{what} cannot be read ({error.strerror})", path, todo)


class _NotOursError(Exception):
    """Report that the file to replace belongs to the user."""


def write_whole(
    path: str | PathLike[str],
    content: Content,
    *,
    inputs: Iterable[str | PathLike[str]] = (),
    force: bool = False,
    what: str = "the file",
    todo: str = "",
) -> Path:
    """Write a file completely or not at all: after any failure, the earlier file is still there.

    The content goes to a new file in the same folder. The new file is flushed to disk and renamed
    to `path`. If `path` is a device or a pipe (/dev/stdout), rdmf writes to `path` directly.

    Args:
        path: The file. Its folder must exist. A symbolic link stays; its target is replaced.
        content: The bytes, or a function that writes the bytes to the binary file that it is given.
        inputs: Files that the same command reads. They are never replaced, not even with `force`.
        force: Also replace a file that rdmf did not write.
        what: The file in words, for errors: "the figure".
        todo: What a user can do if the file cannot be written, for errors; empty: advice that fits
            the system's error.

    Returns:
        `path`.

    Raises:
        UsageError: The file is an input, or rdmf did not write the file.
        RdmfError: The file cannot be written: no such folder, no permission, or a full disk.
    """
    path = Path(path)
    check_target(path, inputs=inputs, force=force, what=what)
    with _write_errors(path, what, todo):
        try:
            if path.exists() and not path.is_file():
                _write_through(path, content)
            else:
                _replace_with_care(Path(os.path.realpath(path)), content, force)
        except _NotOursError:  # another program made the file after the check above
            raise _foreign(path, what) from None
    return path


def write_own(
    path: str | PathLike[str],
    content: Content,
    *,
    mode: int = 0o666,
    what: str = "the file",
    todo: str = "",
) -> Path:
    """Write a file in a folder of rdmf (cache, training state) as safely as `write_whole`.

    An existing file or symbolic link is replaced without a check, and nothing is recorded.

    Args:
        path: The file. Its folder must exist.
        content: The bytes, or a function that writes the bytes to the binary file that it is given.
        mode: Permissions of the file, before the umask.
        what: The file in words, for errors: "the features".
        todo: What a user can do if the file cannot be written, for errors; empty: advice that fits
            the system's error.

    Returns:
        `path`.

    Raises:
        RdmfError: The file cannot be written: no such folder, no permission, or a full disk.
    """
    path = Path(path)
    with _write_errors(path, what, todo):
        with _filled_part(path.parent, content, mode) as part:
            os.replace(part, path)
        bring_folder_to_disk(path.parent)
    return path


@contextmanager
def _write_errors(path: Path, what: str, todo: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(path, error, what, todo) from error


def unwritable(
    path: str | PathLike[str], error: OSError, what: str = "the file", todo: str = ""
) -> RdmfError:
    """Return the error for a file that cannot be written; by default with fitting advice."""
    why = error.strerror or str(error)
    kind = MissingFileError if isinstance(error, FileNotFoundError) else RdmfError
    return kind(f"{what} cannot be written ({why})", path, todo or advice_on_writing(error))


def _require_folder(path: Path, what: str) -> None:
    """Raise RdmfError if the folder of a new file does not exist."""
    try:
        os.stat(os.path.join(path.parent, ""))  # with the last slash, a file is no folder
    except OSError as error:
        raise unwritable(path, error, what) from error


def check_target(
    path: str | PathLike[str],
    *,
    inputs: Iterable[str | PathLike[str]] = (),
    force: bool = False,
    what: str = "the file",
) -> None:
    """Raise the errors that `write_whole` would raise; call this function before long work.

    Args:
        path: The file to be written.
        inputs: Files that the same command reads.
        force: Allow to replace files that rdmf did not write.
        what: The file in words, for errors: "the figure".

    Raises:
        UsageError: The file is an input of the same command, a folder or a disk. Or rdmf did not
            write the file, and `force` is not given.
        RdmfError: The folder of the file does not exist.
    """
    path = Path(path)
    for given in inputs:
        if _same(path, Path(given)):
            problem = f"{what} would replace {given}, which this command reads"
            raise UsageError(problem, path, "choose another file")
    if not os.path.lexists(path):
        _require_folder(path, what)
        return
    if path.is_dir() or path.is_block_device():
        kind = "folder" if path.is_dir() else "disk"
        raise UsageError(f"{what} cannot be written: this is a {kind}", path, "name a file")
    device = path.exists() and not path.is_file()
    if not (device or force or is_own(path)):
        raise _foreign(path, what)


def is_own(path: str | PathLike[str]) -> bool:
    """Return whether a file is empty, or unchanged since rdmf wrote it."""
    path = Path(path)
    try:
        if path.stat().st_size == 0:
            return path.is_file()
        recorded = _recorded(path)
        return recorded is not None and recorded == _hash_of(path)
    except OSError:
        return False


def is_part(path: Path) -> bool:
    """Return whether a path has the name of an unfinished file of `write_whole`."""
    return PART.fullmatch(path.name) is not None


@contextmanager
def new_part(folder: Path, mode: int = 0o666) -> Iterator[tuple[Path, BinaryIO]]:
    """Create a new file with a random name in `folder`, and open it for reading and writing.

    An existing file or link is never opened. At the end of the block the file is removed, unless it
    was renamed.

    Args:
        folder: The folder, which must exist.
        mode: Permissions, before the umask.

    Yields:
        The path of the file, and the open binary file.
    """
    part = folder / f".rdmf-{_random_digits()}.part"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(part, flags, mode)
    file = os.fdopen(descriptor, "w+b")
    try:
        yield part, file
    finally:
        with suppress(OSError):  # the disk is still full: report the first error, or Ctrl-C
            file.close()
        with suppress(OSError):
            part.unlink()


def _random_digits() -> str:
    return os.urandom(8).hex()


def bring_to_disk(file: BinaryIO) -> None:
    """Flush a file to the disk, so that its content survives a power cut."""
    file.flush()
    os.fsync(file.fileno())


def bring_folder_to_disk(folder: Path) -> None:
    """Flush a folder's list of names to the disk, if the system can do so."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _filled_part(folder: Path, content: Content, mode: int = 0o666) -> Iterator[Path]:
    """Write the content to a new file, flush the file to the disk, and yield its path."""
    with new_part(folder, mode) as (part, file):
        _fill(file, content)
        bring_to_disk(file)
        file.close()  # Windows cannot rename an open file
        yield part


def _replace_with_care(target: Path, content: Content, force: bool) -> None:
    with _filled_part(target.parent, content) as part:
        digest = _hash_of(part)
        if os.path.lexists(target):
            _rename_over(part, target, force)
        else:
            _rename_new(part, target)
    bring_folder_to_disk(target.parent)
    _record(target, digest)


def _rename_over(part: Path, target: Path, force: bool) -> None:
    """Replace a file, keep its permissions; _NotOursError if it now belongs to the user."""
    if not (force or is_own(target)):
        raise _NotOursError
    with suppress(OSError):  # some file systems have no permissions
        os.chmod(part, stat.S_IMODE(target.stat().st_mode))
    os.replace(part, target)


def _rename_new(part: Path, target: Path) -> None:
    """Rename a file, but never replace a file: _NotOursError if the new name exists by now."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise _NotOursError from None
    except (OSError, NotImplementedError, AttributeError):  # a file system without hard links
        if os.path.lexists(target):
            raise _NotOursError from None
        os.replace(part, target)


def _write_through(device: Path, content: Content) -> None:
    with open(device, "wb") as file:
        _fill(file, content)


def _fill(file: BinaryIO, content: Content) -> None:
    if callable(content):
        content(file)
    else:
        file.write(content)


def _same(path: Path, other: Path) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:  # one of the two files does not exist
        return os.path.realpath(path) == os.path.realpath(other)


def _foreign(path: Path, what: str) -> UsageError:
    problem = f"{what} would replace a file that rdmf did not write, or that was edited since"
    return UsageError(problem, path, "choose another file, or add --force")


def _hash_of(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _name_of(path: Path) -> str:
    """Return a hash of the path for the record: names of videos are private."""
    return hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:32]


def _recorded(path: Path) -> str | None:
    """Return the hash of what rdmf last wrote to a path; None if rdmf never wrote there."""
    record = (data_folder() / RECORD).read_bytes()
    at = record.rfind(f"{_name_of(path)} ".encode())
    return None if at < 0 else record[at + 33 : at + 97].decode("ascii", "replace")


def _record(path: Path, digest: str) -> None:
    """Record what was written. If the record cannot be written, the next run asks for --force."""
    record = data_folder() / RECORD
    with suppress(OSError, UsageError):
        record.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(record, flags, 0o600)
        try:
            os.write(descriptor, f"{_name_of(path)} {digest}\n".encode())
        finally:
            os.close(descriptor)
        if record.stat().st_size > RECORD_LIMIT:
            kept = record.read_bytes()[-RECORD_LIMIT // 2 :].split(b"\n", 1)[-1]
            write_own(record, kept, mode=0o600)
