"""Cause faults while a library is indexed, and check that nothing is lost or stored twice.

    python benchmarks/library_faults.py [--kills 50] [--full 20] [--changes 10] [--seed 0]

Each try runs `rdmf index` in its own process over artificial videos; the library has some of the
videos already. After each try the library is opened: every video that it lists must have its
features, and they must equal the features in a library without any fault. Then the same command
runs again without a fault, and the library must hold every video once.

kill -9        at a random point of the run
disk full      no file may grow beyond a random size (RLIMIT_FSIZE: "File too large")
two writers    two runs at the same time
changes        a video is replaced, one is removed and one is renamed at a random point
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from rdmf_cli.errors import RdmfError
from rdmf_cli.library.library import Library

VIDEOS, KNOWN = 8, 3  # number of videos; how many of them the library has before a try
SECONDS, RATE, SIZE = 16, 5, 64
LEAST_BYTES, MOST_BYTES = 2_048, 60_000  # bytes of a video's features, and of the catalogue
SAYS_FULL = ("cannot be written", "could not be stored")

Fault = Callable[[list[str], Path, random.Random], str]


def write_video(path: Path, seed: int) -> None:
    """Write a video of coloured noise; each seed gives another video."""
    draw = np.random.default_rng(seed)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=RATE)
        stream.width = stream.height = SIZE
        for _ in range(SECONDS):
            picture = draw.integers(0, 256, (4, 4, 3), np.uint8).repeat(16, 0).repeat(16, 1)
            for _ in range(RATE):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())


def command(library: Path, videos: Path) -> list[str]:
    return [sys.executable, "-m", "rdmf_cli", "index", str(videos), "--library", str(library)]


def ran(words: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def killed(words: list[str], videos: Path, draw: random.Random) -> str:
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(draw.uniform(0.2, 3.0))
    process.kill()
    process.wait()
    return "killed" if process.returncode == -signal.SIGKILL else "it had ended"


def disk_full(words: list[str], videos: Path, draw: random.Random) -> str:
    most = int(np.exp(draw.uniform(np.log(LEAST_BYTES), np.log(MOST_BYTES))))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    done = ran(words, preexec_fn=limit)
    if done.returncode == 0:
        return "it had room"
    said = any(text in done.stderr for text in SAYS_FULL)
    return "said" if said and "Traceback" not in done.stderr else f"NOT SAID: {done.stderr[-300:]}"


def two_writers(words: list[str], videos: Path, draw: random.Random) -> str:
    first = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(draw.uniform(0, 1.0))
    second = ran(words)
    codes = first.wait(), second.returncode
    waited = "waiting for it" in second.stderr
    return ("one waited" if waited else "no wait") if codes == (0, 0) else f"EXIT CODES {codes}"


def changed(words: list[str], videos: Path, draw: random.Random) -> str:
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(draw.uniform(0.2, 2.0))
    replaced, removed, renamed = draw.sample(sorted(videos.iterdir()), 3)
    write_video(videos.parent / "new.mp4", draw.randrange(1000, 10**6))
    os.replace(videos.parent / "new.mp4", replaced)
    removed.unlink()
    renamed.rename(videos / f"renamed{draw.randrange(10**6)}.mp4")
    said = process.communicate()[1]
    return "NOT CAUGHT" if "Traceback" in said else f"exit code {process.returncode}"


def content(library: Path) -> dict[str, tuple[str, str]]:
    """Return the state and a digest of the features of each video, by name.

    Raises:
        RdmfError: The library is damaged.
    """
    with Library.open(library) as opened:
        found = opened.collection()
        digests = {}
        for number in range(len(found.clips)):
            rows = found.features(number).rows
            digests[found.path(number)] = hashlib.sha256(rows.tobytes()).hexdigest()[:12]
        return {
            Path(video.path).name: (video.state.value, digests.get(video.path, ""))
            for video in opened.videos()
        }


def problems(place: Path, videos: Path, expected: Callable[[], dict]) -> Iterator[str]:
    """List what is wrong after a fault, and after the second run of the command."""
    try:
        content(place)
    except RdmfError as error:
        yield f"not whole: {error}"
    again = ran(command(place, videos))
    if again.returncode:
        yield f"again: {again.stderr[-300:]}"
        return
    there = {name: seen for name, seen in content(place).items() if seen[0] != "missing"}
    wanted = expected()
    if lost := wanted.keys() - there.keys():
        yield f"lost: {sorted(lost)}"
    if more := there.keys() - wanted.keys():
        yield f"too many: {sorted(more)}"
    if any(there[name] != wanted[name] for name in wanted.keys() & there.keys()):
        yield "other features than without a fault"
    with Library.open(place) as library:
        keys = [str(library.store.path(video.key)) for video in library.videos() if video.key]
    if len(keys) != len(set(keys)):
        yield "twice"


def tried(fault: Fault, tries: int, folder: Path, seed: int) -> list[tuple[str, list[str]]]:
    outcomes = []
    for number in range(tries):
        draw = random.Random(f"{fault.__name__} {seed} {number}")
        own = folder / f"{fault.__name__}{number}"
        videos = Path(shutil.copytree(folder / "videos", own / "videos"))
        ran(command(own / "library", folder / "known"))
        happened = fault(command(own / "library", videos), videos, draw)

        def expected(own: Path = own, videos: Path = videos) -> dict:
            ran(command(own / "reference", videos))
            return {**content(folder / "known_library"), **content(own / "reference")}

        outcomes.append((happened, list(problems(own / "library", videos, expected))))
        shutil.rmtree(own)
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, tries in (("kills", 50), ("full", 20), ("writers", 5), ("changes", 10), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=tries)
    args = parser.parse_args()
    faults: list[tuple[str, Fault, int]] = [
        ("kill -9", killed, args.kills),
        ("disk full", disk_full, args.full),
        ("two writers", two_writers, args.writers),
        ("replaced, removed, renamed", changed, args.changes),
    ]
    shown = Table("fault", "tries", "outcomes", "problems", box=box.SIMPLE_HEAD)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["RDMF_CACHE_DIR"] = str(folder / "cache")
        os.environ["RDMF_CACHE_LIMIT_MB"] = "0"  # without a cache, every run extracts
        for place, numbers in (("known", range(KNOWN)), ("videos", range(KNOWN, VIDEOS))):
            (folder / place).mkdir()
            for number in numbers:
                write_video(folder / place / f"{number}.mp4", number)
        ran(command(folder / "known_library", folder / "known"))
        for title, fault, tries in faults:
            outcomes = tried(fault, tries, folder, args.seed)
            counts = {
                text: sum(text == happened for happened, _ in outcomes)
                for text in dict.fromkeys(happened for happened, _ in outcomes)
            }
            said = ", ".join(f"{text} {count}" for text, count in counts.items())
            wrong = [text for _, found in outcomes for text in found]
            shown.add_row(title, str(tries), said, "; ".join(wrong) or "none")
    Console(width=110).print(shown)


if __name__ == "__main__":
    main()
