"""Read zip archives without believing the sizes they tell of: feature files and heads.

An archive of a few kilobytes can tell of, and unpack to, any number of bytes. Here its directory
and each of its members have a limit, and members are read by name alone.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Final

from rdmf_cli.errors import RdmfError

MOST_DIRECTORY: Final = 1 << 20  # bytes; every member takes some 50 there, and 600 in memory
END, END_BYTES, LONGEST_COMMENT = b"PK\x05\x06", 22, 1 << 16
DIRECTORY_SIZE = slice(12, 16)
ZIP64, ZIP64_BYTES = b"PK\x06\x07", 20  # stands before the end of archives of 4 GiB and more
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for much memory first
ENCRYPTED = 1

Fault = Callable[[str], RdmfError]


class Archive:
    """A zip archive in memory.

    Args:
        content: All of its bytes, of which the caller has bounded the number.
        fault: Makes the error that names the file, from a reason.

    Raises:
        RdmfError: It is no zip archive, is damaged, or has more members than any file of rdmf's.
    """

    def __init__(self, content: bytes, fault: Fault):
        self._fault = fault
        with self._faults_told():
            self._check_directory(content)
            self._zip = zipfile.ZipFile(BytesIO(content))
        self.names = self._zip.namelist()

    def read(self, name: str, most: int) -> bytes:
        """Unpack a member of at most so many bytes.

        Raises:
            RdmfError: It holds more, is damaged or encrypted, or packed in an unusual way.
        """
        with self._faults_told():
            member = self._zip.getinfo(name)
            if member.file_size > most:
                raise self._fault(f"{name} holds {member.file_size} bytes, {most} at most are read")
            if member.compress_type not in PACKINGS or member.flag_bits & ENCRYPTED:
                raise self._fault(f"{name} is encrypted, or not packed by deflate")
            with self._zip.open(member) as file:
                return file.read(most + 1)  # never more than the size above

    def _check_directory(self, content: bytes) -> None:
        """Look at the directory's size before zipfile reads all of it."""
        end = content.rfind(END, max(len(content) - END_BYTES - LONGEST_COMMENT, 0))
        if end < 0:
            raise self._fault("File is not a zip file")
        size = int.from_bytes(content[end:][DIRECTORY_SIZE], "little")
        if size > MOST_DIRECTORY or ZIP64 in content[max(end - ZIP64_BYTES, 0) : end]:
            raise self._fault("it lists more members than such a file has")

    @contextmanager
    def _faults_told(self) -> Iterator[None]:
        try:
            yield
        except (RdmfError, MemoryError):
            raise
        except Exception as error:  # each damage has its own type
            raise self._fault(str(error) or type(error).__name__) from error
