"""Which videos the tools of an agent may read, and where they may write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.library.library import Library, library_folder
from rdmf_cli.library.listing import list_videos


@dataclass(frozen=True)
class Reach:
    """Hold what the person who started the server allows.

    Attributes:
        folders: Folders, and single videos, that may be read; resolved paths.
        library: Folder of the library that may be searched; None: none.
        cuts: Folder into which moments may be cut; None: nothing may be written.
    """

    folders: tuple[Path, ...]
    library: Path | None = None
    cuts: Path | None = None

    @classmethod
    def of(cls, paths: Sequence[str], library: str | None, cuts: Path | None) -> Reach:
        """Read what was named on the command line.

        Raises:
            UsageError: Neither a path nor a library is named.
            RdmfError: A path or the library does not exist.
        """
        if not paths and library is None:
            raise UsageError("give folders to read, or --library", todo="rdmf mcp FOLDER")
        folders = tuple(Path(path).resolve() for path in paths)
        for folder in folders:
            if not folder.exists():
                raise UsageError("does not exist", folder, "check the name")
        kept = None if library is None else library_folder(library)
        if kept is not None:
            with Library.open(kept):
                pass  # it exists, and can be read
        return cls(folders, kept, None if cuts is None else cuts.resolve())

    def video(self, name: str) -> Path:
        """Return the path of a video that may be read.

        Args:
            name: An absolute path, or a path inside one of the folders.

        Raises:
            UsageError: The video is neither in the folders nor in the library.
        """
        if "\0" in name:
            raise UsageError("is not a path", name.replace("\0", "\\0"), "leave out the zero byte")
        for place in (Path(name), *(folder / name for folder in self.folders)):
            path = place.resolve()  # a link out of the folder is followed before the check
            if place.is_absolute() and path.is_file() and self._allows(path):
                return path
        allowed = [*map(str, self.folders), *([f"library {self.library}"] if self.library else [])]
        todo = f"choose a video of: {', '.join(allowed)}"
        raise UsageError("is not a video that rdmf mcp may read", name, todo)

    def videos(self) -> list[Path | RdmfError]:
        """List the videos of the folders, with an error for each that cannot be listed.

        A link that leads out of the folders is left out.
        """
        listed = list_videos([str(folder) for folder in self.folders])
        return [
            video
            for video in listed
            if isinstance(video, RdmfError) or self._is_inside(Path(video).resolve())
        ]

    def _allows(self, path: Path) -> bool:
        return self._is_inside(path) or path in self._of_library()

    def _is_inside(self, path: Path) -> bool:
        return any(path == folder or folder in path.parents for folder in self.folders)

    def _of_library(self) -> set[Path]:
        if self.library is None:
            return set()
        with Library.open(self.library) as library:
            return {Path(video.path).resolve() for video in library.videos()}
