"""Zip archives from untrusted sources (feature files, heads), read within limits.

An archive of a few kilobytes can unpack to any number of bytes. So the directory and each member
have a size limit here. Members are read by name only; nothing is unpacked to disk.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Final

from rdmf_cli.errors import RdmfError

MOST_DIRECTORY: Final = 1 << 20  # bytes; a member takes about 50, and 600 in memory
END, END_BYTES, LONGEST_COMMENT = b"PK\x05\x06", 22, 1 << 16
DIRECTORY_SIZE = slice(12, 16)
ZIP64, ZIP64_BYTES = b"PK\x06\x07", 20  # comes before the end record of archives of 4 GiB and more
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # other methods may allocate much memory
ENCRYPTED = 1

MakeError = Callable[[str], RdmfError]


class Archive:
    """A zip archive in memory.

    Args:
        content: The bytes of the archive; the caller limits their number.
        fault: A function that takes a reason and returns the error that names the file.

    Raises:
        RdmfError: The content is not a zip archive, is damaged, or has more members than any file
            of rdmf.
    """

    def __init__(self, content: bytes, fault: MakeError):
        self._fault = fault
        with self._errors_as_faults():
            self._check_directory(content)
            self._zip = zipfile.ZipFile(BytesIO(content))
        self.names = self._zip.namelist()

    def read(self, name: str, most: int) -> bytes:
        """Unpack one member.

        Args:
            name: Name of the member.
            most: The largest number of bytes that the member may hold.

        Returns:
            The content of the member.

        Raises:
            RdmfError: The member holds more bytes, is damaged, is encrypted, or is packed by
                another method than deflate.
        """
        with self._errors_as_faults():
            member = self._zip.getinfo(name)
            if member.file_size > most:
                raise self._fault(f"{name} holds {member.file_size} bytes, the limit is {most}")
            if member.compress_type not in PACKINGS or member.flag_bits & ENCRYPTED:
                raise self._fault(f"{name} is encrypted, or not packed by deflate")
            with self._zip.open(member) as file:
                return file.read(most + 1)  # never more than the size checked above

    def _check_directory(self, content: bytes) -> None:
        """Check the size of the directory before zipfile reads the whole directory."""
        end = content.rfind(END, max(len(content) - END_BYTES - LONGEST_COMMENT, 0))
        if end < 0:
            raise self._fault("not a zip file")
        size = int.from_bytes(content[end:][DIRECTORY_SIZE], "little")
        if size > MOST_DIRECTORY or ZIP64 in content[max(end - ZIP64_BYTES, 0) : end]:
            raise self._fault("it lists too many members")

    @contextmanager
    def _errors_as_faults(self) -> Iterator[None]:
        try:
            yield
        except (RdmfError, MemoryError):
            raise
        except Exception as error:  # zipfile raises a different type for each kind of damage
            raise self._fault(str(error) or type(error).__name__) from error
