"""A training that is interrupted, at any point and in any way, resumes with the same result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import peak_memory
import pytest
import torch
import toy_task
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from toy_task import ToyTask, log_lines, options, same_result

from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.training.events import Callback
from rdmf_cli.training.loop import Result, train


class Ended(BaseException):
    """Stands for the end of the process."""


def ends_at(batch: int, how: type[BaseException] = Ended):
    def on_batch(number: int) -> None:
        if number == batch:
            raise how

    return on_batch


@pytest.fixture
def whole(tmp_path) -> Result:
    """A training without interruption; with dropout, so that random numbers matter."""
    return train(ToyTask(dropout=0.2), options(), tmp_path / "whole")


def go_on(folder: Path, **changes) -> Result:
    torch.rand(7)  # numbers drawn before must have no effect
    return train(ToyTask(dropout=0.2), options(**changes), folder)


def test_after_sigkill_in_mid_epoch_it_ends_the_same(tmp_path):
    arguments = [toy_task.__file__, str(tmp_path / "killed"), json.dumps({"pause": 0.05})]
    shell = subprocess.Popen(
        [sys.executable, *arguments], env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    try:
        _wait_for(tmp_path / "killed", '"kind": "step", "epoch": 3')
    finally:
        shell.kill()
        shell.wait(timeout=20)
    assert shell.returncode == -9
    assert len(log_lines(tmp_path / "killed", "epoch")) == 2
    resumed = train(ToyTask(), options(), tmp_path / "killed")
    whole = train(ToyTask(), options(), tmp_path / "whole")
    assert same_result(resumed, whole)
    assert log_lines(tmp_path / "killed") == log_lines(tmp_path / "whole")


def _wait_for(folder: Path, words: str) -> None:
    """Wait until the log of a process contains a text."""
    log, late = folder / "log.jsonl", time.monotonic() + 60
    while not log.exists() or words not in log.read_text():
        assert time.monotonic() < late, "the training did not get there"
        time.sleep(0.01)


@pytest.mark.parametrize("batch", range(1, 13, 2))
def test_wherever_it_ends_it_goes_on_to_the_same(tmp_path, whole, batch):
    with pytest.raises(Ended):
        train(ToyTask(dropout=0.2, on_batch=ends_at(batch)), options(), tmp_path / "ended")
    assert same_result(go_on(tmp_path / "ended"), whole)
    assert log_lines(tmp_path / "ended") == log_lines(tmp_path / "whole")


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("write", range(1, 6))
def test_a_file_is_there_whole_or_not_at_all(tmp_path, whole, monkeypatch, write, before):
    """The process ends just before or just after the n-th file is renamed."""
    replace, count = os.replace, iter(range(1, 100))

    def ending(source, target):
        if (last := next(count) == write) and before:
            raise Ended
        replace(source, target)
        if last:
            raise Ended

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", ending)
        with pytest.raises(Ended):
            train(ToyTask(dropout=0.2), options(), tmp_path / "ended")
    assert same_result(go_on(tmp_path / "ended"), whole)
    assert log_lines(tmp_path / "ended") == log_lines(tmp_path / "whole")
    assert not list((tmp_path / "ended").glob(".*.part"))


def test_ended_again_and_again(tmp_path, whole):
    for batch in (5, 2, 4, 3):
        with pytest.raises(Ended):
            train(ToyTask(dropout=0.2, on_batch=ends_at(batch)), options(), tmp_path / "ended")
    assert same_result(go_on(tmp_path / "ended"), whole)


def test_a_finished_training_says_its_result_again_without_a_step(tmp_path, whole):
    task = ToyTask(dropout=0.2, on_batch=ends_at(1))
    again = train(task, options(), tmp_path / "whole")
    assert same_result(again, whole)
    assert again.seconds == whole.seconds


def test_a_lost_copy_of_the_best_weights_is_written_anew(tmp_path, whole):
    before = whole.checkpoint.read_bytes()
    whole.checkpoint.unlink()
    go_on(tmp_path / "whole")
    assert whole.checkpoint.read_bytes() == before


def test_seconds_add_up_over_runs(tmp_path):
    with pytest.raises(Ended):
        train(ToyTask(on_batch=ends_at(8)), options(), tmp_path)
    first = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-2])["seconds"]
    assert train(ToyTask(), options(), tmp_path).seconds > first


def test_tensorboard_takes_back_what_is_trained_again(tmp_path):
    with pytest.raises(Ended):
        train(ToyTask(on_batch=ends_at(6)), options(), tmp_path)
    train(ToyTask(), options(), tmp_path)
    curves = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [point.step for point in curves.Scalars("loss/total")] == list(range(1, 13))


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        (2, "in the first epoch; nothing is saved in {} yet"),
        (5, "epoch 1 is saved in {}; run the same command again to resume"),
        (8, "epochs 1 to 2 are saved in {}; run the same command again to resume"),
    ],
)
def test_ctrl_c_says_how_to_go_on(tmp_path, whole, batch, said):
    class Notes(Callback):
        def __init__(self) -> None:
            self.said: list[str] = []

        def note(self, text):
            self.said.append(text)

        def ended(self):
            self.said.append("ended")

    notes = Notes()
    task = ToyTask(dropout=0.2, on_batch=ends_at(batch, KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt) as stopped:
        train(task, options(), tmp_path / "ended", callback=notes)
    assert str(stopped.value) == said.format(tmp_path / "ended")
    assert notes.said == ["ended"]
    assert same_result(go_on(tmp_path / "ended"), whole)


# ------------------------------------------------------------------- states that cannot be resumed


def test_other_settings_are_named(tmp_path, whole):
    folder = tmp_path / "whole"
    with pytest.raises(UsageError) as failed:
        train(ToyTask(), options(rate=0.5, epochs=9), folder, about={"fusion": "none"})
    assert str(failed.value) == (
        f"{folder / 'last.pt'}: this run was started with other settings: epochs 4 (now 9), "
        "rate 0.02 (now 0.5), fusion None (now none); give the same settings, choose another "
        "--out, or start again with --restart"
    )


def test_other_data_is_another_setting(tmp_path, whole):
    with pytest.raises(UsageError, match=r"samples 19 \(now 20\)"):
        train(ToyTask(samples=20), options(), tmp_path / "whole")


def test_restart_begins_anew_and_removes_nothing_else(tmp_path, whole):
    folder = tmp_path / "whole"
    (folder / "notes.txt").write_text("mine")
    result = train(ToyTask(dropout=0.2), options(rate=0.01), folder, restart=True)
    fresh = train(ToyTask(dropout=0.2), options(rate=0.01), tmp_path / "fresh")
    assert same_result(result, fresh)
    assert log_lines(folder) == log_lines(tmp_path / "fresh")
    assert len(list((folder / "tensorboard").iterdir())) == 1
    assert (folder / "notes.txt").read_text() == "mine"
    assert not (folder / "before-restart").exists()


class Stopped(Callback):
    """Ends a training after some epochs, like Ctrl-C."""

    def __init__(self, after: int):
        self.after = after

    def scored(self, epoch):
        if epoch.epoch == self.after:
            raise KeyboardInterrupt


def test_what_was_trained_is_kept_until_the_restarted_training_is_whole(tmp_path, whole):
    folder = tmp_path / "whole"
    before = {name: (folder / name).read_bytes() for name in ("last.pt", "best.pt", "log.jsonl")}
    for after in (1, 2):  # restarted twice: the files of the first restart are not kept
        with pytest.raises(KeyboardInterrupt):
            train(ToyTask(), options(rate=0.01), folder, callback=Stopped(after), restart=True)
        aside = folder / "before-restart"
        assert {name: (aside / name).read_bytes() for name in before} == before
    (aside / "notes.txt").write_text("mine")
    train(ToyTask(), options(rate=0.01), folder)
    assert [path.name for path in aside.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("name", ["best.pt", "last.pt", "log.jsonl", "model/config.json", "a.txt"])
def test_a_folder_of_a_users_is_refused_and_stays_as_it_is(tmp_path, name, restart):
    path = tmp_path / "mine" / name
    path.parent.mkdir(parents=True)
    torch.save({"weights": torch.ones(3)}, path)
    content = path.read_bytes()
    with pytest.raises(UsageError, match=r"mine: this folder holds other files .* for --out"):
        train(ToyTask(), options(), tmp_path / "mine", restart=restart)
    assert path.read_bytes() == content
    assert [*(tmp_path / "mine").iterdir()] == [tmp_path / "mine" / Path(name).parts[0]]


def test_an_empty_folder_and_a_state_from_before_the_mark_are_taken(tmp_path, whole):
    (tmp_path / "empty").mkdir()
    train(ToyTask(), options(epochs=1), tmp_path / "empty")
    (tmp_path / "whole" / ".rdmf-training").unlink()
    assert same_result(go_on(tmp_path / "whole"), whole)


def test_another_model_is_an_error(tmp_path, whole):
    task = ToyTask()
    task.model.read = torch.nn.Linear(6, 1, bias=False)
    with pytest.raises(RdmfError, match=r"last\.pt: this checkpoint is of another model; start"):
        train(task, options(), tmp_path / "whole")


def damaged(content: bytes) -> list[bytes]:
    middle = len(content) // 2
    stop = middle + 256  # after a record's header and padding, which have no checksum
    flipped = bytes(byte ^ 1 for byte in content[middle:stop])
    return [
        b"",
        content[:middle],
        content[:-1],
        b"PK" + bytes(100),
        content[:middle] + flipped + content[stop:],
    ]


@pytest.mark.parametrize("how", range(5))
def test_a_damaged_state_is_an_error_that_names_it(tmp_path, whole, how):
    path = tmp_path / "whole" / "last.pt"
    path.write_bytes(damaged(path.read_bytes())[how])
    with pytest.raises(RdmfError) as failed:
        go_on(tmp_path / "whole")
    assert failed.value.subject == str(path)
    assert failed.value.what.startswith("this checkpoint is damaged (")
    assert failed.value.todo == "start again with --restart, or choose another --out"


class Loud:
    """An object that fails if it is unpickled."""

    def __reduce__(self):
        return (os.mkdir, ("unpickled",))


def test_a_state_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"schema": "rdmf.training/1", "settings": Loud()}, tmp_path / "last.pt")
    with pytest.raises(UsageError, match="holds other files"):
        go_on(tmp_path)
    (tmp_path / ".rdmf-training").touch()
    with pytest.raises(RdmfError, match="damaged"):
        go_on(tmp_path)
    assert not (tmp_path / "unpickled").exists()


def test_a_file_of_another_program_is_an_error(tmp_path):
    (tmp_path / ".rdmf-training").touch()
    torch.save({"weights": torch.ones(3)}, tmp_path / "last.pt")
    with pytest.raises(RdmfError, match="this version does not know this checkpoint format"):
        go_on(tmp_path)


def zipped(members: dict[str, int]) -> bytes:
    """Make an archive whose members unpack to the given numbers of MiB of zeros."""
    content = BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        for name, mib in members.items():
            with archive.open(name, "w") as file:
                for _ in range(mib):
                    file.write(bytes(1 << 20))
    return content.getvalue()


def test_a_state_that_unpacks_to_far_more_is_an_error_in_little_memory(tmp_path):
    (tmp_path / ".rdmf-training").touch()
    (tmp_path / "last.pt").write_bytes(zipped({"last/data.pkl": 1, "last/data/0": 512}))
    before = peak_memory.peak_memory()
    with pytest.raises(RdmfError, match="its unpacked size is above 512 MiB") as failed:
        go_on(tmp_path)
    assert failed.value.subject == str(tmp_path / "last.pt")
    with (tmp_path / "last.pt").open("wb") as file:
        file.truncate((512 << 20) + 1)  # a sparse file, which takes no space on the disk
    with pytest.raises(RdmfError, match="the checkpoint is larger than 512 MiB"):
        go_on(tmp_path)
    assert peak_memory.peak_memory() - before < 700 << 20


@pytest.mark.skipif(sys.platform == "win32", reason="files have no limit there")
@pytest.mark.parametrize("room", [400, 1000])
def test_a_full_disk_ends_a_training_with_the_file_that_cannot_be_written(tmp_path, room):
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(RdmfError, match=r"cannot be written \(File too large\)") as failed:
            train(ToyTask(), options(), tmp_path / "full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert Path(failed.value.subject).is_relative_to(tmp_path / "full")
