"""Files that hold the features of many videos or queries: HDF5, LMDB, WebDataset's tar, torch.

Each file is opened once, and its entries are read by name. No code in a file is executed, and
nothing outside the file is read: pickled objects and links of HDF5 to other files are refused.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from rdmf_cli.errors import MissingExtra, RdmfError
from rdmf_cli.features.files import (
    AGAIN,
    KEYS,
    MOST_BYTES,
    MOST_NUMBERS,
    NUMBERS,
    Arrays,
    arrays_in,
)

MOST_MEMBERS: Final = 1_000_000
LMDB_FILE: Final = "data.mdb"
SUFFIXES: Final = (".npz", ".npy", ".pt", ".pth")  # suffixes of members of an archive
HDF5_ROWS: Final = ("c3d_features", "i3d_features", "feature", "feat")
"""In published files, further names (besides `KEYS`) of the one dataset in a video's group."""


class Container(Protocol):
    """A file that holds features by name.

    Attributes:
        path: The file; errors and hashes use it.
    """

    path: Path

    def __contains__(self, name: str) -> bool:
        """Return whether the file holds features with this name."""

    def names(self) -> Iterator[str]:
        """Yield all names."""

    def read(self, name: str) -> Arrays:
        """Read the arrays with this name, within the size limits.

        Raises:
            RdmfError: The entry is damaged, too large, or holds no numbers.
        """


class Hdf5:
    """An HDF5 file: one dataset per name, or one group of datasets per name.

    Raises:
        MissingExtra: h5py is not installed.
        RdmfError: The file cannot be read.
    """

    def __init__(self, path: Path):
        try:
            import h5py
        except ImportError as error:
            raise MissingExtra("this layout of features", "features") from error
        self.path, self._h5py = path, h5py
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise RdmfError(
                f"is not a readable HDF5 file ({_first_line(error)})", path, AGAIN
            ) from (error)

    def __contains__(self, name: str) -> bool:
        return self._own(self._file, name) is not None

    def names(self) -> Iterator[str]:
        """Yield all names at the top level."""
        yield from self._file

    def read(self, name: str) -> Arrays:
        """Read a dataset, or all datasets of a group."""
        entry = self._own(self._file, name)
        if isinstance(entry, self._h5py.Dataset):
            return Arrays({"": self._numbers(entry)}, self.path)
        return self._in_group(entry if entry is not None else {}, name)

    def whole(self) -> Arrays:
        """Read the datasets at the top level of a file that holds one video or query."""
        return self._in_group(self._file, "it")

    def _in_group(self, group: Any, name: str) -> Arrays:
        found = {key: self._own(group, key) for key in group}
        sets = {key: x for key, x in found.items() if isinstance(x, self._h5py.Dataset)}
        arrays = {key: self._numbers(x) for key, x in sets.items() if key in KEYS}
        if not arrays:
            known = [key for key in (*HDF5_ROWS, *sets) if key in sets]
            if not known or (len(sets) > 1 and known[0] not in HDF5_ROWS):
                raise RdmfError(f"{name} holds no features", self.path, AGAIN)
            arrays = {"": self._numbers(sets[known[0]])}
        return Arrays(arrays, self.path)

    def _own(self, group: Any, name: str) -> Any:
        """Return an entry of this file; None: there is no such entry, or the entry is a link."""
        try:
            link = group.get(name, getlink=True)
            inside = isinstance(link, self._h5py.HardLink)
            return group[name] if inside else None
        except (KeyError, ValueError, OSError):
            return None

    def _numbers(self, data: Any) -> np.ndarray:
        if data.is_virtual or data.external:
            raise RdmfError(f"{data.name} lies in another file", self.path, "copy the data into it")
        if data.dtype.kind not in NUMBERS or data.size > MOST_NUMBERS or not data.size:
            what = f"{data.name} holds {data.dtype} of shape {data.shape}, not features"
            raise RdmfError(what, self.path, AGAIN)
        try:
            return np.asarray(data[()])
        except (OSError, ValueError) as error:
            what = f"{data.name} cannot be read ({_first_line(error)})"
            raise RdmfError(what, self.path, AGAIN) from error


class Lmdb:
    """An LMDB folder: values are the bytes of `.npz` or `.npy` files.

    Raises:
        MissingExtra: lmdb is not installed.
        RdmfError: The folder cannot be read.
    """

    def __init__(self, path: Path):
        try:
            import lmdb
        except ImportError as error:
            raise MissingExtra("this layout of features", "features") from error
        self.path = path
        try:
            self._open = lmdb.open(str(path), readonly=True, lock=False, create=False)
        except lmdb.Error as error:
            what = f"is not a readable LMDB folder ({_first_line(error)})"
            raise RdmfError(what, path, AGAIN) from error

    def __contains__(self, name: str) -> bool:
        return self._value(name) is not None

    def names(self) -> Iterator[str]:
        """Yield all keys."""
        with self._open.begin() as transaction:
            for key in transaction.cursor().iternext(values=False):
                yield bytes(key).decode("utf-8", "replace")

    def read(self, name: str) -> Arrays:
        """Read the arrays that are stored under a key."""
        value = self._value(name)
        if value is None or len(value) > MOST_BYTES:
            raise RdmfError(f"{name} is missing or too large", self.path, AGAIN)
        return arrays_in(value, self.path, name)

    def _value(self, name: str) -> bytes | None:
        key = name.encode("utf-8", "surrogatepass")
        if not 0 < len(key) <= self._open.max_key_size():
            return None
        with self._open.begin() as transaction:
            value = transaction.get(key)
        return None if value is None else bytes(value)


class Tar:
    """One tar archive as WebDataset writes it, or several (shards): members `<name>.npz`.

    A name may contain dots, as the names of QVHighlights do. WebDataset's own readers cut a name at
    the first dot.

    Raises:
        RdmfError: An archive cannot be read.
    """

    def __init__(self, *paths: Path):
        self.path = paths[0]
        self._members: dict[str, tuple[Path, int, int]] = {}
        for path in paths:
            self._list(path)

    def _list(self, path: Path) -> None:
        try:
            with tarfile.open(path, "r:") as archive:
                for member in archive:
                    if member.isreg() and member.name.endswith(SUFFIXES):
                        stem = member.name.rpartition("/")[2].rpartition(".")[0]
                        place = path, member.offset_data, member.size
                        self._members.setdefault(_undotted(stem), place)
                    if len(self._members) > MOST_MEMBERS:
                        raise RdmfError(f"has more than {MOST_MEMBERS} members", path, "split it")
        except (tarfile.TarError, OSError, EOFError) as error:
            what = f"is not a readable tar archive ({_first_line(error)})"
            raise RdmfError(what, path, AGAIN) from error

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def names(self) -> Iterator[str]:
        """Yield the names of all members."""
        yield from self._members

    def read(self, name: str) -> Arrays:
        """Read the arrays of a member."""
        path, start, size = self._members[name]
        if size > MOST_BYTES:
            raise RdmfError(f"{name} has {size} bytes, the limit is {MOST_BYTES}", path, AGAIN)
        with path.open("rb") as file:
            file.seek(start)
            return arrays_in(file.read(size), path, name)


def _undotted(stem: str) -> str:
    """Return a stem without the suffix that names the kind of features.

    >>> _undotted("abc.features"), _undotted("abc_60.0_210.0")
    ('abc', 'abc_60.0_210.0')
    """
    return next((stem.removesuffix(f".{key}") for key in KEYS if stem.endswith(f".{key}")), stem)


class Tensors:
    """A file of torch with a dictionary from names to tensors, or to dictionaries of tensors.

    Raises:
        MissingExtra: torch is not installed.
        RdmfError: The file holds something else. Pickled objects are never loaded.
    """

    def __init__(self, path: Path):
        from rdmf_cli.features.tensors import loaded

        self.path = path
        self._kept = loaded(path)
        if not isinstance(self._kept, Mapping):
            raise RdmfError("holds no dictionary from names to features", path, AGAIN)

    def __contains__(self, name: str) -> bool:
        return name in self._kept

    def names(self) -> Iterator[str]:
        """Yield all names."""
        yield from map(str, self._kept)

    def read(self, name: str) -> Arrays:
        """Return the arrays with this name."""
        from rdmf_cli.features.tensors import as_arrays

        return as_arrays(self._kept[name], self.path, name)


KINDS: Final[dict[str, Callable[[Path], Container]]] = {
    ".h5": Hdf5,
    ".hdf5": Hdf5,
    ".lmdb": Lmdb,
    ".tar": Tar,
    ".pt": Tensors,
    ".pth": Tensors,
}
"""The kinds of containers by the suffix of their file or folder."""


def open_container(path: Path) -> Container | None:
    """Open a file of many features; None: the path is not such a file; it may be a folder of files.

    Args:
        path: A file with a suffix in `KINDS`, an LMDB folder, or a folder that holds only tar
            archives.

    Raises:
        MissingExtra: The package that reads such files is not installed.
        RdmfError: The file cannot be read.
    """
    if path.is_dir():
        if (path / LMDB_FILE).is_file():
            return Lmdb(path)
        inside = sorted(path.iterdir())
        shards = inside and all(one.suffix == ".tar" for one in inside)
        return Tar(*inside) if shards else None
    kind = KINDS.get(path.suffix.lower())
    return kind(path) if kind is not None and path.is_file() else None


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
