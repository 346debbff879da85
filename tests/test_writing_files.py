"""Files are written completely or not at all, and never replace a file of the user."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rdmf_cli.errors import MissingFileError, RdmfError, UsageError
from rdmf_cli.files import check_target, is_own, is_part, new_part, write_own, write_whole
from rdmf_cli.folders import cache_folder, data_folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_holds_the_content_and_nothing_lies_beside_it(tmp_path: Path):
    assert write_whole(tmp_path / "a.txt", b"one") == tmp_path / "a.txt"
    write_whole(tmp_path / "b.txt", lambda file: file.write(b"two"))
    assert (tmp_path / "a.txt").read_bytes() == b"one"
    assert (tmp_path / "b.txt").read_bytes() == b"two"
    assert names(tmp_path) == ["a.txt", "b.txt"]


def test_what_rdmf_wrote_is_replaced_by_a_later_run(tmp_path: Path):
    path = write_whole(tmp_path / "a.txt", b"one")
    assert is_own(path)
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"


def test_a_file_of_a_users_is_replaced_by_force_only(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"did not write.*--force"):
        write_whole(path, b"one", what="the figure")
    assert path.read_bytes() == b"mine"
    write_whole(path, b"one", force=True)
    assert path.read_bytes() == b"one"
    write_whole(path, b"two")  # now the file belongs to rdmf
    assert path.read_bytes() == b"two"


def test_a_file_that_was_edited_since_is_a_users(tmp_path: Path):
    path = write_whole(tmp_path / "a.srt", b"one")
    path.write_bytes(b"one, corrected by hand")
    with pytest.raises(UsageError, match="edited since"):
        write_whole(path, b"two")
    assert path.read_bytes() == b"one, corrected by hand"


def test_the_same_content_elsewhere_is_a_users(tmp_path: Path):
    path = write_whole(tmp_path / "a.txt", b"one")
    path.rename(tmp_path / "kept.txt")
    with pytest.raises(UsageError):
        write_whole(tmp_path / "kept.txt", b"two")


def test_an_empty_file_holds_nothing_to_lose(tmp_path: Path):
    (tmp_path / "a.txt").touch()
    write_whole(tmp_path / "a.txt", b"one")
    assert (tmp_path / "a.txt").read_bytes() == b"one"


@pytest.mark.parametrize("way", ["itself", "symbolic link", "hard link"])
def test_an_input_is_never_replaced_not_by_force_either(tmp_path: Path, way: str):
    given = tmp_path / "given.jsonl"
    given.write_bytes(b"mine")
    path = given
    if way != "itself":
        path = tmp_path / "other.jsonl"
        (path.symlink_to if way == "symbolic link" else path.hardlink_to)(given)
    with pytest.raises(UsageError, match="which this command reads"):
        write_whole(path, b"one", inputs=[given], force=True)
    assert given.read_bytes() == b"mine"


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path):
    path = tmp_path / "a.txt"

    def slow(file):
        file.write(b"one")
        path.write_bytes(b"mine")

    with pytest.raises(UsageError, match="did not write"):
        write_whole(path, slow)
    assert path.read_bytes() == b"mine"
    assert names(tmp_path) == ["a.txt"]


def test_a_link_stays_a_link_and_its_target_is_judged(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    target = write_whole(tmp_path / "elsewhere" / "a.txt", b"one")
    link = tmp_path / "link.txt"
    link.symlink_to(target)
    write_whole(link, b"two")
    assert link.is_symlink()
    assert target.read_bytes() == b"two"
    target.write_bytes(b"mine")
    with pytest.raises(UsageError):
        write_whole(link, b"three")
    dangling = tmp_path / "dangling.txt"
    dangling.symlink_to(tmp_path / "none.txt")
    with pytest.raises(UsageError):
        write_whole(dangling, b"three")
    assert not (tmp_path / "none.txt").exists()


def test_in_a_folder_of_its_own_a_link_is_replaced_and_never_followed(tmp_path: Path):
    marker = tmp_path / "marker"
    marker.write_bytes(b"mine")
    (tmp_path / "own").mkdir()
    path = tmp_path / "own" / "state"
    path.symlink_to(marker)
    write_own(path, b"state")
    assert not path.is_symlink()
    assert marker.read_bytes() == b"mine"


def test_part_files_cannot_be_foreseen_and_follow_no_link(tmp_path: Path, monkeypatch):
    with new_part(tmp_path) as (one, _), new_part(tmp_path) as (two, _):
        assert one.name != two.name
        assert is_part(one)
        assert stat.S_ISREG(one.lstat().st_mode)
    assert names(tmp_path) == []
    monkeypatch.setattr("rdmf_cli.files._random_digits", lambda: "0" * 16)
    (tmp_path / ".rdmf-0000000000000000.part").symlink_to(tmp_path / "marker")
    with pytest.raises(RdmfError, match="exists"):
        write_own(tmp_path / "a.txt", b"one")
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    "name", ["x.part", ".rdmf-.part", ".rdmf-0000.part", ".rdmf-000000000000000g.part", ".part"]
)
def test_other_names_are_no_parts_of_rdmfs(name: str):
    assert not is_part(Path(name))


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path):
    path = write_whole(tmp_path / "a.txt", b"one")

    def interrupted(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, interrupted)
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == ["a.txt"]


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path):
    path = write_whole(tmp_path / "a.txt", b"one")
    path.chmod(0o640)
    write_whole(path, b"two")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    private = write_own(tmp_path / "b.txt", b"one", mode=0o600)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600


def test_devices_and_pipes_are_written_to(tmp_path: Path):
    write_whole("/dev/null", b"gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    script = "from rdmf_cli.files import write_whole; write_whole('/dev/stdout', b'said')"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert result.stdout == b"said"


def test_what_cannot_be_written_is_said_with_the_file(tmp_path: Path):
    with pytest.raises(UsageError, match="this is a folder"):
        write_whole(tmp_path, b"one")
    with pytest.raises(RdmfError, match=r"the figure cannot be written.*make this folder"):
        write_whole(tmp_path / "none" / "a.png", b"1", what="the figure", todo="choose another")
    long = tmp_path / ("n" * 255)
    write_whole(long, b"the longest name is no harm")
    assert long.read_bytes() == b"the longest name is no harm"


def test_a_record_that_cannot_be_written_costs_no_output(tmp_path: Path, monkeypatch):
    (tmp_path / "data").write_bytes(b"a file where the folder should be")
    monkeypatch.setenv("RDMF_DATA_DIR", str(tmp_path / "data"))
    path = write_whole(tmp_path / "a.txt", b"one")
    assert path.read_bytes() == b"one"
    with pytest.raises(UsageError, match="--force"):
        check_target(path)


def test_the_record_is_bounded_and_names_no_path(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("RDMF_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("rdmf_cli.files.RECORD_LIMIT", 1000)
    paths = [write_whole(tmp_path / f"{i}.txt", b"one") for i in range(60)]
    record = tmp_path / "data" / "written.log"
    assert record.stat().st_size <= 1100
    assert b".txt" not in record.read_bytes()
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert is_own(paths[-1])
    assert not is_own(paths[0])


@pytest.mark.parametrize(
    ("name", "folder"), [("RDMF_DATA_DIR", data_folder), ("RDMF_CACHE_DIR", cache_folder)]
)
def test_a_tilde_in_the_name_of_a_folder_is_the_home_folder(
    name: str, folder: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A shell does not expand a tilde within quotes; a service file never expands it."""
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(tmp_path))
    monkeypatch.setenv(name, "~/own")
    assert folder() == tmp_path / "own"
    monkeypatch.setenv(name, "~no-user-has-this-name/own")
    with pytest.raises(UsageError, match=name):
        folder()


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOENT, "make this folder first"),
        (errno.ENOTDIR, "a part of this path is a file"),
        (errno.EACCES, "check your permission"),
        (errno.EPERM, "check your permission"),
        (errno.EROFS, "this disk is read-only"),
        (errno.ENOSPC, "free some disk space"),
        (errno.EFBIG, "takes no file of this size"),
        (errno.ENAMETOOLONG, "a shorter name"),
        (errno.EIO, "check the folder and the disk"),
    ],
)
def test_the_advice_fits_the_error_of_the_system(tmp_path: Path, number: int, advice: str):
    def write(_file: object) -> None:
        raise OSError(number, os.strerror(number))

    for writer in (write_whole, write_own):
        with pytest.raises(RdmfError) as caught:
            writer(tmp_path / "a.txt", write)
        assert os.strerror(number) in caught.value.what
        assert advice in caught.value.todo
        assert ("disk space" in caught.value.todo) == (number == errno.ENOSPC)
    assert names(tmp_path) == []


def test_a_missing_folder_is_told_before_long_work(tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(MissingFileError, match=r"cannot be written.*make this folder first"):
        check_target(tmp_path / "gone" / "a.txt", what="the page")
    with pytest.raises(RdmfError, match="a part of this path is a file"):
        check_target(tmp_path / "file" / "a.txt")
    check_target(tmp_path / "a.txt")
