"""rdmf index --watch: it follows a folder, reports each hit once, and leaves a complete library."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import watchfiles
from cli_shell import command, environment

assert watchfiles  # the command needs this package, which the plain installation lacks

QUERIES = ("-q", "the face of a cat", "-q", "a submarine under the ice")


class Watching:
    """The command in its own process; returns its output line by line."""

    def __init__(self, process: subprocess.Popen[str]):
        self.process = process
        self.out: list[str] = []
        self.err: list[str] = []
        for stream, lines in ((process.stdout, self.out), (process.stderr, self.err)):
            threading.Thread(target=lines.extend, args=(stream,), daemon=True).start()

    def wait(self, happened: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not happened():
            assert self.process.poll() is None, self.err
            assert time.monotonic() < deadline, self.err
            time.sleep(0.05)

    def says(self, text: str, times: int = 1) -> None:
        self.wait(lambda: sum(text in line for line in self.err) >= times)

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@contextmanager
def watching(*words: object) -> Iterator[Watching]:
    with subprocess.Popen(
        command("index", *words, "--watch"),
        env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Watching(process)
        finally:
            process.kill()


def status(run, library: Path) -> dict:
    return json.loads(run("index", "--library", library, "--status", "--json").stdout)


def test_a_hit_is_told_once_and_the_library_is_whole(run, cached_tour, tmp_path) -> None:
    folder, library, told = tmp_path / "videos", tmp_path / "library", tmp_path / "told"
    folder.mkdir()
    note = f"import sys; open({str(told)!r}, 'a').write(repr(sys.argv[1:]) + chr(10))"
    hook = f'{sys.executable} -c "{note}" {{video}} {{start}} {{query}}'
    with watching(folder, "--library", library, *QUERIES, "--exec", hook, "--json") as watched:
        watched.says("watching")
        whole = cached_tour.read_bytes()
        with (folder / "a b.mp4").open(
            "wb"
        ) as file:  # written in parts, like a copy over the network
            for start in range(0, len(whole), len(whole) // 4 + 1):
                file.write(whole[start : start + len(whole) // 4 + 1])
                file.flush()
                time.sleep(0.4)
        watched.says("a b.mp4: indexed")
        watched.wait(told.exists)
        (folder / "a b.mp4").rename(folder / "renamed.mp4")
        watched.says("renamed.mp4: indexed")
        (folder / "broken.mp4").write_bytes(b"no video")
        os.utime(folder / "broken.mp4", (0, 0))
        watched.says("broken.mp4")
        assert watched.end() == 0, watched.err
    hits = [line for line in map(json.loads, watched.out) if line["schema"] == "rdmf.hit/1"]
    assert [hit["query"] for hit in hits] == ["the face of a cat"]
    arguments = [hits[0]["video"], f"{hits[0]['start']:.3f}", hits[0]["query"]]
    assert told.read_text() == f"{arguments}\n"
    assert not any("Traceback" in line for line in watched.err)
    found = status(run, library)
    assert (found["indexed"], found["failed"]) == (1, 1)
    assert found["problems"][0]["video"].endswith("broken.mp4")


def test_a_failing_hook_is_a_warning(run, cached_tour, tmp_path) -> None:
    folder, library = tmp_path / "videos", tmp_path / "library"
    folder.mkdir()
    shutil.copy(cached_tour, folder)
    hook = f'{sys.executable} -c "raise SystemExit(7)"'
    with watching(folder, "--library", library, *QUERIES, "--exec", hook) as watched:
        watched.says("ended with exit code 7")
        assert watched.end() == 0
    assert [line.split()[-5:] for line in watched.out] == [["the", "face", "of", "a", "cat"]]
    assert sum("warning: " in line and "exit code 7" in line for line in watched.err) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--query", "a cat"), "--query needs --watch"),
        (("--watch", "--exec", "true"), "--exec needs --query"),
        (("--watch", "--query", "a", "--cooldown", "3"), "--cooldown needs --exec"),
        (("--watch", "--status"), "--status and --watch cannot be given together"),
        (("--watch", "--query", "a", "--exec", "no-such-program-here"), "there is no program"),
        (("--watch", "--query", "a", "--exec", f"{sys.executable} {{what}}"), "unknown field"),
        (("--watch", "--query", "a", "--exec", "'"), "--exec cannot be read"),
    ],
)
def test_mistakes_are_said(run, tmp_path, words, said) -> None:
    (tmp_path / "videos").mkdir()
    ended = run("index", tmp_path / "videos", "--library", tmp_path / "library", *words)
    assert ended.returncode == 2
    assert said in ended.stderr
