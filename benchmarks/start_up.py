"""Measure the seconds of whole processes: help, version, an answer without and with a cache.

    python benchmarks/start_up.py [--runs 7] [--encoder embedded] [--against OTHER_CHECKOUT]

The commands take turns, round by round, so that a change of the machine's speed affects all
commands. The table shows the median, the fastest and the slowest run, and the peak memory. With
--against, each command also runs with the code of another checkout, in turn with this checkout;
the ratio is the median of the ratios of the rounds. Modules are compiled once before the first
run, as in an installation.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from rdmf_cli.resources import example_video

HERE = Path(__file__).resolve().parents[1]
VIDEO = str(example_video())


class Run(NamedTuple):
    seconds: float
    megabytes: float


def commands(encoder: str, round_: int) -> dict[str, list[str]]:
    def question(sentence: str, *more: str) -> list[str]:
        return ["-m", "rdmf_cli", "query", VIDEO, sentence, "--json", "--encoder", encoder, *more]

    return {
        "python -c pass": ["-c", "pass"],
        "rdmf --version": ["-m", "rdmf_cli", "--version"],
        "rdmf --help": ["-m", "rdmf_cli", "--help"],
        "query, cold": question("the face of a cat", "--no-cache"),
        "query, warm, a new sentence": question(f"the face of cat number {round_}"),
        "query, warm, asked before": question("the face of a cat"),
    }


def measured(arguments: list[str], environment: dict[str, str], folder: str) -> Run:
    begun = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *arguments],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        said: list[bytes] = []
        readers = [
            threading.Thread(target=lambda stream=stream: said.append(stream.read()))
            for stream in (process.stdout, process.stderr)
        ]
        for reader in readers:
            reader.start()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        for reader in readers:
            reader.join()
    if process.returncode:
        sys.exit(f"{arguments} failed: {b''.join(said).decode()[-2000:]}")
    return Run(time.perf_counter() - begun, used.ru_maxrss / 1024)


def environment_of(tree: Path, folder: str, number: int) -> dict[str, str]:
    given = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {
        **given,
        "PYTHONPATH": str(tree),
        "PYTHONPYCACHEPREFIX": str(Path(folder, f"compiled{number}")),
        "RDMF_CACHE_DIR": str(Path(folder, f"cache{number}")),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--encoder", default="embedded", help="a name as for rdmf query --encoder")
    parser.add_argument("--against", type=Path, help="the folder of another checkout")
    parser.add_argument("--only", default="", help="only commands with this word in their name")
    args = parser.parse_args()
    trees = [HERE] if args.against is None else [HERE, args.against.resolve()]
    with tempfile.TemporaryDirectory() as folder:
        environments = [environment_of(tree, folder, i) for i, tree in enumerate(trees)]
        chosen = [name for name in commands("", 0) if args.only in name]
        for (
            environment
        ) in environments:  # this run fills the caches, converts a model and compiles modules
            for name in ["query, warm, asked before", *chosen]:
                measured(commands(args.encoder, -1)[name], environment, folder)
        rounds = [
            {
                (name, tree): measured(commands(args.encoder, i)[name], environment, folder)
                for name in chosen
                for tree, environment in enumerate(environments)
            }
            for i in range(args.runs)
        ]
    report(rounds, chosen, len(trees))


def report(rounds: list[dict[tuple[str, int], Run]], chosen: list[str], trees: int) -> None:
    print(f"{'':28s} {'seconds':>8s} {'least':>7s} {'most':>7s} {'MB':>6s}", end="")
    print(f" {'other s':>8s} {'MB':>6s} {'ratio':>6s}" if trees > 1 else "")
    for name in chosen:
        here = [one[name, 0] for one in rounds]
        taken = [run.seconds for run in here]
        line = f"{name:28s} {statistics.median(taken):8.2f} {min(taken):7.2f} {max(taken):7.2f}"
        line += f" {max(run.megabytes for run in here):6.0f}"
        if trees > 1:
            other = [one[name, 1] for one in rounds]
            ratio = statistics.median(
                b.seconds / a.seconds for a, b in zip(here, other, strict=True)
            )
            line += f" {statistics.median(run.seconds for run in other):8.2f}"
            line += f" {max(run.megabytes for run in other):6.0f} {ratio:6.2f}"
        print(line)


if __name__ == "__main__":
    main()
